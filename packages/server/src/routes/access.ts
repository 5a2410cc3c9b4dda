/** Why somebody may or may not do something, what a principal or role can do, who may read a content. */
import { findHolding } from '@weir/content/holdings';
import { AbilitiesQuery, Ability, Explanation, ExplainRequest, Readers } from '@weir/contracts/access';
import { WeirError } from '@weir/contracts/errors';
import { CidText, page, PrincipalId } from '@weir/contracts/identity';
import { parseCid } from '@weir/security/content-id';
import { z } from 'zod';
import { abilitiesOf, explainAccess, readersOf } from '../explain.ts';
import { route } from '../route.ts';

export const routes = [
  route({
    method: 'POST', path: '/api/v1/access/explain', action: 'policy.read', body: ExplainRequest, reply: Explanation, resource: () => ({ kind: 'own' }),
    summary: 'Whether somebody may do something, clause by clause: who may read content of yours; with manage_users, anything',
  }, async ({ app, admission: { identity }, principal, body, address, requestId }) => {
    const about = { identity, action: 'role.read', resource: { kind: 'none' }, address, requestId } as const;
    if ((await app.gatekeeper.explain(about)).allowed) return explainAccess(app, body, requestId);
    const own = body.action === 'content.read' && body.object !== undefined ? await findHolding(app.data.read, principal, parseCid(body.object).digest) : undefined;
    if (own === undefined) await app.gatekeeper.admit(about);
    return explainAccess(app, body, requestId, own);
  }),

  route({
    method: 'GET', path: '/api/v1/access/actions', action: 'role.read', query: AbilitiesQuery, reply: page(Ability),
    summary: 'What a principal or a role can do: every action, and whose objects it reaches',
  }, async ({ app, query, requestId }) => ({ items: await abilitiesOf(app, query, requestId), next_cursor: null })),

  route({
    method: 'GET', path: '/api/v1/policies/:cid/readers', action: 'policy.read', parameters: z.strictObject({ cid: CidText }), query: z.strictObject({ owner: PrincipalId.optional() }),
    reply: Readers, resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'Who may read your holding: owner, users, roles and how many have them, live links',
  }, async ({ app, principal, parameters, query }) => {
    const holding = await findHolding(app.data.read, query.owner ?? principal, parseCid(parameters.cid).digest);
    if (holding === undefined) throw new WeirError('object.absent');
    return readersOf(app, holding);
  }),
];
