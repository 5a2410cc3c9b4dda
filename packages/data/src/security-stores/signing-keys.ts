/** The keys that sign tokens, assignments and audit checkpoints: one per purpose, made at the first start, sealed in the database. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { KeyRing } from '@weir/security/key-ring';
import { exportTokenKey, importTokenKey, newTokenKey, publicJwk, type TokenKey } from '@weir/security/token-keys';
import type { Data } from '../data.ts';
import type { Database } from '../schema.ts';

export const keyPurposes = ['access', 'grant', 'job', 'instance', 'audit'] as const;
export type KeyPurpose = (typeof keyPurposes)[number];

/** The key that signs now, and all that verify (retired ones too, until their tokens have ended). */
export type PurposeKeys = Readonly<{ signing: TokenKey; all: ReadonlyMap<string, TokenKey> }>;

/** Makes the missing keys and opens all. `keys.wrong` when the key ring does not open them. */
export async function openSigningKeys(data: Data, keyRing: KeyRing, now: number): Promise<Readonly<Record<KeyPurpose, PurposeKeys>>> {
  await data.write(async (tx) => {
    for (const purpose of keyPurposes) {
      const existing = await tx.selectFrom('signing_key').select('id').where('purpose', '=', purpose).limit(1).executeTakeFirst();
      if (existing !== undefined) continue;
      const key = newTokenKey(`${purpose}-${newUlid(now).toLowerCase()}`);
      await tx.insertInto('signing_key').values({
        id: key.id, purpose, algorithm: key.algorithm, secret: keyRing.seal('signing-key', key.id, exportTokenKey(key)),
        public_key: publicJwk(key)?.['x'] ?? '', created_at: now, retired_at: null,
      }).execute();
    }
  });
  const opened = await Promise.all(keyPurposes.map(async (purpose) => [purpose, await keysOf(data.read, keyRing, purpose)] as const));
  return Object.fromEntries(opened) as Record<KeyPurpose, PurposeKeys>;
}

async function keysOf(db: Database, keyRing: KeyRing, purpose: KeyPurpose): Promise<PurposeKeys> {
  const rows = await db.selectFrom('signing_key').selectAll().where('purpose', '=', purpose).orderBy('created_at', 'desc').execute();
  const keys = rows.map((row) => importTokenKey(row.id, keyRing.open('signing-key', row.id, row.secret)));
  const signing = keys[rows.findIndex((row) => row.retired_at === null)];
  if (signing === undefined) throw new WeirError('keys.lost', `There is no signing key for ${purpose}; restore the database from a backup.`);
  return { signing, all: new Map(keys.map((key) => [key.id, key])) };
}
