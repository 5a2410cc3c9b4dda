/** Passkeys: kept, used, renamed, removed. What an authenticator says is verified before it gets here. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { Selectable } from 'kysely';
import type { Database, Schema, Tx } from '../schema.ts';

export type PasskeyRow = Selectable<Schema['passkey']>;
export const passkeysPerPrincipal = 20;

/** Keeps a new passkey and returns its row. `request.conflict` when it is known already, or the principal has twenty. */
export async function addPasskey(tx: Tx, passkey: Omit<PasskeyRow, 'id' | 'created_at' | 'last_used_at'>, now: number): Promise<PasskeyRow> {
  const { count } = await tx.selectFrom('passkey').select((row) => row.fn.countAll<number>().as('count')).where('principal', '=', passkey.principal).executeTakeFirstOrThrow();
  if (count >= passkeysPerPrincipal) throw new WeirError('request.conflict', `You have ${passkeysPerPrincipal} passkeys already; remove one that you no longer use.`);
  const row = await tx.insertInto('passkey').values({ ...passkey, id: newUlid(now), created_at: now, last_used_at: null })
    .onConflict((conflict) => conflict.column('credential').doNothing()).returningAll().executeTakeFirst();
  if (row === undefined) throw new WeirError('request.conflict', 'This passkey is kept already.');
  return row;
}

export const passkeyByCredential = (db: Database, credential: string): Promise<PasskeyRow | undefined> =>
  db.selectFrom('passkey').selectAll().where('credential', '=', credential).executeTakeFirst();

/** Newest first. */
export const listPasskeys = (db: Database, principal: string): Promise<PasskeyRow[]> =>
  db.selectFrom('passkey').selectAll().where('principal', '=', principal).orderBy('id', 'desc').limit(passkeysPerPrincipal).execute();

/**
 * Notes a use with the authenticator's new counter; false if the passkey is gone, or the counter is not ahead of what is known, as that
 * of a copied authenticator (WebAuthn §6.1.1; authenticators without one always say 0).
 */
export async function usePasskey(tx: Tx, id: string, counter: number, now: number): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('passkey').set({ counter, last_used_at: now }).where('id', '=', id)
    .where('counter', counter === 0 ? '=' : '<', counter).executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function renamePasskey(tx: Tx, id: string, name: string): Promise<PasskeyRow> {
  const row = await tx.updateTable('passkey').set({ name }).where('id', '=', id).returningAll().executeTakeFirst();
  if (row === undefined) throw new WeirError('object.absent');
  return row;
}

export async function removePasskey(tx: Tx, id: string): Promise<PasskeyRow> {
  const row = await tx.deleteFrom('passkey').where('id', '=', id).returningAll().executeTakeFirst();
  if (row === undefined) throw new WeirError('object.absent');
  return row;
}
