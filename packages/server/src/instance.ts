/** An opened instance: its database, key ring, signing keys and roles. The server builds on it, and so do commands beside a running server. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { systemClock, type Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { openData, type Data } from '@weir/data/data';
import { migrate } from '@weir/data/migrate';
import { openSigningKeys, type SigningKeys } from '@weir/data/security-stores/signing-keys';
import type { AuditSigner } from '@weir/data/audit-log';
import { identityStore } from '@weir/data/security-stores/identity-store';
import type { KeyRing } from '@weir/security/key-ring';
import { defineRoles, type Role } from '@weir/security/roles';
import type { Config } from './config/schema.ts';
import { createMasterKey, openKeyRing, reloadKeyRing } from './master-key.ts';
import { dataDirectory, keyDirectory } from './places.ts';

export type Instance = AsyncDisposable & Readonly<{
  id: string;
  /** `iss` and `aud` of its tokens. */
  tokenAudience: string;
  config: Config;
  dataPath: string;
  data: Data;
  keyRing: KeyRing;
  signing: SigningKeys;
  /** Reads the master key file and the signing keys again. */
  reloadKeys: () => Promise<void>;
  roles: ReadonlyMap<string, Role>;
  auditSigner: AuditSigner;
  clock: Clock;
  /** True when this opening made it. */
  isNew: boolean;
}>;

type Options = Readonly<{
  config: Config; dataFlag?: string | undefined; environment: Readonly<Record<string, string | undefined>>;
  /** Make a new instance where there is none; commands beside a server do not. */
  create: boolean;
  clock?: Clock;
}>;

/** Errors: `object.absent` (no instance there), `data.newer`, `keys.lost`, `keys.wrong`, `config.invalid`. */
export async function openInstance({ config, dataFlag, environment, create, clock = systemClock }: Options): Promise<Instance> {
  const dataPath = dataDirectory(config, dataFlag, environment);
  const keys = keyDirectory(config, environment);
  refuseKeysInside(keys, dataPath);
  if (!create && config.database.url === undefined && !existsSync(path.join(dataPath, 'weir.db'))) {
    throw new WeirError('object.absent', `There is no Weir in ${dataPath} yet. \`weir up\` makes one, or name another with --data.`);
  }
  const roles = defineRoles(config.permissions.roles);
  const data = await openData({ directory: dataPath, ...(config.database.url === undefined ? {} : { url: config.database.url }) });
  try {
    await migrate(data);
    const { id, isNew } = await instanceId(data, keys, create);
    const keyRing = await openKeyRing(keys, id);
    const signing = await openSigningKeys(data, keyRing, clock());
    // SQLite has one writer at a time, so one chain serves the server and the commands beside it.
    const auditSigner = signerOf(signing, data.engine === 'sqlite' ? 'local' : `node-${randomBytes(6).toString('hex')}`, config.audit.checkpoint_events);
    return {
      id, tokenAudience: `weir:${id}`, config, dataPath, data, keyRing, signing, roles, auditSigner, clock, isNew,
      reloadKeys: async () => {
        await reloadKeyRing(keyRing, keys, id);
        await signing.reload(clock());
      },
      [Symbol.asyncDispose]: async () => {
        await signing[Symbol.asyncDispose]();
        await data.close();
      },
    };
  } catch (error) {
    await data.close();
    throw error;
  }
}

/** Signs with the audit key of the moment. */
function signerOf(signing: SigningKeys, writer: string, checkpointEvents: number): AuditSigner {
  return {
    writer, checkpointEvents,
    get keyId() { return signing.audit.signing.id; },
    get key() {
      const key = signing.audit.signing;
      if (key.algorithm !== 'EdDSA' || key.private === undefined) throw new WeirError('keys.wrong', 'The audit key can not sign; restore the database from a backup.');
      return key.private;
    },
  };
}

/** The master key lies outside what a thief of the data directory gets. */
function refuseKeysInside(keys: string, dataPath: string): void {
  const relative = path.relative(dataPath, keys);
  if (relative === '' || (!relative.startsWith('..') && !path.isAbsolute(relative))) {
    throw new WeirError('config.invalid', `[keys] directory ${keys} lies inside the data directory. Put it elsewhere: whoever copies the data must not get the key.`);
  }
}

/** The key file is written before the row that names the instance, so a crash between them leaves no instance without its key. */
async function instanceId(data: Data, keys: string, create: boolean): Promise<{ id: string; isNew: boolean }> {
  const row = await data.read.selectFrom('meta').select('value').where('key', '=', 'instance_id').executeTakeFirst();
  if (row !== undefined) return { id: row.value, isNew: false };
  if (!create) throw new WeirError('object.absent', 'This database has no instance yet. `weir up` makes one.');
  const id = `weir-${randomBytes(5).toString('hex')}`;
  await createMasterKey(keys, id);
  await data.write(async (tx) => { await tx.insertInto('meta').values({ key: 'instance_id', value: id }).execute(); });
  return { id, isNew: true };
}

/** The identity port of this instance. */
export const identitiesOf = ({ data, keyRing, roles }: Pick<Instance, 'data' | 'keyRing' | 'roles'>) => identityStore(data.read, keyRing, roles);
