/** How fast one socket may speak: what exceeds it is answered with an error, and who goes on all the same is cut off. */
import { stepGcra, type RateLimit } from './rate-limits.ts';

/** `exceeded`: drop the message and answer `rate.exceeded`. `ended`: close the socket with the close code of that error (1008, RFC 6455 §7.4.1). */
export type Pace = 'kept' | 'exceeded' | 'ended';

/** Messages that exceeded within a minute and were only answered. */
const patience: RateLimit = { limit: 10, periodSeconds: 60 };

/** One for each socket. */
export class MessagePace {
  readonly #limit: RateLimit;
  #fullAtMs: number | undefined;
  #patienceFullAtMs: number | undefined;

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** Counts one message that came at `nowMs` of a clock that never goes back. */
  take(nowMs: number): Pace {
    const step = stepGcra(this.#limit, this.#fullAtMs, nowMs);
    this.#fullAtMs = step.fullAtMs;
    if (step.verdict.allowed) return 'kept';
    const left = stepGcra(patience, this.#patienceFullAtMs, nowMs);
    this.#patienceFullAtMs = left.fullAtMs;
    return left.verdict.allowed ? 'exceeded' : 'ended';
  }
}
