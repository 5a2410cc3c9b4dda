/** Setting policies: of one holding, and of many in one transaction; each change audited and remembered. */
import { parseCid } from '@weir/security/content-id';
import { findHolding, holdingById, holdingsByFilter, type HoldingRow } from '@weir/content/holdings';
import { changePolicy } from '@weir/content/policy-history';
import { isErrorCode, WeirError } from '@weir/contracts/errors';
import type { LibraryFilter, Policy, PolicyBulk } from '@weir/contracts/policies';
import type { Tx } from '@weir/data/schema';
import { renditionsOf } from '@weir/fleet/renditions';
import type { Admission } from '@weir/security/gatekeeper';
import type { App } from './app.ts';
import { changeEntry } from './audit-trail.ts';
import type { StoredHolding } from './object-store.ts';

export type Change = Readonly<{ app: App; admission: Admission<StoredHolding>; principal: string; requestId: string }>;

/** Holdings that one request may change. */
const mostAtOnce = 1_000;

/** Returns the version that the policy has now. `request.conflict` for a level that the stored bytes do not bear out. */
export async function applyPolicy({ app, admission, principal, requestId }: Change, tx: Tx, holding: HoldingRow, policy: Policy | null): Promise<number> {
  if (policy?.level === 'encrypted' && holding.data_key === null) {
    throw new WeirError('request.conflict', 'This content is stored plain, so it can not be called encrypted. Upload it again with [streaming_security.encryption] enabled = true.');
  }
  await app.audit.record(tx, changeEntry(admission, `holding:${holding.id}`, requestId, policy === null ? 'no policy' : `level ${policy.level}`));
  return changePolicy(tx, holding, policy === null ? null : JSON.stringify(policy), { by: principal, now: app.clock() });
}

/**
 * One policy for all of them or, when one is refused, for none: the error is that of the first refused one, and `refused` names each with its reason.
 * A filter that finds more than 1 000 is `request.invalid`.
 */
export async function applyToAll(change: Change, { cids, filter, policy }: PolicyBulk): Promise<{ cid: string; version: number }[]> {
  const { app, principal } = change;
  const find: readonly Find[] = cids === undefined ? await foundBy(app, principal, filter ?? {}) : cids.map((cid) => ({ name: cid, row: (tx) => findHolding(tx, principal, parseCid(cid).digest) }));
  return app.data.write(async (tx) => {
    const items: { cid: string; version: number }[] = [];
    const refused: { name: string; error: WeirError }[] = [];
    for (const { name, row } of find) {
      try {
        const holding = await row(tx);
        if (holding === undefined) throw new WeirError('object.absent');
        items.push({ cid: holding.cid, version: await applyPolicy(change, tx, holding, policy) });
      } catch (error) {
        // What the database says ends the whole; what is wrong with one of them is told with the others.
        if (!(error instanceof WeirError) || !isReason(error)) throw error;
        refused.push({ name, error });
      }
    }
    const [first] = refused;
    if (first === undefined) return items;
    throw new WeirError(first.error.code, `Nothing was changed: ${refused.length} of ${find.length} were refused. ${first.error.message}`, {
      facts: { refused: refused.map(({ name, error }) => `${name}: ${error.code}: ${error.message}`) },
    });
  });
}

type Find = Readonly<{ name: string; row: (tx: Tx) => Promise<HoldingRow | undefined> }>;

/** What can be wrong with one of several holdings, as against the change as a whole. */
const isReason = ({ code }: WeirError): boolean => isErrorCode(code) && ['object.absent', 'content.id', 'request.conflict'].includes(code);

async function foundBy({ data }: App, owner: string, { renditions_of: source, ...conditions }: LibraryFilter): Promise<readonly Find[]> {
  const original = source === undefined ? undefined : await findHolding(data.read, owner, parseCid(source).digest);
  if (source !== undefined && original === undefined) throw new WeirError('object.absent');
  const among = original && await renditionsOf(data.read, original);
  const found = (await holdingsByFilter(data.read, owner, conditions, among === undefined ? mostAtOnce + 1 : Number.MAX_SAFE_INTEGER)).filter(({ id }) => among?.has(id) ?? true);
  if (found.length > mostAtOnce) throw new WeirError('request.invalid', `The filter finds more than ${mostAtOnce} things; narrow it, or name them by cids in several requests.`);
  return found.map(({ id, cid }) => ({ name: cid, row: (tx) => holdingById(tx, id) }));
}
