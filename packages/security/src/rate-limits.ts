/** Rate limits: GCRA per key, in a bounded table. */
import { WeirError } from '@weir/contracts/errors';
import type { Maybe } from './maybe.ts';

/** `limit` at once, then one more every `periodSeconds / limit`. */
export type RateLimit = Readonly<{ limit: number; periodSeconds: number }>;

/** `remaining` could follow at once; `resetSeconds` until all of them could; `retryAfterSeconds` until the next (0 if allowed). */
export type RateVerdict = Readonly<{ allowed: boolean; limit: number; remaining: number; resetSeconds: number; retryAfterSeconds: number }>;

export const defaultRateLimits = {
  default: { limit: 100, periodSeconds: 60 },
  signaling: { limit: 20, periodSeconds: 60 },
  /** Counts streams opened, not segments. */
  streaming: { limit: 5, periodSeconds: 60 },
  upload: { limit: 60, periodSeconds: 60 },
  jobs: { limit: 60, periodSeconds: 60 },
  auth_failures: { limit: 10, periodSeconds: 60 },
} as const satisfies Record<string, RateLimit>;
export type RateLimitName = keyof typeof defaultRateLimits;

/** Named limits over any number of keys. `nowMs` is from a clock that no one can set. */
export interface Limits<Name extends string = RateLimitName> {
  /** Counts one use if the limit still allows it. */
  take(name: Name, key: string, nowMs: number): Maybe<RateVerdict>;
}

/** Today's milliseconds are exact to 0.0003 as floating-point numbers; a sum of steps must not lose the last of a burst to that. */
const roundingMs = 0.002;

/**
 * One step of the generic cell rate algorithm (ITU-T I.371, virtual scheduling). `fullAtMs` is all that is stored of a key:
 * when its allowance will be whole again; past or undefined for a fresh key. Within any `w` seconds at most
 * `limit + w · limit / periodSeconds` pass: the burst and what is refilled, so never `limit` twice within a short time, as
 * around the edge of a fixed window.
 */
export function stepGcra(limit: RateLimit, fullAtMs: number | undefined, nowMs: number): Readonly<{ fullAtMs: number; verdict: RateVerdict }> {
  const periodMs = limit.periodSeconds * 1_000;
  const stepMs = periodMs / limit.limit;
  // Never further ahead than a period, even if the clock was set back: nobody waits for longer than that.
  const current = Math.min(Math.max(fullAtMs ?? 0, nowMs), nowMs + periodMs);
  const next = current + stepMs;
  const allowed = next - nowMs <= periodMs + roundingMs;
  return { fullAtMs: allowed ? next : current, verdict: verdictOf(limit, allowed, allowed ? next : current, nowMs) };
}

/** What is told of a key whose allowance is whole again at `fullAtMs`, by the clock that `nowMs` is from. */
export function verdictOf({ limit, periodSeconds }: RateLimit, allowed: boolean, fullAtMs: number, nowMs: number): RateVerdict {
  const periodMs = periodSeconds * 1_000;
  const stepMs = periodMs / limit;
  const owedMs = Math.max(0, fullAtMs - nowMs);
  return {
    allowed,
    limit,
    remaining: allowed ? Math.max(0, Math.floor((periodMs + roundingMs - owedMs) / stepMs)) : 0,
    resetSeconds: Math.ceil(owedMs / 1_000),
    retryAfterSeconds: allowed ? 0 : Math.max(1, Math.ceil((owedMs + stepMs - periodMs) / 1_000)),
  };
}

/** Beyond `maxKeys`, strangers of a name are counted together under this key: the limit holds for them as for one. */
const crowd = '\0crowd';
/** Keys looked at whenever a new one comes: more than one, so that the table shrinks after a rush. */
const sweptPerInsertion = 4;
/** A table filled to less than this part of its bound is left as it is: what is idle there takes little room. */
const roomy = 10;

