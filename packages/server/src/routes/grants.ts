/** Links to the caller's own holdings: made, listed, taken back. */
import { findHolding, holdingById } from '@weir/content/holdings';
import { WeirError } from '@weir/contracts/errors';
import { CidText, ListQuery, page, PrincipalId, toInstant, Ulid } from '@weir/contracts/identity';
import { Grant, GrantReply, GrantRequest, GrantVerb } from '@weir/contracts/policies';
import { createGrant, listGrants, revokeGrant, type GrantRow } from '@weir/data/security-stores/grants';
import { readStrings } from '@weir/data/security-stores/identity-store';
import { parseCid } from '@weir/security/content-id';
import { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { route } from '../route.ts';

export const routes = [
  route({
    method: 'POST', path: '/api/v1/grants', action: 'grant.create', body: GrantRequest, reply: GrantReply, status: 201,
    resource: () => ({ kind: 'own' }), summary: 'Make a link that lets its holder read one content of yours',
  }, async ({ app, admission, principal, body, requestId }) => {
    const made = await app.data.write(async (tx) => {
      const holding = body.cid === undefined ? await holdingById(tx, body.library_id ?? '') : await findHolding(tx, principal, parseCid(body.cid).digest);
      if (holding === undefined || holding.owner !== principal) throw new WeirError('object.absent');
      const grant = await createGrant(tx, { issuer: app.tokenAudience, audience: app.tokenAudience, key: app.signing.grant.signing }, {
        issuer: principal, holding: holding.id, cid: holding.cid, verbs: body.verbs, principal: body.principal, networks: body.networks, uses: body.uses,
        expiresInSeconds: body.expires_in,
      }, app.clock());
      await app.audit.record(tx, changeEntry(admission, `grant:${grant.id}`, requestId, `holding ${holding.id}`));
      return { ...grant, cid: holding.cid };
    });
    return {
      grant_id: made.id, token: made.token, url: `${app.publicUrl()}/api/v1/content/${made.cid}?grant=${made.token}`, expires_at: toInstant(made.expiresAtMs),
    };
  }),

  route({
    method: 'GET', path: '/api/v1/grants', action: 'grant.list', query: z.strictObject({ ...ListQuery, cid: CidText.optional(), owner: PrincipalId.optional() }),
    reply: page(Grant), resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'Links that you made, newest first',
  }, async ({ app, principal, query }) => {
    const owner = query.owner ?? principal;
    const holding = query.cid === undefined ? undefined : ((await findHolding(app.data.read, owner, parseCid(query.cid).digest))?.id ?? '');
    const rows = await listGrants(app.data.read, owner, { holding, before: query.cursor, limit: query.limit });
    return { items: rows.map(toWire), next_cursor: rows.length === query.limit ? (rows.at(-1)?.id ?? null) : null };
  }),

  route({
    method: 'DELETE', path: '/api/v1/grants/:id', action: 'grant.revoke', parameters: z.strictObject({ id: Ulid }),
    resource: ({ id }) => ({ kind: 'object', type: 'grant', id }), summary: 'Take a link back; who reads by it now is cut off',
  }, async ({ app, admission, parameters, requestId }) => {
    await app.audit.reduce((tx) => revokeGrant(tx, parameters.id, app.clock()), changeEntry(admission, `grant:${parameters.id}`, requestId));
    await app.gatekeeper.epochs.refresh();
  }),
];

const toWire = (row: GrantRow): z.input<typeof Grant> => ({
  grant_id: row.id, cid: row.cid, verbs: z.array(GrantVerb).parse(readStrings(row.verbs)), issuer: row.issuer, principal: row.principal, networks: readStrings(row.networks),
  uses_left: row.uses_left, expires_at: toInstant(row.expires_at), revoked: row.revoked_at !== null, created_at: toInstant(row.created_at),
});
