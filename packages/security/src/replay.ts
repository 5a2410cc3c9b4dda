/** Remembers signatures that were accepted, so that none is accepted twice. */
import { hash } from 'node:crypto';
import type { Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { Maybe } from './maybe.ts';
import { lengthPrefixed } from './length-prefixed.ts';

/** Where accepted signatures are remembered: in the memory of one node, or where all nodes of a cluster look. */
export interface ReplayStore {
  /**
   * True for exactly one of equal keys, however many ask at once, wherever. `validUntilMs` is when the signature is too old for anyone, and
   * `signedAtMs` its date: false also when an earlier memory, now lost, can have accepted it, and when it is too old already.
   */
  accepts(key: string, signedAtMs: number, validUntilMs: number): Maybe<boolean>;
}

/** A signature's name: who, which MAC, for which raw target (the query included, which the MAC may not cover). */
export function replayKey(principal: string, mac: Uint8Array, target: string): string {
  return hash('sha256', lengthPrefixed(principal, mac, target), 'base64url');
}

const bucketMs = 5_000;

/**
 * What one process remembers. `beganMs` is the earliest date of signatures that no earlier process can have accepted: for a
 * first start 0, else when the last process ended plus the greatest skew that it allowed; by default now. When `maxKeys`
 * are remembered a further one is refused with `rate.exceeded`: nothing that could still be replayed is ever forgotten.
 */
export class ReplayMemory {
  readonly #clock: Clock;
  readonly #beganMs: number;
  readonly #maxKeys: number;
  readonly #keys = new Set<string>();
  /** Keys by the end of their validity, in steps of `bucketMs`. */
  readonly #buckets = new Map<number, string[]>();
  #sweptTo: number;

  constructor(clock: Clock, { beganMs = clock(), maxKeys = 200_000 }: Readonly<{ beganMs?: number; maxKeys?: number }> = {}) {
    this.#clock = clock;
    this.#beganMs = beganMs;
    this.#maxKeys = maxKeys;
    this.#sweptTo = bucketOf(clock());
  }

  get size(): number { return this.#keys.size; }

  /** Whether a signature dated then can be judged here: no earlier memory, now lost, can have accepted it. */
  covers(signedAtMs: number): boolean {
    return signedAtMs >= this.#beganMs;
  }

  /** Remembers `key` until `validUntilMs`. One that is too old already counts as repeated. */
  insert(key: string, validUntilMs: number): 'fresh' | 'repeated' {
    this.#forgetExpired();
    const bucket = bucketOf(validUntilMs);
    // What expired may have been remembered and forgotten; a clock that goes back must not revive it.
    if (bucket < this.#sweptTo || this.#keys.has(key)) return 'repeated';
    if (this.#keys.size >= this.#maxKeys) throw new WeirError('rate.exceeded', 'Too many signed requests at once; send it again in a minute.');
    this.#keys.add(key);
    const keys = this.#buckets.get(bucket);
    if (keys === undefined) this.#buckets.set(bucket, [key]);
    else keys.push(key);
    return 'fresh';
  }

  #forgetExpired(): void {
    const current = bucketOf(this.#clock());
    if (current <= this.#sweptTo) return;
    for (const [bucket, keys] of this.#buckets) {
      if (bucket >= current) continue;
      for (const key of keys) this.#keys.delete(key);
      this.#buckets.delete(bucket);
    }
    this.#sweptTo = current;
  }
}

/** A bucket is over when the clock is past its last millisecond. */
const bucketOf = (ms: number): number => Math.floor(ms / bucketMs);
