/** What a job was accepted as, kept as JSON in its row, and the job as clients see it. */
import { z } from 'zod';
import { toInstant } from '@weir/contracts/identity';
import { type Job, JobOutput, JobState, OutputName, Progress } from '@weir/contracts/jobs';
import { AttemptLimits, Work } from '@weir/contracts/workers';
import type { JobRow } from '../store.ts';

/** `policy` and `ceilings` are what the outputs inherit from the inputs; they are handed on as they came. */
export const Specification = z.strictObject({
  work: Work,
  inputs: z.array(z.strictObject({ cid: z.string(), holding: z.string(), size: z.int().min(0), contentType: z.string() })).max(16),
  outputs: z.array(OutputName).max(16),
  policy: z.string().nullable(), ceilings: z.string(), limits: AttemptLimits,
});
export type Specification = z.infer<typeof Specification>;

export const specificationOf = (row: JobRow): Specification => Specification.parse(JSON.parse(row.specification));

const Labels = z.record(z.string(), z.string());
const JobError = z.strictObject({ code: z.string(), message: z.string() });

export function toWire(row: JobRow): Job {
  const instant = (ms: number | null) => (ms === null ? null : toInstant(ms));
  return {
    job_id: row.id, state: JobState.parse(row.state), recipe: row.recipe, owner: row.owner, priority: row.priority,
    labels: Labels.parse(JSON.parse(row.labels)), attempt: row.attempt, max_attempts: row.max_attempts, worker: row.worker,
    progress: Progress.parse(JSON.parse(row.progress)), inputs: specificationOf(row).inputs.map(({ cid }) => ({ cid })),
    outputs: z.array(JobOutput).parse(JSON.parse(row.outputs)), error: row.error === null ? null : JobError.parse(JSON.parse(row.error)),
    created_at: toInstant(row.created_at), started_at: instant(row.started_at), finished_at: instant(row.finished_at),
  };
}
