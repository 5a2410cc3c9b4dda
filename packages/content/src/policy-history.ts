/** Changes of a holding's policy, and what it was before: one row for each change, written in the transaction of the change. */
import { WeirError } from '@weir/contracts/errors';
import type { Database, Schema, Tx } from '@weir/data/schema';
import type { Selectable } from 'kysely';
import { setPolicy, type HoldingRow } from './holdings.ts';

export type PolicyChange = Selectable<Schema['policy_change']>;

/** So many changes of one holding are remembered; older ones are dropped as new ones come. */
const mostRemembered = 1_000;

/** The version of a holding's policy: how often it was changed. */
export async function policyVersion(db: Database, holding: string): Promise<number> {
  const row = await db.selectFrom('policy_change').select('version').where('holding', '=', holding).orderBy('version', 'desc').limit(1).executeTakeFirst();
  return row?.version ?? 0;
}

/**
 * Gives a holding another policy (JSON of a `Policy`; null leaves it to its owner) and remembers the old one. Returns the version that it has
 * now, which stays when nothing changed. Running streams are decided anew. `object.absent`.
 */
export async function changePolicy(
  tx: Tx, { id, policy: before }: Pick<HoldingRow, 'id' | 'policy'>, after: string | null, { by, now }: Readonly<{ by: string; now: number }>,
): Promise<number> {
  const version = await policyVersion(tx, id);
  if (before === after) return version;
  await setPolicy(tx, id, after);
  await tx.insertInto('policy_change').values({ holding: id, version: version + 1, at: now, principal: by, policy_before: before, policy_after: after }).execute();
  await tx.deleteFrom('policy_change').where('holding', '=', id).where('version', '<=', version + 1 - mostRemembered).execute();
  return version + 1;
}

/** A page of changes, newest first; `before` is the version that the page before ended with. */
export async function listPolicyChanges(db: Database, holding: string, page: Readonly<{ before?: number | undefined; limit: number }>): Promise<PolicyChange[]> {
  return db.selectFrom('policy_change').selectAll().where('holding', '=', holding)
    .$if(page.before !== undefined, (query) => query.where('version', '<', page.before ?? 0))
    .orderBy('version', 'desc').limit(page.limit).execute();
}

/** The policy as version `version` left it; version 0 is the one that the holding began with. `object.absent` for a version that is not remembered. */
export async function policyAt(db: Database, { id, policy }: Pick<HoldingRow, 'id' | 'policy'>, version: number): Promise<string | null> {
  const changes = await db.selectFrom('policy_change').selectAll().where('holding', '=', id).where('version', 'in', [version, version + 1]).execute();
  const made = changes.find((change) => change.version === version);
  const next = changes.find((change) => change.version === version + 1);
  if (made !== undefined) return made.policy_after;
  if (next !== undefined) return next.policy_before;
  if (version === 0 && await policyVersion(db, id) === 0) return policy;
  throw new WeirError('object.absent', 'There is no such version of this policy; its history lists them.');
}
