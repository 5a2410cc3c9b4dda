/** Why somebody may or may not do something, what a principal or role can do, who may read a content; the roles, and where a request comes from. */
import { findHolding } from '@weir/content/holdings';
import { AbilitiesQuery, Ability, Explanation, ExplainRequest, Readers, Role, SeenAddress } from '@weir/contracts/access';
import { WeirError } from '@weir/contracts/errors';
import { CidText, page, PrincipalId } from '@weir/contracts/identity';
import { countPrincipalsOfRoles } from '@weir/data/security-stores/principals';
import { parseCid } from '@weir/security/content-id';
import { builtinRoles } from '@weir/security/roles';
import { z } from 'zod';
import { abilitiesOf, explainAccess, readersOf } from '../explain.ts';
import { trustedProxies } from '../proxy-claim.ts';
import { route } from '../route.ts';
import { peerOf, unixPeer } from '../unix-socket.ts';

const maxShownHeader = 2_048;

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

  route({
    method: 'GET', path: '/api/v1/roles', action: 'role.read', reply: page(Role), summary: 'Every role with its permissions and allowlists, and how many have it',
  }, async ({ app }) => {
    const counts = await countPrincipalsOfRoles(app.data.read, [...app.roles.keys()]);
    const items = [...app.roles.values()].map((role) => ({
      role: role.name, builtin: builtinRoles.get(role.name) === role, permissions: [...role.permissions], principals: counts.get(role.name) ?? 0,
      allowed_samples: [...role.allowed.allowed_samples.patterns], allowed_nodes: [...role.allowed.allowed_nodes.patterns],
      allowed_plugins: [...role.allowed.allowed_plugins.patterns], allowed_assets: [...role.allowed.allowed_assets.patterns],
    }));
    return { items, next_cursor: null };
  }),

  route({
    method: 'GET', path: '/api/v1/access/address', action: 'config.read', reply: SeenAddress, summary: 'Where the server sees this request come from, and whose forwarding headers it believes',
  }, ({ app: { config, proxies }, address, incoming }) => {
    const peer = peerOf(incoming.socket) ?? address;
    const forwarded = incoming.headers['x-forwarded-for'];
    return {
      address, peer, forwarded_for: forwarded === undefined ? null : String(forwarded).slice(0, maxShownHeader), forwarded_counts: peer === unixPeer || proxies.proxies.contains(peer),
      trusted_proxies: [...trustedProxies(config)], behind_proxy: config.server.behind_proxy, tls: config.server.tls,
      role_header: config.permissions.role_header ?? null, user_header: config.permissions.user_header ?? null,
    };
  }),
];
