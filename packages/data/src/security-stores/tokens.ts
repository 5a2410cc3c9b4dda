/** Access tokens: issued narrowed, recorded, revoked. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { Role } from '@weir/security/roles';
import type { TokenKey } from '@weir/security/token-keys';
import { signToken } from '@weir/security/tokens';
import { moveEpochs } from '../epochs.ts';
import type { Tx } from '../schema.ts';
import { getPrincipal } from './principals.ts';
import { readStrings } from './identity-store.ts';

export type TokenOrder = Readonly<{
  principal: string; issuer: string; role?: string | undefined; permissions?: readonly string[] | undefined; expiresInSeconds: number; sessionId?: string | undefined;
}>;
export type TokenIssuer = Readonly<{ issuer: string; audience: string; key: TokenKey; roles: ReadonlyMap<string, Role> }>;

/**
 * An access token that narrows: every permission of the role it names, and each permission it lists, must be the principal's own,
 * and within `ceiling` where the issuer is not the operator. `role.exceeds`, `role.unknown`, `principal.absent`.
 */
export async function issueToken(
  tx: Tx, { issuer, audience, key, roles }: TokenIssuer, order: TokenOrder, { now, ceiling }: { now: number; ceiling?: ReadonlySet<string> },
): Promise<{ token: string; jti: string; expiresAtMs: number }> {
  const principal = await getPrincipal(tx, order.principal);
  const rights = new Set([...(roles.get(principal.role)?.permissions ?? []), ...readStrings(principal.permissions)]);
  const role = order.role === undefined ? undefined : roles.get(order.role);
  if (order.role !== undefined && role === undefined) throw new WeirError('role.unknown', `There is no role "${order.role}". There are: ${[...roles.keys()].join(', ')}.`);
  const asked = order.permissions ?? (role === undefined ? rights : role.permissions);
  for (const permission of [...asked, ...(role?.permissions ?? [])]) {
    if (!rights.has(permission)) throw new WeirError('role.exceeds', `"${principal.id}" has no ${permission}, so a token can not carry it. A token only narrows.`);
    if (ceiling !== undefined && !ceiling.has(permission)) throw new WeirError('role.exceeds', `You have no ${permission}, so you can not issue a token that carries it.`);
  }
  const jti = newUlid(now);
  const iat = Math.floor(now / 1_000);
  const exp = iat + order.expiresInSeconds;
  const token = signToken('access', {
    iss: issuer, aud: audience, sub: principal.id, iat, nbf: iat, exp, jti,
    ...(order.role === undefined ? {} : { role: order.role }), ...(order.permissions === undefined ? {} : { permissions: order.permissions }),
    ...(order.sessionId === undefined ? {} : { sid: order.sessionId }),
  }, key);
  await tx.insertInto('token').values({
    jti, principal: principal.id, issuer: order.issuer, issued_at: now, expires_at: exp * 1_000, revoked_at: null,
    session: order.sessionId ?? null, role: order.role ?? null, permissions: order.permissions === undefined ? null : JSON.stringify(order.permissions), holdings: null,
  }).execute();
  return { token, jti, expiresAtMs: exp * 1_000 };
}

/** Revokes one token; a second time is fine. */
export async function revokeToken(tx: Tx, jti: string, now: number): Promise<void> {
  const { numUpdatedRows } = await tx.updateTable('token').set((row) => ({ revoked_at: row.fn.coalesce('revoked_at', row.val(now)) })).where('jti', '=', jti).executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new WeirError('object.absent');
  await moveEpochs(tx, [`token:${jti}`]);
}

/** Ends every token and session of a principal, whatever node they are used at. */
export async function endEverything(tx: Tx, principal: string, now: number): Promise<void> {
  const { numUpdatedRows } = await tx.updateTable('principal').set({ tokens_valid_from: now + 1_000 }).where('id', '=', principal).executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new WeirError('principal.absent');
  const sessions = await tx.updateTable('login_session').set({ ended_at: now }).where('principal', '=', principal).where('ended_at', 'is', null).returning('id').execute();
  await moveEpochs(tx, [`principal:${principal}`, ...sessions.map(({ id }) => `session:${id}`)]);
}
