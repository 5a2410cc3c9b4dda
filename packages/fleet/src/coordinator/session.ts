/** One connected worker: reads its frames in order, answers them, and knows how many of its slots are free. */
import type { WebSocket } from 'ws';
import { errors, WeirError } from '@weir/contracts/errors';
import { toInstant } from '@weir/contracts/identity';
import { maxWorkerFrameBytes, WorkerMessage, type Assignment, type CoordinatorMessage, type JobClass } from '@weir/contracts/workers';
import { MessagePace } from '@weir/security/message-pace';
import { releaseAbandoned, type Attempt, type JobRow } from '../store.ts';
import { announce, type Context } from './context.ts';
import { registerWorker, workerGone, workerHeard, type Hello } from './registry.ts';
import { reportDelivered, reportFailed, reportLog, reportProgress, reportRenewed, reportStarted } from './reports.ts';

/** Frames read but not yet handled; beyond that the socket is paused, so a flooding worker waits instead of filling memory. */
const maxWaitingFrames = 64;
/** What a worker with the most slots says in a second is a few hundred messages. */
const pace = { limit: 2_000, periodSeconds: 2 };
/** Bytes written but not yet taken by the network; a worker that reads nothing is cut off. */
const maxUnsentBytes = 4 * 1024 * 1024;
/** Live progress is stored this often; readers see every report. */
const progressWriteMs = 2_000;
const heardWriteMs = 5_000;

/** `newKeys`: once after each change of the instance's key, what the old keys say of the new one. */
export type WorkerIdentity = Readonly<{
  worker: string; address: string; signAssignment: (assignment: Assignment) => string; newKeys?: () => readonly string[];
}>;

/** What a session tells the coordinator. */
export type SessionHost = Readonly<{
  ready(session: WorkerSession): void;
  /** True when the worker has no newer session. */
  closed(session: WorkerSession): boolean;
  /** A slot is free again. */
  freed(): void;
  verify(row: JobRow): void;
}>;

type Running = { readonly fence: number; moved: number; movedAt: number; writtenAt: number };

export class WorkerSession {
  readonly worker: string;
  readonly #context: Context;
  readonly #socket: WebSocket;
  readonly #identity: WorkerIdentity;
  readonly #host: SessionHost;
  readonly #running = new Map<string, Running>();
  #hello: Hello | undefined;
  #draining = false;
  #waiting = 0;
  #heardAt = 0;
  #readAt = 0;
  #turn: Promise<void> = Promise.resolve();
  readonly #pace = new MessagePace(pace);

  constructor(context: Context, socket: WebSocket, identity: WorkerIdentity, host: SessionHost) {
    this.worker = identity.worker;
    this.#context = context;
    this.#socket = socket;
    this.#identity = identity;
    this.#host = host;
  }

