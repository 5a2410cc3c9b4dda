/** `weir admin security import-dffmpeg`: the accounts of a DFFmpeg coordinator become principals with the keys that their peers have. */
import { WeirError } from '@weir/contracts/errors';
import { readPrivateFile } from '@weir/credentials/private-file';
import { readDffmpegAccounts, type Account, type RefusedAccount } from '@weir/data/dffmpeg-accounts';
import { addHmacKey, addPrincipal } from '@weir/data/security-stores/principals';
import type { Instance } from '@weir/server/instance';
import { parse } from 'yaml';
import { z } from 'zod';
import { note, print, printJson, type Context } from '../context.ts';
import { Finished } from '../failure.ts';
import type { InstanceFlags } from '../flags.ts';
import { openForOperator, record } from './operator.ts';

export type ImportFlags = InstanceFlags & Readonly<{ keys?: string; json?: boolean }>;

const maxKeysBytes = 65_536;
const KeyList = z.record(z.string().max(200), z.string().max(200));
/** The file of keys itself, or the coordinator's configuration with them in it. */
const KeyFile = z.union([
  KeyList, z.looseObject({ encryption_keys: KeyList }).transform((file) => file.encryption_keys),
]);

/** What can be taken over is, each in its own transaction; what can't is named with its reason, and ends the command with 1. */
export async function importDffmpeg(this: Context, flags: ImportFlags, file: string): Promise<void> {
  const { accounts, refused: unusable } = readDffmpegAccounts(file, flags.keys === undefined ? new Map() : await readKeys(flags.keys));
  await using instance = await openForOperator(this, flags);
  const refused: RefusedAccount[] = [...unusable];
  const imported: Account[] = [];
  for (const account of accounts) {
    try {
      await take(instance, account);
      imported.push(account);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      refused.push({ name: account.name, reason: error.message });
    }
  }
  if (flags.json === true) printJson(this, { imported: imported.map(({ name, role }) => ({ principal: name, role })), refused });
  else print(this, `${imported.length} imported${imported.length === 0 ? '' : `: ${imported.map(({ name, role }) => `${name} (${role})`).join(', ')}`}`);
  for (const { name, reason } of refused) note(this, `not imported: ${JSON.stringify(name)}: ${reason}`);
  if (refused.length > 0) throw new Finished(1);
}

async function take(instance: Instance, { name, role, networks, key }: Account): Promise<void> {
  await instance.data.write(async (tx) => {
    await addPrincipal(tx, instance.roles, { id: name, role, networks }, instance.clock());
    await addHmacKey(tx, instance.keyRing, name, { now: instance.clock(), given: key });
    await record(tx, instance, 'user.write', `principal:${name}`, `imported with role ${role} from a DFFmpeg database`);
  });
}

/** `encryption_keys` of the coordinator: a name for each `fernet:…`. The text is never repeated. */
async function readKeys(file: string): Promise<ReadonlyMap<string, string>> {
  const text = Buffer.from(await readPrivateFile(file, maxKeysBytes)).toString('utf8');
  try {
    return new Map(Object.entries(KeyFile.parse(parse(text, { maxAliasCount: 0, uniqueKeys: true }))));
  } catch {
    throw new WeirError('config.invalid', `${file} is no list of encryption keys: one line for each, NAME: fernet:BASE64`);
  }
}
