/** What a job grant opens: the inputs that an attempt reads and the outputs that it returns. */
import { createHash } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import type { Received } from '@weir/content/store';
import { insertOutput, outputsOf, receivedOf } from '../output-store.ts';
import { findJob, type Attempt, type JobRow } from '../store.ts';
import type { Context } from './context.ts';
import { reportStarted } from './reports.ts';
import { specificationOf } from './specification.ts';

export type OpenedInput = Readonly<{ holding: string; cid: string; size: number; contentType: string }>;

/**
 * One input of a running attempt, after asking again whether the submitter may read it.
 * Errors: `job.lease_lost`, `object.absent`, `policy.refused`.
 */
export async function openInput(context: Context, attempt: Attempt, index: number): Promise<OpenedInput> {
  const row = await runningJob(context, attempt);
  const input = specificationOf(row).inputs[index];
  if (input === undefined) throw new WeirError('object.absent');
  if (!(await context.authorizeInput(row.owner, input.holding))) throw new WeirError('policy.refused', 'The submitter of the job may no longer use this input.');
  return input;
}

export type Delivery = Readonly<{ name: string; size: number; sha256: string | undefined; bytes: AsyncIterable<Uint8Array>; signal?: AbortSignal }>;

/**
 * Stores one output of a running attempt, invisible until the job is published. `size` in bytes, `sha256` as the sender claims it (hex).
 * The same bytes may be sent again. Errors: `job.lease_lost`, `object.absent` for a name that was not agreed, `request.too_large`,
 * `request.conflict`, `content.incomplete`, `request.invalid` when the digest differs.
 */
export async function receiveOutput(context: Context, attempt: Attempt, delivery: Delivery): Promise<void> {
  const specification = specificationOf(await runningJob(context, attempt));
  if (!specification.outputs.includes(delivery.name)) throw new WeirError('object.absent');
  const earlier = (await outputsOf(context.data.read, attempt.job, attempt.fence)).filter((row) => row.name !== delivery.name);
  const left = specification.limits.output_bytes - earlier.reduce((sum, row) => sum + receivedOf(row).size, 0);
  if (delivery.size > left) throw new WeirError('request.too_large', 'The outputs of this job are larger than its limit.');
  const digest = createHash('sha256');
  const received = await context.content.receive(hashed(delivery.bytes, digest), {
    maxBytes: Math.max(left, 0), expectedSize: delivery.size, ...(delivery.signal && { signal: delivery.signal }),
  });
  try {
    if (delivery.sha256 !== undefined && digest.digest('hex') !== delivery.sha256) {
      throw new WeirError('request.invalid', 'The bytes do not have the digest that X-Weir-Sha256 says; send them again.');
    }
    await keep(context, attempt, delivery.name, received);
  } catch (error) {
    await context.content.discard(received);
    throw error;
  }
}

async function keep(context: Context, attempt: Attempt, name: string, received: Received): Promise<void> {
  const { fresh } = await context.data.writeReadCommitted((tx) => insertOutput(tx, attempt, name, received, context.clock()));
  if (!fresh) await context.content.discard(received);
}

/** A request may overtake the message `started`, which travels over another connection: it says the same. */
async function runningJob(context: Context, attempt: Attempt): Promise<JobRow> {
  const row = await findJob(context.data.read, attempt.job);
  if (row !== undefined && row.fence === attempt.fence && row.worker === attempt.worker) {
    if (row.state === 'running') return row;
    if (row.state === 'assigned' && await reportStarted(context, attempt)) return row;
  }
  await context.data.write((tx) => context.record(tx, { action: 'job.report', principal: attempt.worker, job: attempt.job, reason: 'not_held' }));
  throw new WeirError('job.lease_lost');
}

async function* hashed(bytes: AsyncIterable<Uint8Array>, digest: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    digest.update(chunk);
    yield chunk;
  }
}

/** Discards bytes whose rows were taken; a failure leaves a blob that no holding names, which garbage collection finds. */
export async function discardAll(context: Context, received: readonly Received[]): Promise<void> {
  for (const one of received) {
    try {
      await context.content.discard(one);
    } catch (error) {
      context.onError(error, 'discarding an unpublished output');
    }
  }
}

