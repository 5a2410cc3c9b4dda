/** Jobs of the fleet, as clients see them. */
import { z } from 'zod';
import { CidText, Instant, PrincipalId, Ulid } from './identity.ts';

export const JobState = z.enum(['queued', 'assigned', 'running', 'verifying', 'canceling', 'completed', 'failed', 'canceled']);
export type JobState = z.infer<typeof JobState>;
export const terminalStates: readonly JobState[] = ['completed', 'failed', 'canceled'];

/** A name without a path: what the worker may write, and what the published output is called. */
export const OutputName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,120}$/).refine((n) => !n.includes('..'), 'a name without ".."');

export const JobInput = z.strictObject({ cid: CidText });
const Parameter = z.union([z.string().max(1_000), z.number(), z.boolean()]);

const common = {
  inputs: z.array(JobInput).min(1).max(16),
  priority: z.int().min(0).max(100).default(50),
  labels: z.record(z.string().max(64), z.string().max(256)).refine((l) => Object.keys(l).length <= 32, 'at most 32 labels').default({}),
  max_attempts: z.int().min(1).max(10).default(3),
};
export const JobRequest = z.union([
  z.strictObject({ recipe: z.string().max(64), parameters: z.record(z.string().max(64), Parameter).default({}), ...common }),
  z.strictObject({
    arguments: z.array(z.string().max(8_192)).min(1).max(400), outputs: z.array(OutputName).min(1).max(16), ...common,
  }),
]);
export type JobRequest = z.infer<typeof JobRequest>;

/** `percent` 0..100; `speed` in multiples of real time; times in microseconds or seconds as named. */
export const Progress = z.strictObject({
  percent: z.number().min(0).max(100), eta_seconds: z.number().nullable(), fps: z.number().nullable(),
  speed: z.number().nullable(), out_time_us: z.int().min(0),
});
export type Progress = z.infer<typeof Progress>;
export const noProgress: Progress = { percent: 0, eta_seconds: null, fps: null, speed: null, out_time_us: 0 };

/** What ffprobe found, reduced to what Weir promises. */
export const Probe = z.strictObject({
  format: z.string(), duration_seconds: z.number().nullable(), bit_rate: z.number().nullable(),
  streams: z.array(z.strictObject({
    kind: z.enum(['video', 'audio', 'subtitle', 'data', 'attachment']), codec: z.string(), width: z.int().optional(), height: z.int().optional(),
    frame_rate: z.number().optional(), sample_rate: z.int().optional(), channels: z.int().optional(),
  })).max(64),
});
export type Probe = z.infer<typeof Probe>;

export const JobOutput = z.strictObject({
  name: OutputName, cid: z.string(), size: z.int().min(0), content_type: z.string(), probe: Probe.nullable(),
});
export type JobOutput = z.infer<typeof JobOutput>;

export const Job = z.strictObject({
  job_id: Ulid, state: JobState, recipe: z.string().nullable(), owner: PrincipalId, priority: z.int(), labels: z.record(z.string(), z.string()),
  attempt: z.int(), max_attempts: z.int(), worker: PrincipalId.nullable(), progress: Progress, inputs: z.array(JobInput), outputs: z.array(JobOutput),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  created_at: Instant, started_at: Instant.nullable(), finished_at: Instant.nullable(),
});
export type Job = z.infer<typeof Job>;

export const LogLine = z.strictObject({ at: Instant, attempt: z.int(), stream: z.enum(['stderr', 'weir']), text: z.string() });
export type LogLine = z.infer<typeof LogLine>;

/** Events of `GET /api/v1/jobs/{id}/events`. */
export const JobEvent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('state'), job: Job }),
  z.strictObject({ type: z.literal('progress'), progress: Progress }),
  z.strictObject({ type: z.literal('log'), line: LogLine }),
]);
export type JobEvent = z.infer<typeof JobEvent>;

export const Recipe = z.strictObject({
  recipe: z.string(), title: z.string(), description: z.string(), outputs: z.array(z.string()), parameters: z.record(z.string(), z.unknown()),
});