/** When a key's allowance is whole again, and the hand that goes round and round over the keys to find idle ones. */
type Table = { readonly fullAtMs: Map<string, number>; hand: MapIterator<[string, number]> };

/** Named limits over any number of keys, in memory. Keys are principals or `limitKey` addresses; a key is forgotten only when idle. */
export class RateLimits<Name extends string = RateLimitName> implements Limits<Name> {
  readonly #limits: Readonly<Record<Name, RateLimit>>;
  readonly #maxKeys: number;
  readonly #tables = new Map<Name, Table>();

  /** `config.invalid` if a limit is not of 1 to 1 000 000 uses in 1 second to a day, or more than 100 000 a second. */
  constructor(limits: Readonly<Record<Name, RateLimit>>, maxKeys = 100_000) {
    for (const [name, limit] of Object.entries<RateLimit>(limits)) requireUsable(name, limit);
    this.#limits = limits;
    this.#maxKeys = maxKeys;
  }

  /** Counts one use if the limit still allows it. */
  take(name: Name, key: string, nowMs: number): RateVerdict {
    const table = this.#table(name);
    let counted = key;
    let known = table.fullAtMs.get(key);
    if (known === undefined) {
      if (table.fullAtMs.size > this.#maxKeys / roomy) sweepIdle(table, nowMs);
      counted = this.#strangerKey(table, key);
      known = table.fullAtMs.get(counted);
    }
    const { fullAtMs, verdict } = stepGcra(this.#limits[name], known, nowMs);
    if (verdict.allowed) table.fullAtMs.set(counted, fullAtMs);
    return verdict;
  }

  /** What `take` would say, without counting: for limits on failures, asked before it is known whether this is one. */
  look(name: Name, key: string, nowMs: number): RateVerdict {
    const table = this.#table(name);
    const known = table.fullAtMs.get(key) ?? table.fullAtMs.get(this.#strangerKey(table, key));
    return stepGcra(this.#limits[name], known, nowMs).verdict;
  }

  #strangerKey({ fullAtMs }: Table, key: string): string {
    return fullAtMs.size < this.#maxKeys ? key : crowd;
  }

  #table(name: Name): Table {
    let table = this.#tables.get(name);
    if (table === undefined) {
      const fullAtMs = new Map<string, number>();
      this.#tables.set(name, table = { fullAtMs, hand: fullAtMs.entries() });
    }
    return table;
  }
}

/** Bounds within which milliseconds as floating-point numbers still tell one step from the next. */
export const mostUses = 1_000_000;
export const longestPeriodSeconds = 86_400;
export const mostUsesPerSecond = 100_000;

function requireUsable(name: string, { limit, periodSeconds }: RateLimit): void {
  const isUsable = Number.isInteger(limit) && limit >= 1 && limit <= mostUses
    && periodSeconds >= 1 && periodSeconds <= longestPeriodSeconds && limit / periodSeconds <= mostUsesPerSecond;
  if (!isUsable) throw new WeirError('config.invalid', `The rate limit "${name}" is refused; set a limit of 1 to ${mostUses} and a period of 1 to ${longestPeriodSeconds} seconds.`);
}

function sweepIdle(table: Table, nowMs: number): void {
  for (let left = sweptPerInsertion; left > 0; left -= 1) {
    const { done, value } = table.hand.next();
    if (done === true) {
      table.hand = table.fullAtMs.entries();
      return;
    }
    const [key, fullAtMs] = value;
    if (fullAtMs <= nowMs) table.fullAtMs.delete(key);
  }
}

/** `RateLimit-*` headers and, on refusal, `Retry-After` (RFC 9110 §10.2.3), all in whole numbers. */
export function rateLimitHeaders({ allowed, limit, remaining, resetSeconds, retryAfterSeconds }: RateVerdict): Record<string, string> {
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
    ...(allowed ? {} : { 'retry-after': String(retryAfterSeconds) }),
  };
}