  /** Takes over the socket. */
  start(): void {
    this.#readAt = this.#context.clock();
    const silence = setTimeout(() => this.close(4408, 'hello expected'), this.#context.timings.hello);
    this.#socket.on('message', (data: Buffer, isBinary: boolean) => {
      clearTimeout(silence);
      if (this.#keepsPace()) this.#enqueue(isBinary ? undefined : data);
    });
    this.#socket.on('error', () => this.#socket.terminate());
    this.#socket.on('close', () => {
      clearTimeout(silence);
      this.#turn = this.#turn.then(() => this.#leave());
    });
  }

  #keepsPace(): boolean {
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    const verdict = this.#pace.take(performance.now());
    if (verdict === 'exceeded') this.#send({ type: 'error', code: 'rate.exceeded', message: 'This message was not taken: a worker sends at most a thousand in a second.' });
    if (verdict === 'ended') this.close(errors['rate.exceeded'].close, 'too many messages');
    return verdict === 'kept';
  }

  get classes(): readonly JobClass[] { return this.#hello?.classes ?? []; }

  get freeSlots(): number {
    if (this.#hello === undefined || this.#draining || this.#socket.readyState !== this.#socket.OPEN) return 0;
    return this.#hello.slots - this.#running.size;
  }

  assign({ job, fence }: Attempt, assignment: Assignment): void {
    const signed = this.#identity.signAssignment(assignment);
    const now = this.#context.clock();
    this.#tellNewKeys();
    this.#running.set(job, { fence, moved: 0, movedAt: now, writtenAt: now });
    this.#send({ type: 'assign', assignment: signed });
  }

  #tellNewKeys(): void {
    for (const successor of this.#identity.newKeys?.() ?? []) this.#send({ type: 'instance_key', successor });
  }

  cancel({ job, fence }: Readonly<{ job: string; fence: number }>): void {
    if (this.#running.get(job)?.fence === fence) this.#send({ type: 'cancel', job_id: job, fence });
  }

  /** The job was taken from this worker. */
  lose(job: string): void {
    const running = this.#running.get(job);
    if (running === undefined) return;
    this.#running.delete(job);
    this.#send({ type: 'lost', job_id: job, fence: running.fence });
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    setTimeout(() => this.#socket.terminate(), 2_000).unref();
  }

  /** Resolves when every frame that was read has been handled. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  /** Ends a connection over which nothing came for `live` milliseconds: a worker speaks every second. */
  closeIfSilent(): void {
    if (this.#context.clock() - this.#readAt > this.#context.timings.live) this.#socket.terminate();
  }

  #enqueue(data: Buffer | undefined): void {
    this.#readAt = this.#context.clock();
    this.#waiting += 1;
    if (this.#waiting >= maxWaitingFrames) this.#socket.pause();
    this.#turn = this.#turn.then(() => this.#read(data)).finally(() => {
      this.#waiting -= 1;
      if (this.#waiting < maxWaitingFrames / 2 && this.#socket.isPaused) this.#socket.resume();
    });
  }

  async #read(data: Buffer | undefined): Promise<void> {
    try {
      await this.#handle(parse(data));
    } catch (error) {
      if (!(error instanceof WeirError)) this.#context.onError(error, 'handling a worker’s message');
      const known = error instanceof WeirError ? error : new WeirError('internal');
      this.close(known.closeCode, known.message.slice(0, 100));
    }
  }

  async #handle(message: WorkerMessage): Promise<void> {
    if (message.type === 'hello') return await this.#greet(message);
    if (this.#hello === undefined) throw new WeirError('request.invalid', 'The first message of a worker is hello.');
    await this.#noteHeard();
    if (message.type === 'drain') {
      this.#draining = true;
      return;
    }
    if (message.type === 'renew') return await this.#renew(message.attempts.map((a) => ({ job: a.job_id, fence: a.fence })));
    await this.#report(message, { job: message.job_id, fence: message.fence, worker: this.worker });
  }

  async #greet(hello: Hello): Promise<void> {
    if (this.#hello !== undefined) throw new WeirError('request.invalid', 'A worker says hello once.');
    const now = this.#context.clock();
    const active = hello.active.map((a) => ({ job: a.job_id, fence: a.fence }));
    const released = await this.#context.data.write(async (tx) => {
      await registerWorker(tx, this.worker, hello, now);
      return await releaseAbandoned(tx, this.worker, active, this.#context.startedAt, now);
    });
    this.#heardAt = now;
    this.#hello = hello;
    for (const row of released) announce(this.#context, row);
    this.#send({ type: 'welcome', worker: this.worker, lease_seconds: this.#context.timings.lease / 1_000, server_time: toInstant(now) });
    this.#tellNewKeys();
    for (const { job, fence } of active) this.#running.set(job, { fence, moved: 0, movedAt: now, writtenAt: now });
    await this.#renew(active);
    this.#host.ready(this);
  }

  async #renew(attempts: readonly Readonly<{ job: string; fence: number }>[]): Promise<void> {
    if (attempts.length === 0) return;
    const held = await reportRenewed(this.#context, this.worker, attempts);
    const isHeld = new Set(held.map(({ job }) => job));
    this.#send({ type: 'leases', attempts: held.map(({ job, fence }) => ({ job_id: job, fence })) });
    for (const attempt of held) {
      if (attempt.state === 'canceling') this.cancel(attempt);
    }
    for (const { job, fence } of attempts.filter((a) => !isHeld.has(a.job))) this.#forget('lost', job, fence);
  }

  async #report(message: Exclude<WorkerMessage, { type: 'hello' | 'renew' | 'drain' }>, attempt: Attempt): Promise<void> {
    switch (message.type) {
      case 'started':
        if (!(await reportStarted(this.#context, attempt))) this.#forget('lost', attempt.job, attempt.fence);
        return;
      case 'progress': return await this.#progress(attempt, message);
      case 'log':
        await reportLog(this.#context, attempt, message.lines);
        return;
      case 'failed':
        await reportFailed(this.#context, attempt, message, message.log_tail);
        return this.#forget('settled', attempt.job, attempt.fence);
      case 'delivered': {
        const outcome = await reportDelivered(this.#context, attempt);
        if (outcome.kind === 'verify') this.#host.verify(outcome.row);
        return this.#forget(outcome.kind === 'lost' ? 'lost' : 'settled', attempt.job, attempt.fence);
      }
    }
  }

  async #progress(attempt: Attempt, message: Extract<WorkerMessage, { type: 'progress' }>): Promise<void> {
    const running = this.#running.get(attempt.job);
    if (running?.fence !== attempt.fence) return;
    const now = this.#context.clock();
    if (message.moved > running.moved) {
      running.moved = message.moved;
      running.movedAt = now;
    }
    if (now - running.writtenAt < progressWriteMs) {
      this.#context.feed.publish(attempt.job, { type: 'progress', progress: message.progress });
      return;
    }
    running.writtenAt = now;
    await reportProgress(this.#context, attempt, message, running.movedAt);
  }

  #forget(type: 'lost' | 'settled', job: string, fence: number): void {
    if (this.#running.get(job)?.fence === fence) this.#running.delete(job);
    this.#send({ type, job_id: job, fence });
    this.#host.freed();
  }

  async #noteHeard(): Promise<void> {
    const now = this.#context.clock();
    if (now - this.#heardAt < heardWriteMs) return;
    this.#heardAt = now;
    await this.#context.data.writeReadCommitted((tx) => workerHeard(tx, this.worker, now));
  }

  async #leave(): Promise<void> {
    if (!this.#host.closed(this) || this.#hello === undefined) return;
    try {
      await this.#context.data.writeReadCommitted((tx) => workerGone(tx, this.worker, this.#context.clock()));
    } catch (error) {
      this.#context.onError(error, 'noting that a worker left');
    }
  }

  #send(message: CoordinatorMessage): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > maxUnsentBytes) {
      this.#socket.terminate();
      return;
    }
    this.#socket.send(JSON.stringify(message));
  }
}

function parse(data: Buffer | undefined): WorkerMessage {
  if (data === undefined || data.length > maxWorkerFrameBytes) throw new WeirError('request.invalid', 'A worker sends text frames of at most 256 KiB.');
  let value: unknown;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch (cause) {
    throw new WeirError('request.invalid', 'A worker’s frame is not JSON.', { cause });
  }
  const message = WorkerMessage.safeParse(value);
  if (!message.success) throw new WeirError('request.invalid', 'A worker’s message has an unknown form; its version may not fit this server.', { cause: message.error });
  return message.data;
}
