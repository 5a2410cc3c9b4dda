/** From `verifying` to `completed`: looks at what was delivered, then publishes everything in one transaction under the attempt's fence. */
import { WeirError } from '@weir/contracts/errors';
import type { JobOutput } from '@weir/contracts/jobs';
import { outputsOf, receivedOf, takeOutputs } from '../output-store.ts';
import { completeJob, excludedWorkers, findJob, renewVerification, type Attempt, type JobRow } from '../store.ts';
import { announce, verificationLease, writeLog, type Context, type ExaminedOutput } from './context.ts';
import { linkPlaylists } from './playlists.ts';
import { blameWorker, noteSuccess } from './registry.ts';
import { reportFailed } from './reports.ts';
import { specificationOf, toWire, type Specification } from './specification.ts';
import { discardAll } from './transfers.ts';

/** Ends in `completed`, or in another attempt or `failed` when an output is not what it should be; stays `verifying` when `signal` aborts. */
export async function verifyAndPublish(context: Context, row: JobRow, signal: AbortSignal): Promise<void> {
  const attempt: Attempt = { job: row.id, fence: row.fence, worker: row.worker ?? '' };
  const lost = new AbortController();
  const renewal = setInterval(() => void keepLease(context, attempt, lost), verificationLease(context) / 3);
  try {
    await examineAndPublish(context, row, attempt, AbortSignal.any([signal, lost.signal]));
  } catch (error) {
    if (!signal.aborted) return await refuse(context, attempt, error);
    // This process ends: whoever comes next need not wait for the lease to run out.
    await context.data.writeReadCommitted((tx) => renewVerification(tx, attempt, 0));
  } finally {
    clearInterval(renewal);
  }
}

async function examineAndPublish(context: Context, row: JobRow, attempt: Attempt, signal: AbortSignal): Promise<void> {
  const specification = specificationOf(row);
  const delivered = await deliveredOutputs(context, attempt, specification);
  const examined = await linkPlaylists(context, await context.verifyOutputs({ specification, outputs: delivered }, signal), signal);
  try {
    await writeLog(context, row.id, row.attempt, [{ stream: 'weir', text: 'The outputs were verified.' }]);
    announce(context, await publish(context, row, attempt, examined));
  } catch (error) {
    const made = examined.filter(({ received }) => !delivered.some((output) => output.received.blob === received.blob));
    if ((await findJob(context.data.read, row.id))?.state !== 'completed') await discardAll(context, made.map(({ received }) => received));
    throw error;
  }
}

async function deliveredOutputs(context: Context, attempt: Attempt, specification: Specification) {
  const rows = await outputsOf(context.data.read, attempt.job, attempt.fence);
  const missing = specification.outputs.find((name) => !rows.some((row) => row.name === name));
  if (missing !== undefined) throw new WeirError('job.failed', `The output ${missing} was not delivered.`);
  const outputs = rows.map((row) => ({ name: row.name, received: receivedOf(row) }));
  const empty = outputs.find(({ received }) => received.size === 0);
  if (empty !== undefined) throw new WeirError('job.failed', `The output ${empty.name} is empty.`);
  return outputs;
}

async function publish(context: Context, job: JobRow, attempt: Attempt, examined: readonly ExaminedOutput[]): Promise<JobRow> {
  const { policy, ceilings } = specificationOf(job);
  return await context.data.write(async (tx) => {
    const now = context.clock();
    const published: JobOutput[] = [];
    const { title } = toWire(job).labels;
    await takeOutputs(tx, attempt.job, attempt.fence);
    for (const { name, contentType, probe, received } of examined) {
      const holding = await context.content.publish(tx, job.owner, received, { title: titleOf(title, name, examined.length), contentType, policy, ceilings, origin: job.id, now });
      published.push({ name, cid: holding.cid, size: holding.size, content_type: holding.content_type, probe });
    }
    // Last, because the outputs are stored with it; its error, when the attempt has lost the job, rolls all of the above back.
    const done = await completeJob(tx, attempt, JSON.stringify(published), now);
    await noteSuccess(tx, attempt.worker);
    // Whoever failed what another could do has a failure to its name.
    for (const worker of excludedWorkers(done)) await blameWorker(context, tx, worker, done.id);
    await context.record(tx, { action: 'job.complete', principal: attempt.worker, job: done.id, reason: '' });
    return done;
  });
}

/** The job's label `title`, if it has one; with the output's name where that is needed to tell several apart. */
const titleOf = (label: string | undefined, name: string, outputs: number): string =>
  label === undefined || label === '' ? name : (outputs === 1 ? label : `${label} (${name})`).slice(0, 200);

async function refuse(context: Context, attempt: Attempt, error: unknown): Promise<void> {
  const isLost = error instanceof WeirError && error.code === 'job.lease_lost';
  const isKnown = error instanceof WeirError && (error.code === 'job.failed' || error.code === 'system.missing');
  if (!isLost && !isKnown) context.onError(error, 'verifying the outputs of a job');
  const message = isKnown ? error.message : 'The outputs could not be verified; see the server log.';
  const row = await reportFailed(context, attempt, { code: 'job.failed', message, retryable: true });
  if (row === undefined) return;
  const rows = await context.data.write((tx) => takeOutputs(tx, attempt.job, attempt.fence));
  await discardAll(context, rows.map(receivedOf));
}

async function keepLease(context: Context, attempt: Attempt, lost: AbortController): Promise<void> {
  try {
    const kept = await context.data.writeReadCommitted((tx) => renewVerification(tx, attempt, context.clock() + verificationLease(context)));
    if (!kept) lost.abort(new WeirError('job.lease_lost'));
  } catch (error) {
    context.onError(error, 'renewing the lease of a verification');
  }
}
