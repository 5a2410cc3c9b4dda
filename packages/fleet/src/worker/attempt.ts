/** One attempt of one job on this machine: inputs in, ffmpeg in its jail, outputs out, nothing kept. */
import { mkdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '@weir/contracts/errors';
import { noProgress, type Progress } from '@weir/contracts/jobs';
import type { Assignment, AttemptFailure, LogText, Work } from '@weir/contracts/workers';
import { namelessFile, readOnly } from '../jail/nameless-file.ts';
import type { Collected, CollectedOutput } from './collect.ts';
import { digestOfFile, fetchInto, sendFrom, type Transfer } from './http-transfer.ts';
import type { ServerLink } from './server-link.ts';

export type MediaJob = Readonly<{
  work: Work; inputs: readonly FileHandle[]; outputs: readonly string[]; outputDirectory: string; limits: Assignment['limits'];
  /** `moved` only rises, and only when work was done. */
  onProgress: (progress: Progress, moved: number) => void;
  onLog: (line: LogText) => void;
}>;
/** Runs the media work and opens its outputs; the inputs are read-only files without names. Errors: `AttemptError` or `WeirError`. */
export type MediaRunner = (job: MediaJob, signal: AbortSignal) => Promise<Collected>;

/** A failure of an attempt, and whether another worker may do better. */
export class AttemptError extends Error {
  override name = 'AttemptError';
  readonly failure: AttemptFailure;
  constructor(failure: AttemptFailure, options?: ErrorOptions) {
    super(failure.message, options);
    this.failure = failure;
  }
}

export type Delivered = Readonly<{ name: string; size: number; sha256: string }>;
export type Outcome = Readonly<{ kind: 'delivered'; outputs: readonly Delivered[] }> | Readonly<{ kind: 'failed'; failure: AttemptFailure }>;

export type AttemptPorts = Readonly<{
  link: ServerLink; scratch: string; run: MediaRunner;
  onProgress: (progress: Progress, moved: number) => void;
  onLog: (line: LogText) => void;
}>;

/** The code of an attempt that was told to stop. */
export const canceled = 'job.canceled';

/** Never rejects: whatever goes wrong is the outcome. When it resolves, the attempt's scratch is gone, or the outcome says otherwise. */
export async function runAttempt(assignment: Assignment, ports: AttemptPorts, signal: AbortSignal): Promise<Outcome> {
  const directory = join(ports.scratch, `${assignment.job_id}-${assignment.fence}`);
  const outcome = await outcomeOf(assignment, ports, directory, signal);
  try {
    await rm(directory, { recursive: true, force: true });
    return outcome;
  } catch {
    return { kind: 'failed', failure: { code: 'internal', message: 'The worker could not remove the files of the attempt.', retryable: true } };
  }
}

async function outcomeOf(assignment: Assignment, ports: AttemptPorts, directory: string, signal: AbortSignal): Promise<Outcome> {
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(assignment.limits.wall_seconds * 1_000)]);
    return { kind: 'delivered', outputs: await work(assignment, ports, directory, limited) };
  } catch (error) {
    return { kind: 'failed', failure: failureOf(error, signal) };
  }
}

async function work(assignment: Assignment, ports: AttemptPorts, directory: string, signal: AbortSignal): Promise<Delivered[]> {
  const outputDirectory = join(directory, 'out');
  await mkdir(directory, { mode: 0o711 });
  await mkdir(outputDirectory, { mode: 0o700 });
  await using open = new AsyncDisposableStack();
  const meter = new Meter(ports.onProgress);
  const inputs: FileHandle[] = [];
  for (const input of assignment.inputs) {
    await using file = await namelessFile(directory);
    await fetchInto(transferOf(assignment, ports, `inputs/${input.index}`, input.token, meter, signal), file, input.size);
    inputs.push(open.use(await readOnly(file)));
  }
  const { outputs } = open.use(await ports.run({
    work: assignment.work, inputs, outputs: assignment.outputs.map(({ name }) => name), outputDirectory, limits: assignment.limits,
    onProgress: (progress, moved) => meter.encoded(progress, moved), onLog: ports.onLog,
  }, signal));
  const delivered: Delivered[] = [];
  for (const output of outputs) delivered.push(await deliver(assignment, ports, output, meter, signal));
  return delivered;
}

async function deliver(assignment: Assignment, ports: AttemptPorts, { name, size, handle }: CollectedOutput, meter: Meter, signal: AbortSignal): Promise<Delivered> {
  const granted = assignment.outputs.find((output) => output.name === name);
  if (granted === undefined || size > granted.max_bytes) throw new WeirError('job.failed', `The output ${name} is larger than its limit.`);
  const sha256 = await digestOfFile(handle, size, signal);
  await sendFrom(transferOf(assignment, ports, `outputs/${encodeURIComponent(name)}`, granted.token, meter, signal), handle, size, sha256);
  return { name, size, sha256 };
}

function transferOf(assignment: Assignment, ports: AttemptPorts, part: string, token: string, meter: Meter, signal: AbortSignal): Transfer {
  return { link: ports.link, path: `/api/v1/jobs/${assignment.job_id}/${part}`, token, signal, onMoved: (bytes) => meter.moved(bytes) };
}

/** Adds up what the attempt did, in bytes moved and the runner's own count, so that any of them counts as being alive. */
class Meter {
  readonly #report: (progress: Progress, moved: number) => void;
  #bytes = 0;
  #encoded = 0;
  #progress: Progress = noProgress;

  constructor(report: (progress: Progress, moved: number) => void) {
    this.#report = report;
  }

  moved(bytes: number): void {
    this.#bytes += bytes;
    this.#report(this.#progress, this.#bytes + this.#encoded);
  }

  encoded(progress: Progress, moved: number): void {
    this.#progress = progress;
    this.#encoded = moved;
    this.#report(progress, this.#bytes + moved);
  }
}

/** What the input or the request causes would fail anywhere; what this machine or the network causes may not. */
const hopeless = new Set<string>(['arguments.refused', 'recipe.unknown', 'recipe.parameters', 'policy.refused', 'object.absent']);

function failureOf(error: unknown, signal: AbortSignal): AttemptFailure {
  if (signal.aborted) return { code: canceled, message: 'The attempt was stopped.', retryable: true };
  if (error instanceof AttemptError) return error.failure;
  if (error instanceof WeirError) return { code: error.code, message: error.message.slice(0, 2_000), retryable: !hopeless.has(error.code) };
  if (error instanceof Error && error.name === 'TimeoutError') return { code: 'job.failed', message: 'The attempt ran longer than a job may.', retryable: true };
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'internal';
  if (code === 'ENOSPC') return { code: 'storage.full', message: 'The worker’s disk is full.', retryable: true };
  return { code: 'internal', message: `The worker failed (${code.slice(0, 40)}).`, retryable: true };
}
