/** Tokens: issued narrowed, listed, revoked; what the caller may do. */
import { WeirError } from '@weir/contracts/errors';
import { ListQuery, page, Permissions, PrincipalId, toInstant, Token, TokenReply, TokenRequest, Ulid } from '@weir/contracts/identity';
import { readShared, readStrings } from '@weir/data/security-stores/identity-store';
import { holdingsToShare, issueToken, listTokens, revokeToken, revokeTokensOf, type TokenRow } from '@weir/data/security-stores/tokens';
import type { Identity } from '@weir/security/identity';
import { permissions } from '@weir/security/roles';
import { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { route } from '../route.ts';

export const routes = [
  route({
    method: 'POST', path: '/api/v1/tokens', action: 'token.issue_own', body: TokenRequest, reply: TokenReply, status: 201,
    resource: () => ({ kind: 'own' }), summary: 'A token for yourself, or (with issue_tokens) for another principal, narrowed as asked',
  }, async ({ app, admission, principal, body, address, requestId }) => {
    const { identity } = admission;
    const forOther = body.principal !== undefined && body.principal !== principal;
    const admitted = forOther
      ? await app.gatekeeper.admit({ identity, action: 'token.issue', resource: { kind: 'none' }, address, requestId }) : admission;
    const secondsLeft = Math.floor((identity.expiresAtMs - app.clock()) / 1_000);
    if (identity.via === 'token' && body.expires_in > secondsLeft) {
      throw new WeirError('role.exceeds', `A token that comes of a token can not outlive it; ask for an expires_in of at most ${secondsLeft}.`);
    }
    // A caller whose own token is narrow hands on no more than that token carries.
    const target = await app.gatekeeper.identities.principal(body.principal ?? principal);
    const narrowed = body.permissions ?? (body.role === undefined && identity.via === 'token' ? [...identity.effective].filter((permission) => target?.rights.has(permission)) : undefined);
    if (body.cid_access !== undefined) await app.gatekeeper.admit({ identity, action: 'grant.create', resource: { kind: 'own' }, address, requestId });
    const issued = await app.data.write(async (tx) => {
      const token = await issueToken(tx, { issuer: app.tokenAudience, audience: app.tokenAudience, key: app.signing.access.signing, roles: app.roles }, {
        principal: body.principal ?? principal, issuer: principal, role: body.role, permissions: narrowed, expiresInSeconds: body.expires_in,
        sessionId: forOther ? undefined : identity.sessionId, shared: await holdingsToShare(tx, principal, body.cid_access ?? []),
      }, { now: app.clock(), ceiling: identity.effective });
      await app.audit.record(tx, changeEntry(admitted, `token:${token.jti}`, requestId, `for ${body.principal ?? principal}`));
      return token;
    });
    return { token: issued.token, jti: issued.jti, principal: body.principal ?? principal, expires_at: toInstant(issued.expiresAtMs) };
  }),

  route({
    method: 'GET', path: '/api/v1/tokens', action: 'token.list', query: z.strictObject({ ...ListQuery, owner: PrincipalId.optional() }), reply: page(Token),
    resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'Your tokens, newest first; with access_all_objects also those of another principal',
  }, async ({ app, principal, query }) => {
    const rows = await listTokens(app.data.read, query.owner ?? principal, { before: query.cursor, limit: query.limit });
    return { items: rows.map(toWire), next_cursor: rows.length === query.limit ? (rows.at(-1)?.jti ?? null) : null };
  }),

  route({
    method: 'DELETE', path: '/api/v1/tokens', action: 'token.revoke', query: z.strictObject({ owner: PrincipalId.optional() }), reply: z.strictObject({ revoked: z.int() }),
    resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'Revoke all tokens of yours (or of `owner`) everywhere; sessions stay',
  }, async ({ app, admission, principal, query, requestId }) => {
    const owner = query.owner ?? principal;
    const revoked = await app.audit.reduce((tx) => revokeTokensOf(tx, owner, app.clock()), (count) => changeEntry(admission, `principal:${owner}`, requestId, `${count} tokens revoked`));
    await app.gatekeeper.epochs.refresh();
    return { revoked };
  }),

  route({
    method: 'DELETE', path: '/api/v1/tokens/:jti', action: 'token.revoke', parameters: z.strictObject({ jti: Ulid }),
    resource: ({ jti }) => ({ kind: 'object', type: 'token', id: jti }), summary: 'Revoke a token everywhere',
  }, async ({ app, admission, parameters, requestId }) => {
    await app.audit.reduce((tx) => revokeToken(tx, parameters.jti, app.clock()), changeEntry(admission, `token:${parameters.jti}`, requestId));
    await app.gatekeeper.epochs.refresh();
  }),

  route({
    method: 'GET', path: '/api/v1/permissions', action: 'permissions.read_own', reply: Permissions, summary: 'Who you are here and what you may do',
  }, ({ admission }) => ownPermissions(admission.identity)),
];

const toWire = (row: TokenRow): z.input<typeof Token> => ({
  jti: row.jti, principal: row.principal, issuer: row.issuer, role: row.role, permissions: row.permissions === null ? null : readStrings(row.permissions),
  cid_access: row.holdings === null ? [] : readShared(row.holdings).map(({ cid }) => cid), session_id: row.session,
  issued_at: toInstant(row.issued_at), expires_at: toInstant(row.expires_at), revoked: row.revoked_at !== null,
});

type Shown = Readonly<z.input<typeof Permissions>>;
/** By the set of permissions, which is one object as long as nothing moved: pages and programs ask this often. */
const shown = new WeakMap<ReadonlySet<string>, Shown>();

function ownPermissions({ authenticated, principal, role, effective }: Identity): Shown {
  const known = shown.get(effective);
  const name = authenticated ? (principal ?? null) : null;
  if (known !== undefined && known.principal === name && known.role === role) return known;
  const fresh = Object.freeze({ principal: name, role, permissions: Object.fromEntries(permissions.map((permission) => [permission, effective.has(permission)])) });
  shown.set(effective, fresh);
  return fresh;
}
