/** The rows of workers: what each can do, when it was last heard of, and whether it may be given work. */
import { sql, type Kysely, type Selectable } from 'kysely';
import { z } from 'zod';
import { toInstant } from '@weir/contracts/identity';
import { Capabilities, JobClass, type Worker, type WorkerMessage } from '@weir/contracts/workers';
import type { Schema, Tx } from '@weir/data/schema';
import type { Context } from './context.ts';

export type Hello = Extract<WorkerMessage, { type: 'hello' }>;
type WorkerRow = Selectable<Schema['worker']>;

/** Different jobs in a row after which a worker gets no more work until an operator looks. */
const failuresToQuarantine = 3;

/** `offers` repeats the classes as `class:NAME`, the form that the claim statement looks for in the text. */
const Stored = z.strictObject({ ...Capabilities.shape, offers: z.array(z.string()) });
const Labels = z.record(z.string(), z.string());
const Failures = z.array(z.string());

export async function registerWorker(tx: Tx, worker: string, hello: Hello, now: number): Promise<void> {
  const facts = {
    capabilities: JSON.stringify({ ...hello.capabilities, offers: hello.classes.map((name) => `class:${name}`) }),
    slots: hello.slots, labels: JSON.stringify(hello.labels), connected: 1, last_seen_at: now,
  };
  await tx.insertInto('worker').values({ id: worker, ...facts, draining: 0, quarantined: 0, failures_in_row: '[]', created_at: now })
    .onConflict((c) => c.column('id').doUpdateSet(facts)).execute();
}

export async function workerHeard(tx: Tx, worker: string, now: number): Promise<void> {
  await tx.updateTable('worker').set({ last_seen_at: now, connected: 1 }).where('id', '=', worker).execute();
}

export async function workerGone(tx: Tx, worker: string, now: number): Promise<void> {
  await tx.updateTable('worker').set({ connected: 0, last_seen_at: now }).where('id', '=', worker).execute();
}

/** A draining worker finishes what it has and gets nothing new. */
export async function setDraining(tx: Tx, worker: string, draining: boolean): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('worker').set({ draining: draining ? 1 : 0 }).where('id', '=', worker).executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Lets a quarantined worker take jobs again. */
export async function releaseFromQuarantine(tx: Tx, worker: string): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('worker').set({ quarantined: 0, failures_in_row: '[]' }).where('id', '=', worker).executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Counts a failed job; true when the worker is quarantined by this very failure. */
export async function noteFailure(tx: Tx, worker: string, job: string): Promise<boolean> {
  const row = await tx.selectFrom('worker').select(['failures_in_row', 'quarantined']).where('id', '=', worker).executeTakeFirst();
  if (row === undefined) return false;
  const failures = [...new Set([...Failures.parse(JSON.parse(row.failures_in_row)), job])].slice(-failuresToQuarantine);
  const quarantined = failures.length >= failuresToQuarantine;
  await tx.updateTable('worker').set({ failures_in_row: JSON.stringify(failures), quarantined: quarantined ? 1 : row.quarantined })
    .where('id', '=', worker).execute();
  return quarantined && row.quarantined === 0;
}

/** Counts a failed job against a worker; that it is quarantined by this one is audited. */
export async function blameWorker({ record }: Pick<Context, 'record'>, tx: Tx, worker: string, job: string): Promise<void> {
  if (await noteFailure(tx, worker, job)) await record(tx, { action: 'worker.quarantine', principal: 'weir', worker, job, reason: `${failuresToQuarantine} jobs failed on it in a row, the last ${job}` });
}

export async function noteSuccess(tx: Tx, worker: string): Promise<void> {
  await tx.updateTable('worker').set({ failures_in_row: '[]' }).where('id', '=', worker).where('failures_in_row', '<>', '[]').execute();
}

export async function listWorkers(db: Kysely<Schema>): Promise<Worker[]> {
  const rows = await db.selectFrom('worker').selectAll('worker').select(sql<number>`(select count(*) from job
    where job.worker = worker.id and job.state in ('assigned', 'running', 'canceling'))`.as('active')).orderBy('worker.id').limit(1_000).execute();
  return rows.map(toWire);
}

function toWire(row: WorkerRow & { active: number }): Worker {
  const { offers, ...capabilities } = Stored.parse(JSON.parse(row.capabilities));
  return {
    worker: row.id, connected: row.connected === 1, draining: row.draining === 1, quarantined: row.quarantined === 1, slots: row.slots,
    classes: z.array(JobClass).parse(offers.map((offer) => offer.slice('class:'.length))), labels: Labels.parse(JSON.parse(row.labels)), capabilities,
    active_jobs: Number(row.active), last_seen_at: toInstant(row.last_seen_at), created_at: toInstant(row.created_at),
  };
}
