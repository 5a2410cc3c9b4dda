/** What the rooms of the coordinator share: the ports that the server fills in, and the places where changes are told. */
import { toInstant } from '@weir/contracts/identity';
import type { Clock } from '@weir/contracts/clock';
import type { LogLine, Probe } from '@weir/contracts/jobs';
import type { ContentStore, Received } from '@weir/content/store';
import type { Data } from '@weir/data/data';
import type { Tx } from '@weir/data/schema';
import type { JobRow } from '../store.ts';
import type { JobFeed } from './feed.ts';
import type { JobLogs } from './job-logs.ts';
import { toWire, type Specification } from './specification.ts';

/** The part of the content store that the fleet uses. */
export type ContentPort = Pick<ContentStore, 'receive' | 'publish' | 'discard' | 'open'>;

/** What a job grant opens: `input:INDEX` to read or `output:NAME` to write, of one attempt. `expiresAt` in seconds since 1970. */
export type JobGrant = Readonly<{ worker: string; job: string; fence: number; part: string; verb: 'read' | 'write'; issuedAt: number; expiresAt: number }>;

/** An output as it will be published. */
export type ExaminedOutput = Readonly<{ name: string; contentType: string; probe: Probe | null; received: Received }>;

/**
 * Examines received outputs before they are published, and gives what to publish: those, and any that it made itself.
 * Errors: `job.failed` with what is wrong; then nothing that it made is left.
 */
export type VerifyOutputs = (job: VerificationRequest, signal: AbortSignal) => Promise<readonly ExaminedOutput[]>;
export type VerificationRequest = Readonly<{ specification: Specification; outputs: readonly Readonly<{ name: string; received: Received }>[] }>;

/** What happened to a job, for the audit; written in the transaction of the change. */
/** With `worker`, to that worker because of the job. */
export type JobAudit = Readonly<{ action: string; principal: string; job: string; reason: string; worker?: string }>;
export type RecordAudit = (tx: Tx, event: JobAudit) => Promise<void>;

/** Milliseconds. `grace`: how long after the start leases are not swept, so that workers of before can come back. */
export type Timings = Readonly<{
  lease: number; tick: number; stall: number; wall: number; cancel: number; live: number; grace: number; hello: number; poll: number;
}>;
export const defaultTimings: Timings = {
  lease: 30_000, tick: 1_000, stall: 120_000, wall: 12 * 3_600_000, cancel: 10_000, live: 20_000, grace: 20_000, hello: 10_000, poll: 1_000,
};

export type Context = Readonly<{
  data: Data; content: ContentPort; clock: Clock; startedAt: number; instance: string; timings: Timings;
  maxUnfinishedPerOwner: number; maxOutputBytes: number;
  feed: JobFeed; logs: JobLogs;
  /** Whether the owner may (still) read the holding: asked at every lease and at every opened input. */
  authorizeInput: (owner: string, holding: string) => Promise<boolean>;
  signGrant: (grant: JobGrant) => string;
  verifyOutputs: VerifyOutputs;
  record: RecordAudit;
  /** A failure of the coordinator's own background work, for the server's log. */
  onError: (error: unknown, doing: string) => void;
}>;

/** A verification runs beside its own database, so its lease can be shorter than one over the network. */
export const verificationLease = ({ timings }: Context): number => Math.ceil(timings.lease / 3);

/** Tells every reader of the job its new state. */
export function announce(context: Context, row: JobRow): void {
  context.feed.publish(row.id, { type: 'state', job: toWire(row) });
}

/** Writes lines to the job's log and tells its readers. */
export async function writeLog(context: Context, job: string, attempt: number, texts: readonly Readonly<{ stream: LogLine['stream']; text: string }>[]): Promise<void> {
  const at = toInstant(context.clock());
  const lines = texts.map(({ stream, text }): LogLine => ({ at, attempt, stream, text }));
  await context.logs.append(job, lines);
  for (const line of lines) context.feed.publish(job, { type: 'log', line });
}
