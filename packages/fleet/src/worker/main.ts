/** The worker: stays connected, accepts assignments that it can verify, runs as many at a time as it has slots, and reports until it is heard. */
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, type Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { Progress } from '@weir/contracts/jobs';
import {
  workerStopping, type Assignment, type AttemptFailure, type AttemptName, type Capabilities, type CoordinatorMessage, type InstanceKey, type JobClass, type LogText,
  type WorkerMessage,
} from '@weir/contracts/workers';
import { assignmentKeyOfInstance, openAssignment, openSuccessor, type AssignmentKey } from '../assignment.ts';
import { canceled, runAttempt, type MediaRunner } from './attempt.ts';
import { connectPath, WorkerConnection } from './connection.ts';
import { assignmentKeyOf, signedHeaders, type WorkerCredentials } from './credentials.ts';
import { renewedCertificate } from './renewed-certificate.ts';
import { openServerLink, type ServerAddress, type ServerLink } from './server-link.ts';

export const workerVersion = '0.1.0';

/** `scratch` is a folder of this worker alone: created for it and emptied at the start; nobody else can list it. `onEvent` gets lines for the operator. */
export type WorkerOptions = ServerAddress & Readonly<{
  name: string; credentials: WorkerCredentials; slots: number; labels?: Readonly<Record<string, string>>; classes?: readonly JobClass[];
  scratch: string; capabilities: Capabilities; run: MediaRunner; onEvent?: (line: string) => void; clock?: Clock;
  /** The instance signs with another key from now on, as the pinned one says: pin that. */
  onInstanceKey?: (key: InstanceKey) => Promise<void>;
  /** The server has another certificate from now on, as the pinned key says: pin that. */
  onCertificate?: (fingerprint: string) => Promise<void>;
}>;

/** `drain`: finish what runs, take nothing new, then end. `stop`: end at once, giving up what runs. */
export type WorkerSignals = Readonly<{ drain: AbortSignal; stop: AbortSignal }>;

const renewMs = 1_000;
/** Log lines and the latest progress leave together, this often. */
const flushMs = 250;
const logLinesPerFrame = 100;
const logLinesWaiting = 1_000;
const logBytesPerFrame = 64 * 1024;
const tailLines = 20;
const rememberedFences = 10_000;
/** Time for the last reports of given up attempts to leave. */
const farewellMs = 2_000;

/** Runs until drained or stopped. Errors: `config.invalid`, `identity.required`. */
export async function runWorker(options: WorkerOptions, signals: WorkerSignals): Promise<void> {
  if (process.geteuid?.() === 0) options.onEvent?.('Running as root: media programs are given another user id, but the worker itself should have one of its own.');
  await emptyScratch(options.scratch);
  using link = openServerLink(options, (origin) => worker.followCertificate(origin));
  const worker = new RunningWorker(options, link);
  await worker.run(signals);
}

