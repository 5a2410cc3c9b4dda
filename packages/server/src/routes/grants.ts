/** Links to the caller's own holdings: made, narrowed by whoever has one, listed, taken back. */
import { findHolding, holdingById } from '@weir/content/holdings';
import { WeirError } from '@weir/contracts/errors';
import { CidText, ListQuery, page, PrincipalId, toInstant, Ulid } from '@weir/contracts/identity';
import { Grant, GrantNarrowing, GrantReply, GrantRequest, GrantsRevoked, GrantState, GrantVerb } from '@weir/contracts/policies';
import {
  createGrant, listGrants, narrowGrant, revokeGrant, revokeGrantsOf, stateOfGrant, type GrantRow, type GrantSigner, type MadeGrant,
} from '@weir/data/security-stores/grants';
import { readStrings } from '@weir/data/security-stores/identity-store';
import { parseCid } from '@weir/security/content-id';
import { z } from 'zod';
import type { App } from '../app.ts';
import { changeEntry } from '../audit-trail.ts';
import { route } from '../route.ts';
import { countingRefusals } from '../serve-route.ts';

const ListOfGrants = z.strictObject({
  ...ListQuery, cid: CidText.optional(), owner: PrincipalId.optional(), state: GrantState.optional(), parent: Ulid.optional(), principal: PrincipalId.optional(),
});
/** Without `cid` all of the owner's, which `all=1` says is meant. */
const WhichGrants = z.strictObject({ cid: CidText.optional(), all: z.enum(['1']).optional(), owner: PrincipalId.optional() })
  .refine(({ cid, all }) => (cid === undefined) !== (all === undefined), 'name a cid, or say all=1');

export const routes = [
  route({
    method: 'POST', path: '/api/v1/grants', action: 'grant.create', body: GrantRequest, reply: GrantReply, status: 201,
    resource: () => ({ kind: 'own' }), summary: 'Make a link that lets its holder read one content of yours',
  }, async ({ app, admission, principal, body, requestId }) => toReply(app, await app.data.write(async (tx) => {
    const holding = body.cid === undefined ? await holdingById(tx, body.library_id ?? '') : await findHolding(tx, principal, parseCid(body.cid).digest);
    if (holding === undefined || holding.owner !== principal) throw new WeirError('object.absent');
    const grant = await createGrant(tx, signerOf(app), {
      issuer: principal, holding: holding.id, cid: holding.cid, verbs: body.verbs, principal: body.principal, networks: body.networks, uses: body.uses,
      validFromMs: body.valid_from === undefined ? undefined : Date.parse(body.valid_from), expiresInSeconds: body.expires_in,
    }, app.clock());
    await app.audit.record(tx, changeEntry(admission, `grant:${grant.id}`, requestId, `holding ${holding.id}`));
    return grant;
  }))),

  route({
    method: 'POST', path: '/api/v1/grants/narrow', action: 'grant.narrow', body: GrantNarrowing, reply: GrantReply, status: 201,
    summary: 'Make a narrower link of one that you have; its token is the evidence, and it ends with the one that it comes of',
  }, async ({ app, admission, body: { grant: token, ...asked }, address, requestId }) => {
    const parent = await countingRefusals(app, { action: 'grant.narrow', address, requestId }, async () => app.gatekeeper.identities.grant(token, address));
    if (parent.principal !== undefined && parent.principal !== admission.identity.principal) {
      throw new WeirError('policy.refused', 'This link is for somebody else; sign in as the person it was made for.');
    }
    return toReply(app, await app.data.write(async (tx) => {
      const grant = await narrowGrant(tx, signerOf(app), parent.id, asked, app.clock());
      await app.audit.record(tx, changeEntry(admission, `grant:${grant.id}`, requestId, `from grant ${parent.id}`));
      return grant;
    }));
  }),

  route({
    method: 'GET', path: '/api/v1/grants', action: 'grant.list', query: ListOfGrants, reply: page(Grant), resource: (_, { owner }) => ({ kind: 'own', owner }),
    summary: 'Links to what is yours, newest first, narrowed ones too; by content, state, parent or the person they are for',
  }, async ({ app, principal, query: { owner = principal, cid, cursor, limit, ...filter } }) => {
    const holding = cid === undefined ? undefined : ((await findHolding(app.data.read, owner, parseCid(cid).digest))?.id ?? '');
    const now = app.clock();
    const rows = await listGrants(app.data.read, owner, { ...filter, holding }, { before: cursor, limit, now });
    return { items: rows.map((row) => toWire(row, now)), next_cursor: rows.length === limit ? (rows.at(-1)?.id ?? null) : null };
  }),

  route({
    method: 'DELETE', path: '/api/v1/grants', action: 'grant.revoke', query: WhichGrants, reply: GrantsRevoked, resource: (_, { owner }) => ({ kind: 'own', owner }),
    summary: 'Take back every link to one content of yours (cid), or to all (all=1); who reads by them now is cut off',
  }, async ({ app, admission, principal, query: { owner = principal, cid }, requestId }) => {
    const { ids } = await app.audit.reduce(async (tx) => {
      const holding = cid === undefined ? undefined : await findHolding(tx, owner, parseCid(cid).digest);
      if (cid !== undefined && holding === undefined) throw new WeirError('object.absent');
      return { holding, ids: await revokeGrantsOf(tx, { issuer: owner, holding: holding?.id }, app.clock()) };
    }, ({ holding, ids: ended }) => changeEntry(admission, holding === undefined ? `principal:${owner}` : `holding:${holding.id}`, requestId, `${ended.length} links`));
    await app.gatekeeper.epochs.refresh();
    return { revoked: ids.length };
  }),

  route({
    method: 'DELETE', path: '/api/v1/grants/:id', action: 'grant.revoke', parameters: z.strictObject({ id: Ulid }),
    resource: ({ id }) => ({ kind: 'object', type: 'grant', id }), summary: 'Take a link back, and all that were narrowed from it; who reads by them now is cut off',
  }, async ({ app, admission, parameters, requestId }) => {
    await app.audit.reduce((tx) => revokeGrant(tx, parameters.id, app.clock()), changeEntry(admission, `grant:${parameters.id}`, requestId));
    await app.gatekeeper.epochs.refresh();
  }),
];

const signerOf = (app: App): GrantSigner => ({ issuer: app.tokenAudience, audience: app.tokenAudience, key: app.signing.grant.signing });

const toReply = (app: App, { id, token, cid, expiresAtMs }: MadeGrant): z.input<typeof GrantReply> =>
  ({ grant_id: id, token, url: `${app.publicUrl()}/api/v1/content/${cid}?grant=${token}`, expires_at: toInstant(expiresAtMs) });

const toWire = (row: GrantRow, now: number): z.input<typeof Grant> => ({
  grant_id: row.id, cid: row.cid, verbs: z.array(GrantVerb).parse(readStrings(row.verbs)), issuer: row.issuer, principal: row.principal, networks: readStrings(row.networks),
  uses_left: row.uses_left, valid_from: toInstant(row.valid_from), expires_at: toInstant(row.expires_at), state: stateOfGrant(row, now), created_at: toInstant(row.created_at), parent: row.parent,
});
