/**
 * The rows of jobs. Every change is one conditional statement that names the states it may leave, and what an attempt
 * says is believed only with its fence, so that any number of coordinators and late workers can race and one of them wins.
 */
import { sql, type Kysely, type Selectable } from 'kysely';
import { z } from 'zod';
import { isPostgres } from '@weir/data/engine';
import { WeirError } from '@weir/contracts/errors';
import { noProgress, type JobState } from '@weir/contracts/jobs';
import type { JobClass } from '@weir/contracts/workers';
import type { Schema, Tx } from '@weir/data/schema';

export type JobRow = Selectable<Schema['job']>;
export type OutputRow = Selectable<Schema['job_output']>;
type Db = Kysely<Schema>;
const Names = z.array(z.string());

/** Who speaks: one attempt, by its job, its fence and the worker that was given it. */
export type Attempt = Readonly<{ job: string; fence: number; worker: string }>;
export type Failure = Readonly<{ code: string; message: string }>;

export type NewJob = Pick<JobRow, 'id' | 'owner' | 'recipe' | 'class' | 'specification' | 'labels' | 'priority' | 'max_attempts' | 'idempotency_key' | 'request_digest'>;

/** States in which a worker holds the job. */
const held: readonly JobState[] = ['assigned', 'running', 'canceling'];
const unfinished: readonly JobState[] = ['queued', ...held, 'verifying'];

/**
 * Stores a job as `queued`. The same owner, key and request give the job of the first call.
 * Errors: `request.repeated` when the key belongs to another request, `job.queue_full` beyond `limit` unfinished jobs of the owner.
 */
export async function insertJob(tx: Tx, job: NewJob, limit: number, now: number): Promise<JobRow> {
  const earlier = await findByKey(tx, job);
  if (earlier !== undefined) return sameRequest(earlier, job);
  const { count } = await tx.selectFrom('job').select((e) => e.fn.countAll<number>().as('count'))
    .where('owner', '=', job.owner).where('state', 'in', unfinished).executeTakeFirstOrThrow();
  if (Number(count) >= limit) throw new WeirError('job.queue_full');
  const row = await tx.insertInto('job').values({
    ...job, state: 'queued', attempt: 0, worker: null, fence: 0, lease_until: null, excluded_workers: '[]', not_before: now, cancel_requested: 0,
    progress: JSON.stringify(noProgress), outputs: '[]', error: null, created_at: now, started_at: null, finished_at: null, progress_at: null,
  }).onConflict((c) => c.doNothing()).returningAll().executeTakeFirst();
  if (row !== undefined) return row;
  const winner = await findByKey(tx, job);
  if (winner === undefined) throw new WeirError('internal');
  return sameRequest(winner, job);
}

async function findByKey(db: Db, { owner, idempotency_key: key }: NewJob): Promise<JobRow | undefined> {
  if (key === null) return undefined;
  return await db.selectFrom('job').selectAll().where('owner', '=', owner).where('idempotency_key', '=', key).executeTakeFirst();
}

function sameRequest(earlier: JobRow, { request_digest: digest }: NewJob): JobRow {
  if (earlier.request_digest !== digest) throw new WeirError('request.repeated');
  return earlier;
}

/**
 * Takes up to `slots` queued jobs for a worker: highest priority first, then of the owner who has the fewest running, then oldest.
 * A worker that failed a job does not get it again while another live worker is there. One statement; PostgreSQL skips rows
 * that another coordinator is claiming. `now` in milliseconds; a worker counts as live when it was heard of after `liveAfter`.
 */
