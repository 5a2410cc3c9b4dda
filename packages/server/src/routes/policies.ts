/** Policies of the caller's own holdings: read, set, taken away, set for many, and what they were before. */
import { findHolding, type HoldingRow } from '@weir/content/holdings';
import { listPolicyChanges, policyAt, policyVersion, type PolicyChange as ChangeRow } from '@weir/content/policy-history';
import { WeirError } from '@weir/contracts/errors';
import { CidText, ListQuery, page, PrincipalId, toInstant } from '@weir/contracts/identity';
import { Policy, PolicyBulk, PolicyBulkReply, PolicyChange, PolicyRevert, PolicyState } from '@weir/contracts/policies';
import type { Database, Tx } from '@weir/data/schema';
import { parseCid } from '@weir/security/content-id';
import { readPolicy } from '@weir/security/policies';
import { z } from 'zod';
import { applyPolicy, applyToAll } from '../policy-changes.ts';
import { checkPreconditions, versionTag } from '../preconditions.ts';
import { route, type Context } from '../route.ts';

const ByCid = z.strictObject({ cid: CidText });
const OfOwner = z.strictObject({ owner: PrincipalId.optional() });
const HistoryQuery = z.strictObject({ ...ListQuery, cursor: z.coerce.number().int().min(1).optional(), owner: PrincipalId.optional() });

export const routes = [
  route({
    method: 'GET', path: '/api/v1/policies/:cid', action: 'policy.read', parameters: ByCid, query: OfOwner, reply: Policy,
    resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'The policy of your holding, its version as ETag; 404 while it has none (owner only)',
  }, async ({ app, principal, parameters, query, reply }) => {
    const holding = await held(app.data.read, query.owner ?? principal, parameters.cid);
    reply.header('etag', versionTag(await policyVersion(app.data.read, holding.id)));
    const policy = readPolicy(holding.policy);
    if (policy === undefined) throw new WeirError('object.absent', 'This content has no policy: only its owner may use it.');
    return policy;
  }),

  route({
    method: 'PUT', path: '/api/v1/policies/:cid', action: 'policy.write', parameters: ByCid, body: Policy, reply: Policy,
    resource: () => ({ kind: 'own' }), summary: 'Set who may use your holding (If-Match: the version you know); running streams are decided anew',
  }, async (context) => {
    await set(context, async () => context.body);
    return context.body;
  }),

  route({
    method: 'DELETE', path: '/api/v1/policies/:cid', action: 'policy.write', parameters: ByCid, resource: () => ({ kind: 'own' }),
    summary: 'Leave your holding to yourself again',
  }, async (context) => { await set(context, async () => null); }),

  route({
    method: 'GET', path: '/api/v1/policies/:cid/history', action: 'policy.read', parameters: ByCid, query: HistoryQuery, reply: page(PolicyChange),
    resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'Who changed the policy of your holding, when, from what to what; newest first',
  }, async ({ app, principal, parameters, query }) => {
    const { id } = await held(app.data.read, query.owner ?? principal, parameters.cid);
    const rows = await listPolicyChanges(app.data.read, id, { before: query.cursor, limit: query.limit });
    return { items: rows.map(toWire), next_cursor: rows.length === query.limit ? String(rows.at(-1)?.version) : null };
  }),

  route({
    method: 'POST', path: '/api/v1/policies/:cid/revert', action: 'policy.write', parameters: ByCid, body: PolicyRevert, reply: PolicyState,
    resource: () => ({ kind: 'own' }), summary: 'Set the policy to what an earlier version of it said; 0 is what it began with',
  }, async (context) => set(context, async (tx, holding) => readPolicy(await policyAt(tx, holding, context.body.version)) ?? null)),

  route({
    method: 'POST', path: '/api/v1/policies/bulk', action: 'policy.write', body: PolicyBulk, reply: PolicyBulkReply, resource: () => ({ kind: 'own' }),
    summary: 'Set one policy (or null) for up to 1000 holdings of yours, by content id or filter: all of them or none',
  }, async (context) => {
    const items = await applyToAll(context, context.body);
    await context.app.gatekeeper.epochs.refresh();
    return { items };
  }),
];

/** Changes one policy to what `next` says, if the caller knows the present one. The answer carries the new version as ETag. */
async function set(
  context: Context<z.output<typeof ByCid>, unknown, unknown>, next: (tx: Tx, holding: HoldingRow) => Promise<Policy | null>,
): Promise<{ policy: Policy | null; version: number }> {
  const { app, principal, parameters, incoming, reply } = context;
  const changed = await app.data.write(async (tx) => {
    const holding = await held(tx, principal, parameters.cid);
    checkPreconditions(incoming.headers, { version: await policyVersion(tx, holding.id), exists: holding.policy !== null });
    const policy = await next(tx, holding);
    return { policy, version: await applyPolicy(context, tx, holding, policy) };
  });
  await app.gatekeeper.epochs.refresh();
  reply.header('etag', versionTag(changed.version));
  return changed;
}

async function held(db: Database | Tx, owner: string, cid: string): Promise<HoldingRow> {
  const holding = await findHolding(db, owner, parseCid(cid).digest);
  if (holding === undefined) throw new WeirError('object.absent');
  return holding;
}

const toWire = (row: ChangeRow): z.input<typeof PolicyChange> => ({
  version: row.version, at: toInstant(row.at), principal: row.principal, before: readPolicy(row.policy_before) ?? null, after: readPolicy(row.policy_after) ?? null,
});
