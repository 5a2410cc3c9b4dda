/** Keys of users that wrap the data keys of their content: made when they are first needed, destroyed with all that they opened. */
import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { KeyRing } from '@weir/security/key-ring';
import { moveEpochs } from '../epochs.ts';
import type { Database, Tx } from '../schema.ts';

const purpose = 'user-key';

export type UserKey = Readonly<{ id: string; key: KeyObject }>;

/** The key of a user; of racing first uses one makes it. */
export async function userKeyOf(tx: Tx, keyRing: KeyRing, principal: string, now: number): Promise<UserKey> {
  const id = newUlid(now);
  const bytes = randomBytes(32);
  await tx.insertInto('user_key').values({ id, principal, secret: keyRing.seal(purpose, id, bytes), created_at: now })
    .onConflict((conflict) => conflict.column('principal').doNothing()).execute();
  bytes.fill(0);
  const row = await tx.selectFrom('user_key').select(['id', 'secret']).where('principal', '=', principal).executeTakeFirstOrThrow();
  return { id: row.id, key: unseal(keyRing, row.id, row.secret) };
}

/** `object.absent` once it was destroyed: what it opened is noise. */
export async function readUserKey(db: Database, keyRing: KeyRing, id: string): Promise<KeyObject> {
  const row = await db.selectFrom('user_key').select('secret').where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new WeirError('object.absent', 'The key of its owner was destroyed, and with it this content.');
  return unseal(keyRing, id, row.secret);
}

/** Destroys the key of a user and leaves tombstones of what it opened, as deleting each of them would. */
export async function destroyUserKey(tx: Tx, principal: string, now: number): Promise<void> {
  const destroyed = await tx.deleteFrom('user_key').where('principal', '=', principal).returning('id').executeTakeFirst();
  if (destroyed === undefined) return;
  const erased = await tx.updateTable('holding').set({ deleted_at: now, data_key: null, leaf_digests: new Uint8Array(), title: '', policy: null })
    .where('user_key', '=', destroyed.id).where('deleted_at', 'is', null).returning('id').execute();
  await tx.deleteFrom('policy_change').where('holding', 'in', (query) => query.selectFrom('holding').select('id').where('user_key', '=', destroyed.id)).execute();
  await moveEpochs(tx, erased.map(({ id }) => `holding:${id}`));
}

function unseal(keyRing: KeyRing, id: string, secret: Uint8Array): KeyObject {
  const bytes = keyRing.open(purpose, id, secret);
  try {
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}
