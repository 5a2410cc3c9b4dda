/** How far each webhook has come in the audit log, and whether it works. There is no outbox: the log itself is what waits. */
import type { Selectable } from 'kysely';
import type { AuditRow } from './audit-log.ts';
import type { Database, Schema, Tx } from './schema.ts';

export type WebhookRow = Selectable<Schema['audit_webhook']>;

/** Forgets hooks that are no longer configured, and gives the others another try; a new one begins with what happens from now on. */
export async function registerWebhooks(tx: Tx, names: readonly string[], now: number): Promise<void> {
  const known = await tx.selectFrom('audit_webhook').select('name').execute();
  const gone = known.map(({ name }) => name).filter((name) => !names.includes(name));
  if (gone.length > 0) {
    await tx.deleteFrom('audit_webhook').where('name', 'in', gone).execute();
    await tx.deleteFrom('audit_reader').where('name', 'in', gone).execute();
  }
  await tx.updateTable('audit_webhook').set({ failures: 0, failing_since: null, dead_at: null }).execute();
  for (const name of names.filter((each) => !known.some((row) => row.name === each))) {
    await tx.insertInto('audit_webhook').values({ name, owner: '', lease_until: 0, failures: 0, failing_since: null, dead_at: null, last_error: '', delivered_at: null }).execute();
    const heads = await tx.selectFrom('audit_chain').select(['writer', 'sequence']).execute();
    for (const { writer, sequence } of heads) await tx.insertInto('audit_reader').values({ name, writer, sequence, at: now }).execute();
  }
}

/** The hook, if `owner` is the one who delivers to it until `leaseUntil`: of several nodes only one does. */
export async function claimWebhook(tx: Tx, name: string, owner: string, now: number, leaseUntil: number): Promise<WebhookRow | undefined> {
  return tx.updateTable('audit_webhook').set({ owner, lease_until: leaseUntil }).where('name', '=', name)
    .where((row) => row.or([row('owner', '=', owner), row('lease_until', '<', now)])).returningAll().executeTakeFirst();
}

/** Another node need not wait for the lease to end. */
export async function releaseWebhook(tx: Tx, name: string, owner: string): Promise<void> {
  await tx.updateTable('audit_webhook').set({ lease_until: 0 }).where('name', '=', name).where('owner', '=', owner).execute();
}

/** Events that a hook has not had, of one chain, in order, and `upTo`: where it stands when they are done with. Undefined when there are none. */
export async function undelivered(db: Database, name: string, limit: number): Promise<Readonly<{ writer: string; rows: readonly AuditRow[]; upTo: number }> | undefined> {
  const chain = await db.selectFrom('audit_chain')
    .leftJoin('audit_reader', (join) => join.onRef('audit_reader.writer', '=', 'audit_chain.writer').on('audit_reader.name', '=', name))
    .select(['audit_chain.writer', 'audit_chain.sequence as head', 'audit_reader.sequence as mark'])
    .where((row) => row('audit_chain.sequence', '>', row.fn.coalesce('audit_reader.sequence', row.lit(0)))).orderBy('audit_chain.writer').limit(1).executeTakeFirst();
  if (chain === undefined) return undefined;
  const rows = await db.selectFrom('audit_event').selectAll().where('writer', '=', chain.writer).where('sequence', '>', chain.mark ?? 0).orderBy('sequence').limit(limit).execute();
  // What retention removed before it was delivered is passed over.
  return { writer: chain.writer, rows, upTo: rows.at(-1)?.sequence ?? chain.head };
}

/** Everything of this chain up to `sequence` was delivered or is not meant for this hook. */
export async function advanceWebhook(tx: Tx, name: string, writer: string, sequence: number, at: number): Promise<void> {
  await tx.insertInto('audit_reader').values({ name, writer, sequence, at })
    .onConflict((c) => c.columns(['name', 'writer']).doUpdateSet({ sequence, at })).execute();
}

export async function noteWebhookSuccess(tx: Tx, name: string, now: number): Promise<void> {
  await tx.updateTable('audit_webhook').set({ failures: 0, failing_since: null, last_error: '', delivered_at: now }).where('name', '=', name).execute();
}

/** Counts a failure; true when the hook is given up by it: it has failed since before `deadBefore`. */
export async function noteWebhookFailure(tx: Tx, name: string, error: string, now: number, deadBefore: number): Promise<boolean> {
  const row = await tx.updateTable('audit_webhook').set((hook) => ({
    failures: hook('failures', '+', 1), failing_since: hook.fn.coalesce('failing_since', hook.val(now)), last_error: error.slice(0, 300),
  })).where('name', '=', name).returning('failing_since').executeTakeFirst();
  if (row?.failing_since === undefined || row.failing_since === null || row.failing_since > deadBefore) return false;
  await tx.updateTable('audit_webhook').set({ dead_at: now }).where('name', '=', name).execute();
  return true;
}
