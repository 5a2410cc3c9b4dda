/** Grants: rows whose signed tokens open one holding; used, listed, revoked. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { TokenKey } from '@weir/security/token-keys';
import { signToken } from '@weir/security/tokens';
import type { Selectable } from 'kysely';
import { moveEpochs } from '../epochs.ts';
import type { Database, Schema, Tx } from '../schema.ts';

export type GrantRow = Selectable<Schema['grant']>;
export type GrantOrder = Readonly<{
  issuer: string; holding: string; cid: string; verbs: readonly string[]; principal?: string | undefined; networks: readonly string[];
  uses?: number | undefined; expiresInSeconds: number;
}>;

export async function createGrant(
  tx: Tx, signer: Readonly<{ issuer: string; audience: string; key: TokenKey }>, order: GrantOrder, now: number,
): Promise<{ id: string; token: string; expiresAtMs: number }> {
  const id = newUlid(now);
  const iat = Math.floor(now / 1_000);
  const exp = iat + order.expiresInSeconds;
  await tx.insertInto('grant').values({
    id, issuer: order.issuer, holding: order.holding, cid: order.cid, verbs: JSON.stringify(order.verbs), principal: order.principal ?? null,
    networks: JSON.stringify(order.networks), parent: null, uses_left: order.uses ?? null, valid_from: now, expires_at: exp * 1_000, revoked_at: null, created_at: now,
  }).execute();
  const token = signToken('grant', {
    iss: signer.issuer, aud: signer.audience, sub: order.principal ?? 'anyone', iat, nbf: iat, exp, jti: id, object: `holding:${order.holding}`, verbs: order.verbs,
  }, signer.key);
  return { id, token, expiresAtMs: exp * 1_000 };
}

/** Counts one opening, atomically. `policy.refused` when none is left. Grants without a number of uses are not touched. */
export async function useGrant(tx: Tx, id: string): Promise<void> {
  const row = await tx.updateTable('grant').set((grant) => ({ uses_left: grant('uses_left', '-', 1) }))
    .where('id', '=', id).where('uses_left', '>', 0).where('revoked_at', 'is', null).returning('id').executeTakeFirst();
  if (row === undefined) throw new WeirError('policy.refused', 'This link has been used as often as it may be.');
}

/** Takes a grant back; a second time is fine. */
export async function revokeGrant(tx: Tx, id: string, now: number): Promise<void> {
  const { numUpdatedRows } = await tx.updateTable('grant').set((row) => ({ revoked_at: row.fn.coalesce('revoked_at', row.val(now)) })).where('id', '=', id).executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new WeirError('object.absent');
  await moveEpochs(tx, [`grant:${id}`]);
}

/** Newest first; `before` is the id of the last grant of the page before. */
export async function listGrants(
  db: Database, issuer: string, page: { holding?: string | undefined; before?: string | undefined; limit: number },
): Promise<GrantRow[]> {
  return db.selectFrom('grant').selectAll().where('issuer', '=', issuer)
    .$if(page.holding !== undefined, (q) => q.where('holding', '=', page.holding ?? ''))
    .$if(page.before !== undefined, (q) => q.where('id', '<', page.before ?? ''))
    .orderBy('id', 'desc').limit(page.limit).execute();
}
