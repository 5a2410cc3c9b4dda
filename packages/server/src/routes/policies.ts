/** Policies of the caller's own holdings. */
import { findHolding, setPolicy, type HoldingRow } from '@weir/content/holdings';
import { CidText } from '@weir/contracts/content';
import { WeirError } from '@weir/contracts/errors';
import { PrincipalId } from '@weir/contracts/identity';
import { Policy } from '@weir/contracts/policies';
import type { Database, Tx } from '@weir/data/schema';
import { parseCid } from '@weir/security/content-id';
import { readPolicy } from '@weir/security/policies';
import { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { route } from '../route.ts';

const ByCid = z.strictObject({ cid: CidText });
const OfOwner = z.strictObject({ owner: PrincipalId.optional() });

export const routes = [
  route({
    method: 'GET', path: '/api/v1/policies/:cid', action: 'policy.read', parameters: ByCid, query: OfOwner, reply: Policy,
    resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'The policy of your holding; 404 while it has none (owner only)',
  }, async ({ app, principal, parameters, query }) => {
    const policy = readPolicy((await held(app.data.read, query.owner ?? principal, parameters.cid)).policy);
    if (policy === undefined) throw new WeirError('object.absent', 'This content has no policy: only its owner may use it.');
    return policy;
  }),

  route({
    method: 'PUT', path: '/api/v1/policies/:cid', action: 'policy.write', parameters: ByCid, body: Policy, reply: Policy,
    resource: () => ({ kind: 'own' }), summary: 'Set who may use your holding; running streams are decided anew',
  }, async ({ app, admission, principal, parameters, body, requestId }) => {
    const row = await app.data.write(async (tx) => {
      const holding = await held(tx, principal, parameters.cid);
      if (body.level === 'encrypted' && holding.data_key === null) {
        throw new WeirError('request.conflict', 'This content is stored plain, so it can not be called encrypted. Upload it again with [streaming_security.encryption] enabled = true.');
      }
      await app.audit.record(tx, changeEntry(admission, `holding:${holding.id}`, requestId, `level ${body.level}`));
      return setPolicy(tx, holding.id, JSON.stringify(body));
    });
    await app.gatekeeper.epochs.refresh();
    return readPolicy(row.policy) ?? body;
  }),
];

async function held(db: Database | Tx, owner: string, cid: string): Promise<HoldingRow> {
  const holding = await findHolding(db, owner, parseCid(cid).digest);
  if (holding === undefined) throw new WeirError('object.absent');
  return holding;
}