async function emptyScratch(folder: string): Promise<void> {
  // As root, media programs run as another user, who must be able to enter (not list) the folders above their own.
  const mode = process.geteuid?.() === 0 ? 0o711 : 0o700;
  await mkdir(folder, { recursive: true, mode });
  await chmod(folder, mode);
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

/** `report` is set when the attempt has ended and the coordinator has not yet said that it knows. */
type Running = {
  readonly name: AttemptName; readonly abort: AbortController; report: WorkerMessage | undefined;
  readonly log: LogText[]; progress: Readonly<{ progress: Progress; moved: number }> | undefined;
};

class RunningWorker {
  readonly #options: WorkerOptions;
  readonly #link: ServerLink;
  readonly #connection: WorkerConnection;
  #key: AssignmentKey;
  readonly #clock: Clock;
  readonly #running = new Map<string, Running>();
  /** The newest fence seen of each job, oldest jobs forgotten: a replayed or reordered assignment is not run again. */
  readonly #fences = new Map<string, number>();
  readonly #ended = new AbortController();
  /** Everything that still runs, also for jobs that are no longer ours. */
  readonly #work = new Set<Promise<void>>();
  #draining = false;
  #stopping = false;

  constructor(options: WorkerOptions, link: ServerLink) {
    this.#options = options;
    this.#link = link;
    this.#key = assignmentKeyOf(options.credentials);
    this.#clock = options.clock ?? systemClock;
    this.#connection = new WorkerConnection({
      link, headers: () => signedHeaders(options.credentials, options.name, 'GET', connectPath, this.#clock()), hello: () => this.#hello(),
      onMessage: (message) => this.#handle(message), onEvent: (line) => this.#tell(line),
    });
  }

  async run({ drain, stop }: WorkerSignals): Promise<void> {
    const renewal = setInterval(() => this.#renew(), renewMs);
    const flushing = setInterval(() => this.#flush(), flushMs);
    const draining = (): void => this.#drain();
    const stopping = (): void => void this.#stop();
    drain.addEventListener('abort', draining, { once: true });
    stop.addEventListener('abort', stopping, { once: true });
    try {
      if (stop.aborted) return;
      if (drain.aborted) this.#drain();
      await this.#connection.run(this.#ended.signal);
    } finally {
      clearInterval(renewal);
      clearInterval(flushing);
      drain.removeEventListener('abort', draining);
      stop.removeEventListener('abort', stopping);
      for (const { abort } of this.#running.values()) abort.abort();
      await Promise.all(this.#work);
    }
  }

  #hello(): WorkerMessage {
    const { capabilities, slots, labels, classes } = this.#options;
    return {
      type: 'hello', protocol: 1, version: workerVersion, capabilities, slots, classes: [...classes ?? ['cpu', 'io']], labels: { ...labels },
      active: [...this.#running.values()].map(({ name }) => name),
    };
  }

  #handle(message: CoordinatorMessage): void {
    switch (message.type) {
      case 'welcome':
        if (this.#draining) this.#connection.send({ type: 'drain' });
        for (const { report } of this.#running.values()) if (report !== undefined) this.#connection.send(report);
        return;
      case 'instance_key': return this.#followKey(message.successor);
      case 'assign': return this.#accept(message.assignment);
      case 'cancel': return this.#attempt(message)?.abort.abort();
      case 'lost': return this.#forget(this.#attempt(message));
      case 'settled': return this.#forget(this.#attempt(message));
      case 'leases': return;
      case 'error': return this.#tell(`The server refused a message: ${message.message}`);
    }
  }

  /** The fingerprint of the server's renewed certificate, if the key that this worker has pinned vouches for it. */
  async followCertificate(origin: URL): Promise<string | undefined> {
    const { credentials, onCertificate } = this.#options;
    const fingerprint = credentials.kind === 'ed25519' ? await renewedCertificate(origin, this.#key, credentials.instance) : undefined;
    if (fingerprint === undefined) return undefined;
    this.#tell('The server has a new certificate, as its key confirms.');
    onCertificate?.(fingerprint).catch(() => this.#tell('The new certificate of the server could not be stored; it is asked for again at the next start.'));
    return fingerprint;
  }

  /** Only the key that this worker has pinned can name the next one; what others say of it is not for us. */
  #followKey(jws: string): void {
    const { credentials, onInstanceKey } = this.#options;
    if (credentials.kind !== 'ed25519') return;
    try {
      const next = openSuccessor(this.#key, jws, credentials.instance);
      this.#key = assignmentKeyOfInstance(next);
      this.#tell(`The server signs with a new key (${next.kid}), as its old one confirms.`);
      onInstanceKey?.(next).catch(() => this.#tell('The new key of the server could not be stored; it is asked for again at the next start.'));
    } catch (error) {
      if (!(error instanceof WeirError)) this.#tell('A message about the key of the server could not be read.');
    }
  }

  #accept(jws: string): void {
    let assignment: Assignment;
    try {
      assignment = openAssignment(this.#key, jws, this.#options.name, this.#clock());
      const { credentials } = this.#options;
      if (credentials.kind === 'ed25519' && assignment.instance !== credentials.instance) throw new WeirError('permission.refused', 'The assignment is of another instance.');
    } catch (error) {
      this.#tell(error instanceof WeirError ? error.message : 'An assignment could not be read.');
      return;
    }
    if (assignment.fence <= (this.#fences.get(assignment.job_id) ?? 0)) return this.#tell(`An old assignment of job ${assignment.job_id} was refused.`);
    this.#remember(assignment);
    const { job_id, fence } = assignment;
    const refuse = (code: string, message: string): void => {
      this.#connection.send({ type: 'failed', job_id, fence, code, message, retryable: true, log_tail: [] });
    };
    if (this.#draining) return refuse(workerStopping, 'The worker is stopping.');
    // A newer attempt of a job means that the coordinator is done with the older one, whatever it has said yet.
    this.#forget(this.#running.get(job_id));
    const busy = [...this.#running.values()].filter(({ report }) => report === undefined).length;
    if (busy >= this.#options.slots) return refuse('request.conflict', 'The worker has no free slot.');
    this.#begin(assignment);
  }

  #remember({ job_id, fence }: Assignment): void {
    this.#fences.delete(job_id);
    this.#fences.set(job_id, fence);
    const [oldest] = this.#fences.keys();
    if (this.#fences.size > rememberedFences && oldest !== undefined) this.#fences.delete(oldest);
  }

  #begin(assignment: Assignment): void {
    const running: Running = {
      name: { job_id: assignment.job_id, fence: assignment.fence }, abort: new AbortController(), report: undefined,
      log: [], progress: undefined,
    };
    this.#running.set(assignment.job_id, running);
    this.#connection.send({ type: 'started', ...running.name });
    const work = this.#carryOut(assignment, running).finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  async #carryOut(assignment: Assignment, running: Running): Promise<void> {
    const outcome = await runAttempt(assignment, {
      link: this.#link, scratch: this.#options.scratch, run: this.#options.run,
      onLog: (line) => this.#log(running, line),
      onProgress: (progress, moved) => { running.progress = { progress, moved }; },
    }, running.abort.signal);
    if (this.#running.get(running.name.job_id) !== running) return;
    this.#flush();
    running.report = outcome.kind === 'delivered'
      ? { type: 'delivered', ...running.name, outputs: outcome.outputs.map((output) => ({ ...output })) }
      : { type: 'failed', ...running.name, ...this.#reasonOf(outcome.failure), log_tail: running.log.slice(-tailLines) };
    this.#connection.send(running.report);
  }

  /** An attempt that this worker gives up because it ends is no fault of the job. */
  #reasonOf(failure: AttemptFailure): AttemptFailure {
    return failure.code === canceled && this.#stopping ? { code: workerStopping, message: 'The worker is stopping.', retryable: true } : failure;
  }

  #log(running: Running, line: LogText): void {
    running.log.push(line);
    if (running.log.length > logLinesWaiting) running.log.shift();
  }

  #flush(): void {
    for (const running of this.#running.values()) {
      const { name, log, progress } = running;
      for (let count = fitting(log); count > 0 && this.#connection.send({ type: 'log', ...name, lines: log.slice(0, count) }); count = fitting(log)) log.splice(0, count);
      if (progress !== undefined && this.#connection.send({ type: 'progress', ...name, ...progress })) running.progress = undefined;
    }
  }

  #renew(): void {
    this.#connection.send({ type: 'renew', attempts: [...this.#running.values()].map(({ name }) => name) });
    for (const { report } of this.#running.values()) if (report !== undefined) this.#connection.send(report);
  }

  #attempt({ job_id, fence }: AttemptName): Running | undefined {
    const running = this.#running.get(job_id);
    return running?.name.fence === fence ? running : undefined;
  }

  #forget(running: Running | undefined): void {
    if (running === undefined) return;
    this.#running.delete(running.name.job_id);
    running.abort.abort();
    this.#endIfDrained();
  }

  #drain(): void {
    this.#draining = true;
    this.#tell('Draining: no new jobs are taken.');
    this.#connection.send({ type: 'drain' });
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#draining && this.#running.size === 0) this.#ended.abort();
  }

  /** Gives up what runs; the reports get a moment to leave, so the jobs need not wait for their leases to end. */
  async #stop(): Promise<void> {
    this.#draining = true;
    this.#stopping = true;
    this.#connection.send({ type: 'drain' });
    for (const { abort } of this.#running.values()) abort.abort();
    const farewell = setTimeout(() => this.#ended.abort(), farewellMs);
    await Promise.all(this.#work);
    if (this.#running.size === 0) {
      clearTimeout(farewell);
      this.#ended.abort();
    }
  }

  #tell(line: string): void {
    this.#options.onEvent?.(line);
  }
}

/** How many of the first lines go into one frame; a single line always does. */
function fitting(lines: readonly LogText[]): number {
  let bytes = 0;
  const beyond = lines.slice(0, logLinesPerFrame).findIndex((line, index) => (bytes += Buffer.byteLength(JSON.stringify(line))) > logBytesPerFrame && index > 0);
  return beyond === -1 ? Math.min(lines.length, logLinesPerFrame) : beyond;
}
