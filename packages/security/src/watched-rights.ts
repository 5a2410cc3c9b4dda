/** Rights that something open depends on, a socket or a stream: whoever opened it is told once, soon after the right ended. */
import type { Epochs } from './epochs.ts';

export type Watched = Readonly<{
  /** Whether this right depends on a subject that moved (`token:…`, `principal:…`, `holding:…`). */
  movedBy: (subject: string) => boolean;
  expiresAtMs: number;
  /** Why it does not hold any more; undefined as long as it does. Asked again after each move, and when it expires. */
  ended: () => Promise<string | undefined>;
  onEnd: (reason: string) => void;
}>;

/** The longest wait that a timer takes. */
const longestTimerMs = 86_400_000;

export class WatchedRights implements Disposable {
  readonly #epochs: Epochs;
  readonly #now: () => number;
  /** With the timer of its expiry. */
  readonly #open = new Map<Watched, NodeJS.Timeout | undefined>();
  readonly #stopListening: () => void;
  #started: Promise<void> | undefined;

  constructor(epochs: Epochs, now: () => number) {
    this.#epochs = epochs;
    this.#now = now;
    this.#stopListening = epochs.onMove((moved) => {
      for (const watched of this.#open.keys()) if (moved.some((subject) => subject === 'everything' || watched.movedBy(subject))) void this.#askAgain(watched);
    });
  }

  /** Until it is disposed, or has ended. What moved before this call is seen too: the right is asked for at once. */
  watch(watched: Watched): Disposable {
    const timer = watched.expiresAtMs === Infinity ? undefined
      : setInterval(() => { if (this.#now() >= watched.expiresAtMs) void this.#askAgain(watched); }, Math.min(Math.max(watched.expiresAtMs - this.#now(), 0) + 10, longestTimerMs));
    timer?.unref();
    this.#open.set(watched, timer);
    const onLost = (): void => { for (const one of this.#open.keys()) this.#end(one, 'the store of rights can not be read'); };
    // Begun anew for whatever is opened after a store that could not be read came back.
    this.#started ??= this.#epochs.start(onLost).catch(() => { this.#started = undefined; onLost(); });
    void this.#started.then(() => this.#askAgain(watched));
    return { [Symbol.dispose]: () => { this.#close(watched); } };
  }

  async #askAgain(watched: Watched): Promise<void> {
    if (!this.#open.has(watched)) return;
    let reason: string | undefined;
    try {
      reason = await watched.ended();
    } catch {
      reason = 'the right can not be checked';
    }
    if (reason !== undefined) this.#end(watched, reason);
  }

  #end(watched: Watched, reason: string): void {
    if (this.#close(watched)) watched.onEnd(reason);
  }

  #close(watched: Watched): boolean {
    clearInterval(this.#open.get(watched));
    return this.#open.delete(watched);
  }

  [Symbol.dispose](): void {
    this.#stopListening();
    this.#epochs.stop();
    for (const watched of this.#open.keys()) this.#close(watched);
  }
}
