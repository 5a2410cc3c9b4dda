/** Live events of jobs inside this process: bounded per reader; a slow reader loses progress first, then log lines, never a state. */
import type { JobEvent } from '@weir/contracts/jobs';

const maxWaiting = 256;
/** States of one job that a reader may be behind; older ones give way to newer, so the last one always arrives. */
const maxStates = 64;

export class JobFeed {
  readonly #readers = new Map<string, Set<Subscription>>();

  publish(job: string, event: JobEvent): void {
    for (const reader of this.#readers.get(job) ?? []) reader.push(event);
  }

  /** The reader must be disposed; until then events wait in it. */
  subscribe(job: string): Subscription {
    const readers = this.#readers.get(job) ?? new Set();
    this.#readers.set(job, readers);
    const subscription = new Subscription(() => {
      readers.delete(subscription);
      if (readers.size === 0 && this.#readers.get(job) === readers) this.#readers.delete(job);
    });
    readers.add(subscription);
    return subscription;
  }
}

export class Subscription implements Disposable {
  #waiting: JobEvent[] = [];
  #wake: (() => void) | undefined;
  readonly #leave: () => void;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  push(event: JobEvent): void {
    if (event.type === 'progress') this.#drop((e) => e.type === 'progress');
    else if (event.type === 'log' && this.#waiting.length >= maxWaiting) this.#drop((e) => e.type === 'log');
    else if (event.type === 'state' && this.#waiting.filter((e) => e.type === 'state').length >= maxStates) this.#drop((e) => e.type === 'state');
    this.#waiting.push(event);
    this.#wake?.();
  }

  /** The events that wait, oldest first; resolves empty after `timeoutMs` or when the signal aborts. */
  async take(timeoutMs: number, signal: AbortSignal): Promise<JobEvent[]> {
    if (this.#waiting.length === 0 && !signal.aborted) await this.#event(timeoutMs, signal);
    return this.takeNow();
  }

  /** The events that wait, oldest first, without waiting for any. */
  takeNow(): JobEvent[] {
    return this.#waiting.splice(0);
  }

  [Symbol.dispose](): void {
    this.#leave();
  }

  #event(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }

  #drop(which: (event: JobEvent) => boolean): void {
    const index = this.#waiting.findIndex(which);
    if (index !== -1) this.#waiting.splice(index, 1);
  }
}
