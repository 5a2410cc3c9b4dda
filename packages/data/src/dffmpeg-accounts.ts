/** The accounts of a DFFmpeg coordinator, read from its SQLite database: names, roles, networks and keys as Weir's principals have them. */
import { DatabaseSync } from 'node:sqlite';
import { WeirError } from '@weir/contracts/errors';
import { Cidr, PrincipalId } from '@weir/contracts/identity';
import { openFernet, parseFernetKey } from '@weir/security/fernet';
import { compileNetworks } from '@weir/security/networks';
import { parseDffmpegKey } from '@weir/security/request-signing/dffmpeg';
import { z } from 'zod';
import { reservedNames } from './security-stores/principals.ts';

const mostAccounts = 10_000;
const roles: Readonly<Record<string, string>> = { client: 'client', worker: 'worker', admin: 'admin' };

const Row = z.object({
  client_id: z.string().max(1_000), role: z.string().max(100), hmac_key: z.string().max(4_096), key_id: z.string().max(200).nullable(), allowed_cidrs: z.string().max(100_000).nullable(),
});
const Networks = z.array(z.string().max(64)).max(100);

/** `key` in base64; `networks` empty for everywhere. */
export type Account = Readonly<{ name: string; role: string; networks: readonly string[]; key: string }>;
/** An account that can't be taken over, and why; the reason holds no key. */
export type RefusedAccount = Readonly<{ name: string; reason: string }>;
export type Accounts = Readonly<{ accounts: readonly Account[]; refused: readonly RefusedAccount[] }>;

/**
 * Reads table `auth` of the file, which is not changed. `keys` are the coordinator's `encryption_keys` by id. `localadmin` is left out: it
 * is the coordinator's own way to itself. `config.invalid` when the file is no such database.
 */
export function readDffmpegAccounts(file: string, keys: ReadonlyMap<string, string>): Accounts {
  const accounts: Account[] = [];
  const refused: RefusedAccount[] = [];
  for (const row of readRows(file)) {
    if (row.client_id === 'localadmin') continue;
    try {
      accounts.push(toAccount(row, keys));
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      refused.push({ name: row.client_id.slice(0, 64), reason: error.message });
    }
  }
  return { accounts, refused };
}

function readRows(file: string): readonly z.infer<typeof Row>[] {
  try {
    using database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    return database.prepare('select client_id, role, hmac_key, key_id, allowed_cidrs from auth order by client_id limit ?').all(mostAccounts).map((row) => Row.parse(row));
  } catch (cause) {
    throw new WeirError('config.invalid', `${file} is no SQLite database of a DFFmpeg coordinator (table auth), or can not be read.`, { cause });
  }
}

function toAccount(row: z.infer<typeof Row>, keys: ReadonlyMap<string, string>): Account {
  const name = PrincipalId.safeParse(row.client_id);
  if (!name.success || reservedNames.has(name.data)) throw new WeirError('request.invalid', 'a principal is named with a-z, 0-9, ".", "_", "-", at most 64; add it by hand under another name and give its peer that name');
  const role = Object.hasOwn(roles, row.role) ? roles[row.role] : undefined;
  if (role === undefined) throw new WeirError('role.unknown', `its role "${row.role.slice(0, 32)}" is none of ${Object.keys(roles).join(', ')}`);
  return { name: name.data, role, networks: networksOf(row.allowed_cidrs), key: keyOf(row, keys) };
}

function keyOf({ key_id: keyId, hmac_key: stored }: z.infer<typeof Row>, keys: ReadonlyMap<string, string>): string {
  const named = keyId === null ? undefined : keys.get(keyId);
  if (keyId !== null && named === undefined) throw new WeirError('keys.wrong', `its key is encrypted under "${keyId.slice(0, 64)}", which the file of keys does not have`);
  const key = named === undefined ? stored : openFernet(parseFernetKey(named), stored).toString('utf8');
  try {
    parseDffmpegKey(key);
  } catch (cause) {
    throw new WeirError('keys.wrong', 'its key is not 32 bytes in base64; give its peer a new one with: weir admin user rotate-key', { cause });
  }
  return key;
}

/** Everywhere is written as no network at all. */
function networksOf(json: string | null): readonly string[] {
  const read = Networks.safeParse(json === null || json === '' ? [] : parseJson(json));
  if (!read.success || read.data.some((network) => !Cidr.safeParse(network).success)) throw new WeirError('request.invalid', 'its allowed_cidrs are no networks; say with weir admin user add --allowed-cidrs which they should be');
  compileNetworks(read.data);
  return read.data.includes('0.0.0.0/0') && read.data.includes('::/0') ? [] : read.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no list, which the caller refuses
  }
}
