/** What workers report about their attempts, and what becomes of the job. Each report is believed only under its fence. */
import { workerStopping, type LogText, type WorkerMessage } from '@weir/contracts/workers';
import { beginVerification, failAttempt, findJob, interruptAttempt, recordProgress, renewLeases, startAttempt, type Attempt, type JobRow } from '../store.ts';
import { announce, verificationLease, writeLog, type Context } from './context.ts';
import { blameWorker } from './registry.ts';

type Said<T extends WorkerMessage['type']> = Extract<WorkerMessage, { type: T }>;
export type HeldAttempt = Readonly<{ job: string; fence: number; state: string }>;

/** False when the attempt no longer holds the job. */
export async function reportStarted(context: Context, attempt: Attempt): Promise<boolean> {
  const row = await context.data.writeReadCommitted((tx) => startAttempt(tx, attempt, context.clock()));
  if (row === undefined) return (await stateUnder(context, attempt)) === 'running';
  announce(context, row);
  return true;
}

export async function reportProgress(context: Context, attempt: Attempt, { progress }: Said<'progress'>, movedAt: number): Promise<void> {
  context.feed.publish(attempt.job, { type: 'progress', progress });
  await context.data.writeReadCommitted((tx) => recordProgress(tx, attempt, JSON.stringify(progress), movedAt));
}

export async function reportLog(context: Context, attempt: Attempt, lines: readonly LogText[]): Promise<boolean> {
  const row = await findJob(context.data.read, attempt.job);
  if (!isOf(row, attempt) || !heldStates.includes(row.state)) return false;
  await writeLog(context, attempt.job, row.attempt, lines);
  return true;
}

/** running → verifying. `verify`: this call made the change, so the caller verifies; `known`: an earlier report did. */
export async function reportDelivered(context: Context, attempt: Attempt): Promise<{ kind: 'verify'; row: JobRow } | { kind: 'known' } | { kind: 'lost' }> {
  const row = await context.data.writeReadCommitted((tx) => beginVerification(tx, attempt, context.clock() + verificationLease(context)));
  if (row !== undefined) {
    announce(context, row);
    return { kind: 'verify', row };
  }
  const state = await stateUnder(context, attempt);
  return state === 'verifying' || state === 'completed' ? { kind: 'known' } : { kind: 'lost' };
}

/**
 * Failures that count against the worker at once. Others may be the job's fault, and whoever submits jobs must not be able to take
 * workers out of service: those count when another worker completes the job.
 */
const ownFaults = new Set<string>(['internal', 'system.missing']);

/** Ends the attempt; `message` is for the submitter. Undefined when the attempt no longer held the job. */
export async function reportFailed(context: Context, attempt: Attempt, failure: Pick<Said<'failed'>, 'code' | 'message' | 'retryable'>, tail: readonly LogText[] = []): Promise<JobRow | undefined> {
  const before = await findJob(context.data.read, attempt.job);
  if (!isOf(before, attempt) || ![...heldStates, 'verifying'].includes(before.state)) return undefined;
  // Before the change, so that whoever follows the job has read why it ended when it ends.
  await writeLog(context, attempt.job, before.attempt, [...tail, { stream: 'weir', text: `Attempt on ${attempt.worker} ended: ${failure.message}`.slice(0, 2_000) }]);
  const row = await context.data.write(async (tx) => {
    const now = context.clock();
    if (failure.code === workerStopping) return await interruptAttempt(tx, attempt, now);
    const ended = await failAttempt(tx, attempt, failure, now);
    if (ended !== undefined && ended.state !== 'canceled' && ownFaults.has(failure.code)) await blameWorker(context, tx, attempt.worker, attempt.job);
    return ended;
  });
  if (row !== undefined) announce(context, row);
  return row;
}

/**
 * Which of the attempts the worker still holds, with leases extended. The database is written only when a third of the lease is
 * used up: a worker renews every second, and no second coordinator looks at a lease that is far from its end.
 */
export async function reportRenewed(context: Context, worker: string, attempts: readonly Readonly<{ job: string; fence: number }>[]): Promise<HeldAttempt[]> {
  if (attempts.length === 0) return [];
  const now = context.clock();
  const rows = await context.data.read.selectFrom('job').selectAll().where('worker', '=', worker).where('id', 'in', attempts.map((a) => a.job)).execute();
  const isFresh = (row: JobRow | undefined, fence: number) => row !== undefined && row.fence === fence
    && (row.state === 'canceling' || row.state === 'verifying' || (row.lease_until ?? 0) - now > (context.timings.lease * 2) / 3);
  const known = new Map(rows.map((row) => [row.id, row]));
  const held = attempts.every((a) => isFresh(known.get(a.job), a.fence))
    ? rows : await context.data.writeReadCommitted((tx) => renewLeases(tx, worker, attempts, now + context.timings.lease));
  return held.map(({ id, fence, state }) => ({ job: id, fence, state }));
}

const heldStates: readonly string[] = ['assigned', 'running', 'canceling'];

function isOf(row: JobRow | undefined, attempt: Attempt): row is JobRow {
  return row !== undefined && row.fence === attempt.fence && row.worker === attempt.worker;
}

async function stateUnder(context: Context, attempt: Attempt): Promise<string | undefined> {
  const row = await findJob(context.data.read, attempt.job);
  return isOf(row, attempt) ? row.state : undefined;
}
