/** Takes jobs, gives them to workers, and answers about them: the one entrance to the fleet for the server. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { WebSocket } from 'ws';
import { newUlid, systemClock, type Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { terminalStates, type Job, type JobEvent, type JobRequest, type JobState, type LogLine } from '@weir/contracts/jobs';
import type { Worker } from '@weir/contracts/workers';
import type { Tx } from '@weir/data/schema';
import { cancelJob, findJob, insertJob, listJobs, retryJob, type Attempt, type JobRow } from '../store.ts';
import { announce, defaultTimings, writeLog, type Context, type Timings } from './context.ts';
import { dispatch } from './dispatch.ts';
import { JobFeed, type Subscription } from './feed.ts';
import { collectOrphans, sweep } from './janitor.ts';
import { JobLogs } from './job-logs.ts';
import { planWork } from './planning.ts';
import { verifyAndPublish } from './publication.ts';
import { listWorkers, releaseFromQuarantine, setDraining } from './registry.ts';
import { WorkerSession, type WorkerIdentity } from './session.ts';
import { toWire, type Specification } from './specification.ts';
import { openInput, receiveOutput, type Delivery, type OpenedInput } from './transfers.ts';

type Ports = Pick<Context, 'data' | 'content' | 'instance' | 'authorizeInput' | 'signGrant' | 'verifyOutputs' | 'onError'>;
/** `directory` is the data directory. `maxOutputBytes` bounds all outputs of a job together. */
export type CoordinatorOptions = Ports & Readonly<{
  directory: string; record?: Context['record']; clock?: Clock; timings?: Partial<Timings>; maxUnfinishedPerOwner?: number; maxOutputBytes?: number;
}>;

/** `resolveInput` authorises the submitter for a CID and names the holding; what the outputs inherit is handed on as it is. */
export type SubmitOptions = Readonly<{
  resolveInput: (cid: string) => Promise<Readonly<{ holding: string; cid: string; size: number; contentType: string }>>;
  idempotencyKey?: string;
  inherit?: (holdings: readonly string[]) => Promise<Readonly<{ policy: string | null; ceilings: string }>>;
}>;

/** Verifications at a time: each runs decoders. The others wait in the database. */
const maxVerifying = 2;
const orphanTicks = 10;

export class Coordinator implements AsyncDisposable {
  readonly #context: Context;
  /** By worker, once it said hello. */
  readonly #sessions = new Map<string, WorkerSession>();
  readonly #connections = new Set<WorkerSession>();
  readonly #stopping = new AbortController();
  readonly #verifying = new Map<string, Promise<void>>();
  readonly #toVerify: JobRow[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #ticking: Promise<void> = Promise.resolve();
  #dispatching: Promise<void> | undefined;
  #again = false;

