/** Access tokens: issued narrowed, recorded, revoked. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { parseCid } from '@weir/security/content-id';
import type { Role } from '@weir/security/roles';
import type { TokenKey } from '@weir/security/token-keys';
import { signToken } from '@weir/security/tokens';
import type { Selectable } from 'kysely';
import { moveEpochs } from '../epochs.ts';
import type { Database, Schema, Tx } from '../schema.ts';
import { getPrincipal, requirePermissions } from './principals.ts';
import { readStrings, type SharedHolding } from './identity-store.ts';

export type TokenRow = Selectable<Schema['token']>;
export type TokenOrder = Readonly<{
  principal: string; issuer: string; role?: string | undefined; permissions?: readonly string[] | undefined; expiresInSeconds: number; sessionId?: string | undefined;
  /** Holdings of the issuer that the token opens beside, with the content ids that it names. Whoever calls has checked that the issuer may share them. */
  shared?: readonly SharedHolding[] | undefined;
}>;
export type TokenIssuer = Readonly<{ issuer: string; audience: string; key: TokenKey; roles: ReadonlyMap<string, Role> }>;

/**
 * An access token that narrows: every permission of the role it names, and each permission it lists, must be the principal's own,
 * and within `ceiling` where the issuer is not the operator. `role.exceeds`, `role.unknown`, `principal.absent`, `request.invalid` for what is no permission.
 */
export async function issueToken(
  tx: Tx, { issuer, audience, key, roles }: TokenIssuer, order: TokenOrder, { now, ceiling }: { now: number; ceiling?: ReadonlySet<string> },
): Promise<{ token: string; jti: string; expiresAtMs: number }> {
  const principal = await getPrincipal(tx, order.principal);
  const rights = new Set([...(roles.get(principal.role)?.permissions ?? []), ...readStrings(principal.permissions)]);
  const role = order.role === undefined ? undefined : roles.get(order.role);
  if (order.role !== undefined && role === undefined) throw new WeirError('role.unknown', `There is no role "${order.role}". There are: ${[...roles.keys()].join(', ')}.`);
  requirePermissions(order.permissions ?? []);
  const asked = order.permissions ?? (role === undefined ? rights : role.permissions);
  for (const permission of [...asked, ...(role?.permissions ?? [])]) {
    if (!rights.has(permission)) throw new WeirError('role.exceeds', `"${principal.id}" has no ${permission}, so a token can not carry it. A token only narrows.`);
    if (ceiling !== undefined && !ceiling.has(permission)) throw new WeirError('role.exceeds', `You have no ${permission}, so you can not issue a token that carries it.`);
  }
  const { shared = [] } = order;
  const jti = newUlid(now);
  const iat = Math.floor(now / 1_000);
  const exp = iat + order.expiresInSeconds;
  const token = signToken('access', {
    iss: issuer, aud: audience, sub: principal.id, iat, nbf: iat, exp, jti,
    ...(order.role === undefined ? {} : { role: order.role }), ...(order.permissions === undefined ? {} : { permissions: order.permissions }),
    ...(order.sessionId === undefined ? {} : { sid: order.sessionId }), ...(shared.length === 0 ? {} : { cid_access: shared.map(({ cid }) => cid) }),
  }, key);
  await tx.insertInto('token').values({
    jti, principal: principal.id, issuer: order.issuer, issued_at: now, expires_at: exp * 1_000, revoked_at: null,
    session: order.sessionId ?? null, role: order.role ?? null, permissions: order.permissions === undefined ? null : JSON.stringify(order.permissions),
    holdings: shared.length === 0 ? null : JSON.stringify(shared),
  }).execute();
  return { token, jti, expiresAtMs: exp * 1_000 };
}

/** Revokes one token; a second time is fine. */
export async function revokeToken(tx: Tx, jti: string, now: number): Promise<void> {
  const { numUpdatedRows } = await tx.updateTable('token').set((row) => ({ revoked_at: row.fn.coalesce('revoked_at', row.val(now)) })).where('jti', '=', jti).executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new WeirError('object.absent');
  await moveEpochs(tx, [`token:${jti}`]);
}

/** The issuer's own holdings of these contents: nobody shares what somebody else holds. `object.absent`, `content.id`. */
export async function holdingsToShare(tx: Tx, issuer: string, cids: readonly string[]): Promise<readonly SharedHolding[]> {
  const found: SharedHolding[] = [];
  for (const cid of cids) {
    const row = await tx.selectFrom('holding').select(['id', 'cid']).where('owner', '=', issuer).where('digest', '=', parseCid(cid).digest).where('deleted_at', 'is', null).executeTakeFirst();
    if (row === undefined) throw new WeirError('object.absent', `"${issuer}" holds no content ${cid.slice(0, 100)}, so no token of that issuer can open it.`);
    found.push({ holding: row.id, cid: row.cid });
  }
  return found;
}

/** Revokes every token of a principal that still holds, and leaves its sessions; returns how many. */
export async function revokeTokensOf(tx: Tx, principal: string, now: number): Promise<number> {
  const revoked = await tx.updateTable('token').set({ revoked_at: now }).where('principal', '=', principal).where('revoked_at', 'is', null)
    .where('expires_at', '>', now).returning('jti').execute();
  await moveEpochs(tx, revoked.map(({ jti }) => `token:${jti}`));
  return revoked.length;
}

/** Newest first; `before` is the id of the last token of the page before. Expired ones stay for a day. */
export async function listTokens(db: Database, principal: string, page: { before?: string | undefined; limit: number }): Promise<TokenRow[]> {
  return db.selectFrom('token').selectAll().where('principal', '=', principal).$if(page.before !== undefined, (q) => q.where('jti', '<', page.before ?? ''))
    .orderBy('jti', 'desc').limit(page.limit).execute();
}

/** Ends every token and session of a principal, whatever node they are used at. */
export async function endEverything(tx: Tx, principal: string, now: number): Promise<void> {
  const { numUpdatedRows } = await tx.updateTable('principal').set({ tokens_valid_from: now + 1_000 }).where('id', '=', principal).executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new WeirError('principal.absent');
  const sessions = await tx.updateTable('login_session').set({ ended_at: now }).where('principal', '=', principal).where('ended_at', 'is', null).returning('id').execute();
  await tx.updateTable('token').set({ revoked_at: now }).where('principal', '=', principal).where('revoked_at', 'is', null).where('expires_at', '>', now).execute();
  await moveEpochs(tx, [`principal:${principal}`, ...sessions.map(({ id }) => `session:${id}`)]);
}
