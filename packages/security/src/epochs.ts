/**
 * What has moved: every change of a right takes a number from one sequence, and every node reads the numbers it has not seen.
 * The poll of the store is the truth; a local write only makes it sooner.
 */
import { WeirError } from '@weir/contracts/errors';
import type { Clock } from '@weir/contracts/clock';

/** Port: subjects (`principal:alice`, `holding:…`) that moved after a sequence number, oldest first, in bounded pages. */
export interface EpochStore {
  since(sequence: number): Promise<{ sequence: number; subjects: readonly string[] }>;
}

/** How long a node may go on without having read the epochs, in milliseconds. */
const staleAfterMs = 1_000;
const pollEveryMs = 250;
/** After this long without a reading, what is running ends. */
const endAfterMs = 5_000;
/** Who asks for a right waits no longer than this for a reading. */
const waitAtMostMs = 2_000;

export class Epochs {
  readonly #store: EpochStore;
  readonly #clock: Clock;
  readonly #listeners = new Set<(subjects: readonly string[]) => void>();
  readonly #lostListeners = new Set<() => void>();
  #sequence = 0;
  #readAtMs = -Infinity;
  #reading: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isLost = false;

  /** `clock` in milliseconds from anywhere: the monotonic one, which no one can set. */
  constructor(store: EpochStore, clock: Clock = () => performance.now()) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Reads the present state and begins to poll. `onError` hears of readings that failed. */
  async start(onError: (error: unknown) => void): Promise<void> {
    await this.refresh();
    this.#timer = setInterval(() => {
      // By the clock and not by the reading's failure: one that never answers is as bad as one that fails.
      if (!this.#isLost && this.#clock() - this.#readAtMs >= endAfterMs) this.#lose();
      this.refresh().catch(onError);
    }, pollEveryMs);
    this.#timer.unref();
  }

  #lose(): void {
    this.#isLost = true;
    for (const listener of this.#lostListeners) listener();
  }

  /** Calls back once nothing could be read for five seconds: what is running has to end. */
  onLost(listener: () => void): () => void {
    this.#lostListeners.add(listener);
    return () => this.#lostListeners.delete(listener);
  }

  /** Calls back with the subjects that moved, soon after they did. */
  onMove(listener: (subjects: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The last number that was read. */
  get sequence(): number { return this.#sequence; }

  /** True while what this node knows is at most one second old. */
  get fresh(): boolean {
    const age = this.#clock() - this.#readAtMs;
    return age >= 0 && age < staleAfterMs;
  }

  /** Makes what this node knows fresh, or throws: nothing protected is admitted on old knowledge. */
  async ensureFresh(): Promise<void> {
    if (this.fresh) return;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error('The store of rights does not answer.')), waitAtMostMs);
    try {
      await Promise.race([this.refresh(), late.promise]);
    } catch (cause) {
      throw new WeirError('storage.failed', 'The store of rights can not be read, so nothing is admitted; see the server log.', { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** One reading at a time; callers that come while one runs wait for the next, which sees their writes. */
  async refresh(): Promise<void> {
    const running = this.#reading;
    if (running !== undefined) await running.catch(() => undefined);
    this.#reading ??= this.#read().finally(() => { this.#reading = undefined; });
    await this.#reading;
  }

  async #read(): Promise<void> {
    const startedMs = this.#clock();
    const moved: string[] = [];
    for (;;) {
      const page = await this.#store.since(this.#sequence);
      if (page.subjects.length === 0) break;
      this.#sequence = page.sequence;
      moved.push(...page.subjects);
    }
    this.#readAtMs = startedMs;
    this.#isLost = false;
    if (moved.length > 0) for (const listener of this.#listeners) listener(moved);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
