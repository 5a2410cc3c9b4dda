/** The rows of received, unpublished outputs. Whoever deletes a row, in a committed transaction, decides over its bytes: nobody else may. */
import { sql, type Kysely } from 'kysely';
import { z } from 'zod';
import type { Received } from '@weir/content/store';
import type { Schema, Tx } from '@weir/data/schema';
import { WeirError } from '@weir/contracts/errors';
import type { Attempt, OutputRow } from './store.ts';

const Facts = z.strictObject({
  blob: z.string(), digest: z.string(), cid: z.string(), size: z.int().min(0), contentType: z.string(), sealedKey: z.base64().nullable(), leafDigests: z.base64(),
});

/**
 * Stores one output of a running attempt. `fresh`: the row is new; otherwise the same bytes were received before, and the caller discards
 * the second copy. Errors: `job.lease_lost` when the attempt no longer runs, `request.conflict` when other bytes came under that name.
 */
export async function insertOutput(tx: Tx, attempt: Attempt, name: string, received: Received, now: number): Promise<{ fresh: boolean }> {
  // Updating the job's row, even to what it was, makes this transaction and one that takes the job away wait for each other.
  const { numUpdatedRows } = await tx.updateTable('job').set((e) => ({ progress_at: e.fn.coalesce('progress_at', e.val(now)) }))
    .where('id', '=', attempt.job).where('fence', '=', attempt.fence).where('worker', '=', attempt.worker).where('state', '=', 'running').executeTakeFirst();
  if (numUpdatedRows === 0n) throw new WeirError('job.lease_lost');
  const earlier = await tx.selectFrom('job_output').selectAll()
    .where('job', '=', attempt.job).where('fence', '=', attempt.fence).where('name', '=', name).executeTakeFirst();
  if (earlier === undefined) {
    await tx.insertInto('job_output').values({ job: attempt.job, fence: attempt.fence, name, holding_facts: toText(received), received_at: now }).execute();
    return { fresh: true };
  }
  if (receivedOf(earlier).digest !== received.digest) throw new WeirError('request.conflict', 'Other bytes were received under this output name.');
  return { fresh: false };
}

export async function outputsOf(db: Kysely<Schema>, job: string, fence: number): Promise<OutputRow[]> {
  return await db.selectFrom('job_output').selectAll().where('job', '=', job).where('fence', '=', fence).orderBy('name').execute();
}

/** Removes the rows of one attempt; with the commit their bytes belong to the caller, to publish or to discard. */
export async function takeOutputs(tx: Tx, job: string, fence: number): Promise<OutputRow[]> {
  return await tx.deleteFrom('job_output').where('job', '=', job).where('fence', '=', fence).returningAll().execute();
}

/** Removes the rows of attempts that can no longer publish: older fences, and jobs that ended or wait again. */
export async function takeOrphans(tx: Tx): Promise<OutputRow[]> {
  return await tx.deleteFrom('job_output').where(sql<boolean>`not exists (select 1 from job
    where job.id = job_output.job and job.fence = job_output.fence and job.state in ('running', 'verifying'))`).returningAll().execute();
}

/** Blobs that wait for publication: garbage collection must count them as used. */
export async function unpublishedBlobs(db: Kysely<Schema>): Promise<string[]> {
  const rows = await db.selectFrom('job_output').selectAll().execute();
  return rows.map((row) => receivedOf(row).blob);
}

export function receivedOf(row: OutputRow): Received {
  const { sealedKey, leafDigests, ...facts } = Facts.parse(JSON.parse(row.holding_facts));
  return { ...facts, sealedKey: sealedKey === null ? null : Buffer.from(sealedKey, 'base64'), leafDigests: Buffer.from(leafDigests, 'base64') };
}

function toText({ sealedKey, leafDigests, ...facts }: Received): string {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return JSON.stringify({
    blob: facts.blob, digest: facts.digest, cid: facts.cid, size: facts.size, contentType: facts.contentType,
    sealedKey: sealedKey === null ? null : base64(sealedKey), leafDigests: base64(leafDigests),
  });
}