  constructor(options: CoordinatorOptions) {
    const clock = options.clock ?? systemClock;
    this.#context = {
      data: options.data, content: options.content, instance: options.instance, authorizeInput: options.authorizeInput,
      signGrant: options.signGrant, verifyOutputs: options.verifyOutputs, onError: options.onError,
      record: options.record ?? (async () => undefined), clock, startedAt: clock(), timings: { ...defaultTimings, ...options.timings },
      maxUnfinishedPerOwner: options.maxUnfinishedPerOwner ?? 1_000, maxOutputBytes: options.maxOutputBytes ?? 64 * 2 ** 30,
      feed: new JobFeed(), logs: new JobLogs(join(options.directory, 'logs', 'jobs')),
    };
  }

  /** Begins the passes over leases and waiting jobs. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.#ticking = this.#ticking.then(() => this.#tick());
    }, this.#context.timings.tick);
  }

  /**
   * Accepts a job. With an idempotency key the same request gives the same job. Errors: `arguments.refused`, `recipe.unknown`,
   * `recipe.parameters`, `request.repeated`, `job.queue_full`, and what `resolveInput` throws.
   */
  async submit(owner: string, request: JobRequest, options: SubmitOptions): Promise<Job> {
    const context = this.#context;
    const plan = planWork(request);
    const inputs = [];
    for (const { cid } of request.inputs) inputs.push(await options.resolveInput(cid));
    const inherited = await options.inherit?.(inputs.map(({ holding }) => holding)) ?? { policy: null, ceilings: '[]' };
    const { wall, stall } = context.timings;
    const specification: Specification = {
      work: plan.work, outputs: [...plan.outputs], policy: inherited.policy, ceilings: inherited.ceilings,
      inputs: inputs.map(({ cid, holding, size, contentType }) => ({ cid, holding, size, contentType })),
      limits: { wall_seconds: Math.ceil(wall / 1_000), stall_seconds: Math.ceil(stall / 1_000), output_bytes: context.maxOutputBytes },
    };
    const row = await context.data.write(async (tx) => {
      const now = context.clock();
      const stored = await insertJob(tx, {
        id: newUlid(now), owner, recipe: plan.recipe, class: plan.class, specification: JSON.stringify(specification),
        labels: JSON.stringify(request.labels), priority: request.priority, max_attempts: request.max_attempts,
        idempotency_key: options.idempotencyKey ?? null, request_digest: options.idempotencyKey === undefined ? null : digestOf(request),
      }, context.maxUnfinishedPerOwner, now);
      await context.record(tx, { action: 'job.submit', principal: owner, job: stored.id, reason: '' });
      return stored;
    });
    this.#wakeDispatch();
    return toWire(row);
  }

  /** The job, or `object.absent`. Whose jobs a caller may see is decided before this. */
  async get(id: string): Promise<Job> {
    return toWire(await this.#row(id));
  }

  /** Newest first; `owner` null for everyone's; `before` is the id of the last job of the page before. */
  async list(filter: Readonly<{ owner: string | null; state: JobState | null; before: string | null; limit: number }>): Promise<Job[]> {
    return (await listJobs(this.#context.data.read, filter)).map(toWire);
  }

  /** Asks for a job's end; `principal` is who asks. Errors: `request.conflict` when it has ended already. */
  async cancel(id: string, principal: string): Promise<Job> {
    const context = this.#context;
    const row = await context.data.write(async (tx) => {
      const now = context.clock();
      const canceled = await cancelJob(tx, id, now + context.timings.cancel, now);
      if (canceled !== undefined) await context.record(tx, { action: 'job.cancel', principal, job: id, reason: '' });
      return canceled;
    });
    if (row === undefined) return await this.#conflict(id, 'has ended already');
    await writeLog(context, id, row.attempt, [{ stream: 'weir', text: `Cancelled by ${principal}.` }]);
    announce(context, row);
    if (row.worker !== null) this.#sessions.get(row.worker)?.cancel({ job: id, fence: row.fence });
    return toWire(row);
  }

  /** Gives a failed or canceled job all its attempts again. Errors: `request.conflict` in any other state. */
  async retry(id: string, principal: string): Promise<Job> {
    const context = this.#context;
    const row = await context.data.write(async (tx) => {
      const queued = await retryJob(tx, id, context.clock());
      if (queued !== undefined) await context.record(tx, { action: 'job.retry', principal, job: id, reason: '' });
      return queued;
    });
    if (row === undefined) return await this.#conflict(id, 'has not failed');
    announce(context, row);
    this.#wakeDispatch();
    return toWire(row);
  }

  /** The kept log lines, oldest first. */
  async logs(id: string): Promise<LogLine[]> {
    await this.#row(id);
    return await this.#context.logs.read(id);
  }

  /** The kept log lines, then new ones until the job ends. */
  async *followLogs(id: string, signal: AbortSignal): AsyncGenerator<LogLine> {
    await this.#row(id);
    using reader = this.#context.feed.subscribe(id);
    const kept = await this.#context.logs.read(id, () => { reader.takeNow(); });
    yield* kept;
    for await (const event of this.#follow(id, reader, signal)) {
      if (event.type === 'log') yield event.line;
    }
  }

  /** The state now, then everything that happens, until the job has ended. A slow reader misses progress, never a state. */
  async *events(id: string, signal: AbortSignal): AsyncGenerator<JobEvent> {
    using reader = this.#context.feed.subscribe(id);
    yield* this.#follow(id, reader, signal);
  }

  async *#follow(id: string, reader: Subscription, signal: AbortSignal): AsyncGenerator<JobEvent> {
    const ending = AbortSignal.any([signal, this.#stopping.signal]);
    const first = toWire(await this.#row(id));
    // States that were announced before this reading are older than it, or the same.
    yield* reader.takeNow().filter((event) => event.type !== 'state');
    yield { type: 'state', job: first };
    let told = first;
    while (!ending.aborted && !isEnd(told)) {
      const events = await reader.take(this.#context.timings.poll, ending);
      const news = events.length > 0 || ending.aborted ? events : await this.#askStore(id, reader, ending);
      for (const event of news) {
        if (event.type === 'state') {
          if (isSame(event.job, told)) continue;
          told = event.job;
        }
        yield event;
        if (isEnd(told)) return;
      }
    }
  }

  /** In silence the store is asked: another coordinator may have changed the job without a word to this one. */
  async #askStore(id: string, reader: Subscription, signal: AbortSignal): Promise<JobEvent[]> {
    const job = toWire(await this.#row(id));
    // An end that was committed but not announced yet: what is said about it is on its way.
    const last = isEnd(job) ? await reader.take(this.#context.timings.poll, signal) : [];
    return [...last.filter((event) => event.type !== 'state'), { type: 'state', job }];
  }

  /** Connects a worker that the gatekeeper has admitted. A worker that connects again replaces its older connection. */
  attach(socket: WebSocket, identity: WorkerIdentity): void {
    const session = new WorkerSession(this.#context, socket, identity, {
      ready: (ready) => {
        this.#sessions.get(ready.worker)?.close(4409, 'replaced by a newer connection');
        this.#sessions.set(ready.worker, ready);
        this.#wakeDispatch();
      },
      closed: (closed) => {
        this.#connections.delete(closed);
        return this.#sessions.get(closed.worker) === closed && this.#sessions.delete(closed.worker) && !this.#stopping.signal.aborted;
      },
      freed: () => this.#wakeDispatch(),
      verify: (row) => this.#verify(row),
    });
    this.#connections.add(session);
    session.start();
    if (this.#stopping.signal.aborted) session.close(1012, 'stopping');
  }

  /** What the grant `input:INDEX` of a running attempt opens. */
  async openInput(job: string, fence: number, worker: string, index: number): Promise<OpenedInput> {
    return await openInput(this.#context, { job, fence, worker }, index);
  }

  /** Stores what came under the grant `output:NAME` of a running attempt. */
  async receiveOutput(attempt: Attempt, delivery: Delivery): Promise<void> {
    await receiveOutput(this.#context, attempt, delivery);
  }

  async workers(): Promise<Worker[]> {
    const workers = await listWorkers(this.#context.data.read);
    const liveAfter = this.#context.clock() - this.#context.timings.live;
    return workers.map((worker) => ({ ...worker, connected: worker.connected && (this.#sessions.has(worker.worker) || Date.parse(worker.last_seen_at) > liveAfter) }));
  }

  /**
   * `draining` stops giving new jobs to a worker, or starts again; `quarantined: false` lets it out of quarantine. `record` audits in the
   * same transaction. Errors: `object.absent`.
   */
  async changeWorker(
    worker: string, { draining, quarantined }: Readonly<{ draining?: boolean | undefined; quarantined?: false | undefined }>, record: (tx: Tx) => Promise<void> = async () => undefined,
  ): Promise<void> {
    await this.#context.data.write(async (tx) => {
      const drained = draining === undefined || await setDraining(tx, worker, draining);
      const released = quarantined === undefined || await releaseFromQuarantine(tx, worker);
      if (!drained || !released) throw new WeirError('object.absent');
      await record(tx);
    });
    this.#wakeDispatch();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort(new WeirError('server.stopping'));
    const connections = [...this.#connections];
    for (const session of connections) session.close(1012, 'stopping');
    await this.#ticking;
    await this.#dispatching;
    await Promise.all(connections.map((session) => session.settled()));
    await Promise.all(this.#verifying.values());
  }

  async #tick(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    for (const session of this.#connections) session.closeIfSilent();
    try {
      const { released, verifications } = await sweep(this.#context);
      for (const row of released) for (const session of this.#sessions.values()) session.lose(row.id);
      for (const row of verifications) this.#verify(row);
      if (this.#ticks++ % orphanTicks === 0) await collectOrphans(this.#context);
    } catch (error) {
      this.#context.onError(error, 'sweeping jobs');
    }
    this.#wakeDispatch();
  }

  /** Jobs beyond `maxVerifying` wait here; should this process end, the store gives them to the next. */
  #verify(row: JobRow): void {
    const key = `${row.id}/${row.fence}`;
    if (this.#stopping.signal.aborted || this.#verifying.has(key)) return;
    if (this.#verifying.size >= maxVerifying) {
      if (!this.#toVerify.some((waiting) => waiting.id === row.id && waiting.fence === row.fence)) this.#toVerify.push(row);
      return;
    }
    this.#verifying.set(key, this.#runVerification(row).finally(() => {
      this.#verifying.delete(key);
      const next = this.#toVerify.shift();
      if (next !== undefined) this.#verify(next);
      this.#wakeDispatch();
    }));
  }

  async #runVerification(row: JobRow): Promise<void> {
    try {
      await verifyAndPublish(this.#context, row, this.#stopping.signal);
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#context.onError(error, 'publishing a job');
    }
  }

  /** One dispatch at a time; a wish that comes meanwhile is granted by one more round. */
  #wakeDispatch(): void {
    if (this.#stopping.signal.aborted) return;
    this.#again = true;
    this.#dispatching ??= this.#dispatchWhileAsked().finally(() => { this.#dispatching = undefined; });
  }

  async #dispatchWhileAsked(): Promise<void> {
    while (this.#again && !this.#stopping.signal.aborted) {
      this.#again = false;
      try {
        await dispatch(this.#context, this.#sessions);
      } catch (error) {
        this.#context.onError(error, 'assigning jobs');
        return;
      }
    }
  }

  async #row(id: string): Promise<JobRow> {
    const row = await findJob(this.#context.data.read, id);
    if (row === undefined) throw new WeirError('object.absent');
    return row;
  }

  async #conflict(id: string, why: string): Promise<never> {
    const { state } = await this.#row(id);
    throw new WeirError('request.conflict', `The job is ${state}: it ${why}.`);
  }
}

const isEnd = (job: Job): boolean => terminalStates.includes(job.state);
const isSame = (a: Job, b: Job): boolean => a.state === b.state && a.attempt === b.attempt && a.worker === b.worker;

/** SHA-256 of the request in one spelling, whatever the order of its members. */
function digestOf(request: JobRequest): string {
  return createHash('sha256').update(JSON.stringify(request, sorted)).digest('hex');
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