export async function claimJobs(
  tx: Tx, offer: Readonly<{ worker: string; classes: readonly JobClass[]; slots: number }>, now: number, leaseUntil: number, liveAfter: number,
): Promise<JobRow[]> {
  if (offer.slots < 1 || offer.classes.length === 0) return [];
  return await tx
    .with('busy', (q) => q.selectFrom('job').select(['owner', (e) => e.fn.countAll<number>().as('running')])
      .where('state', 'in', [...held, 'verifying']).groupBy('owner'))
    .with('next', (q) => q.selectFrom('job').leftJoin('busy', 'busy.owner', 'job.owner').select('job.id')
      .where('job.state', '=', 'queued').where('job.class', 'in', offer.classes).where('job.not_before', '<=', now)
      .where(sql<boolean>`exists (select 1 from worker as me where me.id = ${offer.worker} and me.draining = 0 and me.quarantined = 0)`)
      .where(mayTake(offer.worker, liveAfter))
      .orderBy('job.priority', 'desc').orderBy(sql`coalesce(busy.running, 0)`).orderBy('job.id').limit(offer.slots)
      .$if(isPostgres(tx), (s) => s.forUpdate('job').skipLocked()))
    .updateTable('job').where('id', 'in', (e) => e.selectFrom('next').select('next.id'))
    .set((e) => ({
      state: 'assigned', worker: offer.worker, attempt: e('attempt', '+', 1), fence: e('fence', '+', 1),
      lease_until: leaseUntil, progress_at: now, progress: JSON.stringify(noProgress),
    }))
    .returningAll().execute();
}

/** Names are `[a-z0-9._-]`, so a quoted name inside the JSON list is that name and nothing else. */
function mayTake(worker: string, liveAfter: number) {
  const lists = (name: ReturnType<typeof sql>) => sql`replace(job.excluded_workers, '"' || ${name} || '"', '') <> job.excluded_workers`;
  return sql<boolean>`(not (${lists(sql`cast(${worker} as text)`)}) or not exists (
    select 1 from worker as other where other.id <> ${worker} and other.connected = 1 and other.draining = 0 and other.quarantined = 0
      and other.last_seen_at > ${liveAfter} and not (${lists(sql`other.id`)})
      and replace(other.capabilities, '"class:' || job.class || '"', '') <> other.capabilities))`;
}

/**
 * Extends the leases of one worker's attempts and tells the state of each that it still holds: the ones missing from the reply are lost.
 * A lease that ended but was not swept yet is renewed: the work is there, and starting again would only lose it.
 */
export async function renewLeases(tx: Tx, worker: string, attempts: readonly Readonly<{ job: string; fence: number }>[], leaseUntil: number): Promise<JobRow[]> {
  if (attempts.length === 0) return [];
  const jobs = attempts.map((a) => a.job);
  await tx.updateTable('job').set({ lease_until: leaseUntil })
    .where('worker', '=', worker).where('id', 'in', jobs).where('state', 'in', ['assigned', 'running'])
    .where((e) => e.or(attempts.map((a) => e.and([e('id', '=', a.job), e('fence', '=', a.fence)])))).execute();
  const rows = await tx.selectFrom('job').selectAll().where('worker', '=', worker).where('id', 'in', jobs).execute();
  const fences = new Map(attempts.map((a) => [a.job, a.fence]));
  return rows.filter((row) => fences.get(row.id) === row.fence && [...held, 'verifying'].some((state) => state === row.state));
}

/** assigned → running. */
export async function startAttempt(tx: Tx, attempt: Attempt, now: number): Promise<JobRow | undefined> {
  return await ofAttempt(tx, attempt, ['assigned']).set({ state: 'running', started_at: now, progress_at: now }).returningAll().executeTakeFirst();
}

/** Stores the last progress of a running attempt; `movedAt` is when work was last seen to advance, which feeds the stall watchdog. */
export async function recordProgress(tx: Tx, attempt: Attempt, progress: string, movedAt: number): Promise<void> {
  await ofAttempt(tx, attempt, ['running']).set({ progress, progress_at: movedAt }).execute();
}

/** running → verifying; from here on the lease is the verifying coordinator's. */
export async function beginVerification(tx: Tx, attempt: Attempt, leaseUntil: number): Promise<JobRow | undefined> {
  return await ofAttempt(tx, attempt, ['running']).set({ state: 'verifying', lease_until: leaseUntil }).returningAll().executeTakeFirst();
}

/** Takes over verifications whose coordinator is gone: their lease ended. */
export async function takeVerifications(tx: Tx, now: number, leaseUntil: number): Promise<JobRow[]> {
  return await tx.updateTable('job').set({ lease_until: leaseUntil }).where('state', '=', 'verifying').where('lease_until', '<', now).returningAll().execute();
}

