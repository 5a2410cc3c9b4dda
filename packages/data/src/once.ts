/** Secrets that work once: sign-in links, worker invitations, tickets. Only their hashes are stored. */
import type { Selectable } from 'kysely';
import type { Schema, Tx } from './schema.ts';

export type OneTimeSecret = Selectable<Schema['one_time_secret']>;

/** Stores a fresh secret. `hash` is its SHA-256 (a secret of 128 random bits or more needs no slower one); `facts` is JSON. */
export async function storeOneTimeSecret(tx: Tx, secret: Omit<OneTimeSecret, 'used_at'>): Promise<void> {
  await tx.insertInto('one_time_secret').values({ ...secret, used_at: null }).execute();
}

/**
 * The same where anyone may ask for one: of the secrets of a purpose at most `most` wait, the newest ones, and those that are used or
 * expired are removed at once. `now` in milliseconds since 1970.
 */
export async function storeOneOfMany(tx: Tx, secret: Omit<OneTimeSecret, 'used_at'>, most: number, now: number): Promise<void> {
  const ofPurpose = () => tx.deleteFrom('one_time_secret').where('purpose', '=', secret.purpose);
  await ofPurpose().where((row) => row.or([row('expires_at', '<=', now), row('used_at', 'is not', null)])).execute();
  const tooMany = tx.selectFrom('one_time_secret').select('hash').where('purpose', '=', secret.purpose)
    .orderBy('expires_at', 'desc').orderBy('hash').offset(most - 1).limit(1_000);
  await ofPurpose().where('hash', 'in', tooMany).execute();
  await storeOneTimeSecret(tx, secret);
}

/**
 * Uses a secret up and returns its row, or undefined if it is unknown, of another purpose, used or expired (`expires_at` itself is too
 * late). One statement decides, so of any number of concurrent attempts one succeeds. `now` in milliseconds since 1970.
 */
export async function consumeOneTimeSecret(tx: Tx, hash: string, purpose: string, now: number): Promise<OneTimeSecret | undefined> {
  return tx.updateTable('one_time_secret').set({ used_at: now })
    .where('hash', '=', hash).where('purpose', '=', purpose).where('used_at', 'is', null).where('expires_at', '>', now)
    .returningAll().executeTakeFirst();
}

/** Deletes the secrets that expired before `before` (milliseconds since 1970) and returns how many there were. */
export async function forgetOneTimeSecrets(tx: Tx, before: number): Promise<number> {
  const { numDeletedRows } = await tx.deleteFrom('one_time_secret').where('expires_at', '<', before).executeTakeFirst();
  return Number(numDeletedRows);
}