/** Keeps the verifying coordinator's own lease. */
export async function renewVerification(tx: Tx, attempt: Attempt, leaseUntil: number): Promise<boolean> {
  const { numUpdatedRows } = await ofAttempt(tx, attempt, ['verifying']).set({ lease_until: leaseUntil }).executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** verifying → completed. Errors: `job.lease_lost`, which must roll the publication back. */
export async function completeJob(tx: Tx, attempt: Attempt, outputs: string, now: number): Promise<JobRow> {
  const row = await ofAttempt(tx, attempt, ['verifying']).set((e) => ({
    state: 'completed', outputs, lease_until: null, finished_at: now, error: null,
    progress: JSON.stringify({ ...noProgress, percent: 100 }), started_at: e.fn.coalesce('started_at', e.val(now)),
  })).returningAll().executeTakeFirst();
  if (row === undefined) throw new WeirError('job.lease_lost');
  return row;
}

/** Ends an attempt that did not succeed: back to the queue without its worker, or failed, or canceled when that was asked for. */
export async function failAttempt(tx: Tx, attempt: Attempt, failure: Failure & { retryable: boolean }, now: number): Promise<JobRow | undefined> {
  return await ofAttempt(tx, attempt, [...held, 'verifying'])
    .set(failure.retryable ? released(failure, now) : ended(failure, now)).returningAll().executeTakeFirst();
}

/** Ends an attempt that nothing is wrong with: its worker stops. The job waits again with the attempts that it had. */
export async function interruptAttempt(tx: Tx, attempt: Attempt, now: number): Promise<JobRow | undefined> {
  return await ofAttempt(tx, attempt, held).set(interrupted(now)).returningAll().executeTakeFirst();
}

/** Ends all attempts whose lease ended before `now`. */
export async function sweepExpired(tx: Tx, now: number): Promise<JobRow[]> {
  const failure = { code: 'job.lease_lost', message: 'The worker stopped answering.' };
  return await tx.updateTable('job').set(released(failure, now)).where('state', 'in', held).where('lease_until', '<', now).returningAll().execute();
}

/** Ends running attempts that have not advanced since `movedBefore`, and those that started before `startedBefore`. */
export async function sweepStalled(tx: Tx, movedBefore: number, startedBefore: number, now: number): Promise<JobRow[]> {
  const failure = { code: 'job.failed', message: 'The attempt made no progress, or ran longer than a job may.' };
  return await tx.updateTable('job').set(released(failure, now)).where('state', 'in', ['assigned', 'running'])
    .where((e) => e.or([e('progress_at', '<', movedBefore), e.and([e('state', '=', 'running'), e('started_at', '<', startedBefore)])]))
    .returningAll().execute();
}

/**
 * Ends the attempts of a worker that came back without them. An attempt that began before `coordinatorStart` ended because the coordinator
 * did, which is no fault of job or worker: it is not counted and the worker may have the job again.
 */
export async function releaseAbandoned(tx: Tx, worker: string, active: readonly Readonly<{ job: string; fence: number }>[], coordinatorStart: number, now: number): Promise<JobRow[]> {
  const mine = () => {
    const query = tx.updateTable('job').where('worker', '=', worker).where('state', 'in', held);
    return active.length === 0 ? query : query.where((e) => e.not(e.or(active.map((a) => e.and([e('id', '=', a.job), e('fence', '=', a.fence)])))));
  };
  const blameless = await mine().where('progress_at', '<', coordinatorStart).set(interrupted(now)).returningAll().execute();
  const lost = await mine().set(released({ code: 'job.lease_lost', message: 'The worker started anew.' }, now)).returningAll().execute();
  return [...blameless, ...lost];
}

/** Asks for the end of a job: at once when no worker holds it, else `canceling` until the worker stopped or `stopBy` passed. */
export async function cancelJob(tx: Tx, id: string, stopBy: number, now: number): Promise<JobRow | undefined> {
  const atOnce = sql`state in ('queued', 'verifying')`;
  return await tx.updateTable('job').set({
    cancel_requested: 1,
    state: sql<string>`case when ${atOnce} then 'canceled' else 'canceling' end`,
    finished_at: sql<number | null>`case when ${atOnce} then cast(${now} as bigint) end`,
    lease_until: sql<number | null>`case when ${atOnce} then null when state = 'canceling' then lease_until else cast(${stopBy} as bigint) end`,
  }).where('id', '=', id).where('state', 'in', unfinished).returningAll().executeTakeFirst();
}

/** failed or canceled → queued, with all its attempts again. */
export async function retryJob(tx: Tx, id: string, now: number): Promise<JobRow | undefined> {
  return await tx.updateTable('job').set({
    state: 'queued', attempt: 0, worker: null, lease_until: null, excluded_workers: '[]', not_before: now, cancel_requested: 0,
    progress: JSON.stringify(noProgress), outputs: '[]', error: null, started_at: null, finished_at: null, progress_at: null,
  }).where('id', '=', id).where('state', 'in', ['failed', 'canceled']).returningAll().executeTakeFirst();
}

export async function findJob(db: Db, id: string): Promise<JobRow | undefined> {
  return await db.selectFrom('job').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Newest first; `owner` null lists everyone's. `before` is the id that the last page ended with. */
export async function listJobs(
  db: Db, filter: Readonly<{ owner: string | null; state: JobState | null; before: string | null; limit: number }>,
): Promise<JobRow[]> {
  let query = db.selectFrom('job').selectAll().orderBy('id', 'desc').limit(filter.limit);
  if (filter.owner !== null) query = query.where('owner', '=', filter.owner);
  if (filter.state !== null) query = query.where('state', '=', filter.state);
  if (filter.before !== null) query = query.where('id', '<', filter.before);
  return await query.execute();
}

/** The workers that lost the job or failed it, oldest first. */
export function excludedWorkers(row: JobRow): string[] {
  return Names.parse(JSON.parse(row.excluded_workers));
}

export async function queuedCount(db: Db): Promise<number> {
  const { count } = await db.selectFrom('job').select((e) => e.fn.countAll<number>().as('count')).where('state', '=', 'queued').executeTakeFirstOrThrow();
  return Number(count);
}

function ofAttempt(tx: Tx, { job, fence, worker }: Attempt, states: readonly JobState[]) {
  return tx.updateTable('job').where('id', '=', job).where('fence', '=', fence).where('worker', '=', worker).where('state', 'in', states);
}

/** What becomes of a job whose attempt ended badly: canceled if asked for, another attempt if one is left, else failed. */
function released(failure: Failure, now: number) {
  const another = sql`state <> 'canceling' and attempt < max_attempts`;
  return {
    state: sql<string>`case when state = 'canceling' then 'canceled' when attempt < max_attempts then 'queued' else 'failed' end`,
    error: sql<string | null>`case when state = 'canceling' or attempt < max_attempts then null else cast(${errorText(failure)} as text) end`,
    finished_at: sql<number | null>`case when ${another} then null else cast(${now} as bigint) end`,
    excluded_workers: sql<string>`case when excluded_workers = '[]' then '["' || worker || '"]'
      else substr(excluded_workers, 1, length(excluded_workers) - 1) || ',"' || worker || '"]' end`,
    worker: null, lease_until: null, progress: JSON.stringify(noProgress),
  };
}

function interrupted(now: number) {
  return {
    state: sql<string>`case when state = 'canceling' then 'canceled' else 'queued' end`, worker: null, lease_until: null,
    finished_at: sql<number | null>`case when state = 'canceling' then cast(${now} as bigint) end`,
    attempt: sql<number>`attempt - 1`, progress: JSON.stringify(noProgress),
  };
}

function ended(failure: Failure, now: number) {
  return {
    state: sql<string>`case when state = 'canceling' then 'canceled' else 'failed' end`,
    error: sql<string | null>`case when state = 'canceling' then null else cast(${errorText(failure)} as text) end`,
    finished_at: now, lease_until: null,
  };
}

/** Callers may pass more than these two; no more is stored. */
const errorText = ({ code, message }: Failure): string => JSON.stringify({ code, message });
