/** Remembers signatures that were accepted, so that none is accepted twice. */
import { hash } from 'node:crypto';
import type { Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { lengthPrefixed } from './length-prefixed.ts';

/** Where accepted signatures are remembered. Insertion is atomic: of equal keys exactly one is ever `fresh`. */
export interface ReplayStore {
  /** Whether a signature dated then can be judged here: no earlier memory, now lost, can have accepted it. */
  covers(signedAtMs: number): boolean;
  /** Remembers `key` until `validUntilMs`, when its signature is too old for anyone. One that is too old already counts as repeated. */
  insert(key: string, validUntilMs: number): 'fresh' | 'repeated';
}

/** A signature's name: who, which MAC, for which raw target (the query included, which the MAC may not cover). */
export function replayKey(principal: string, mac: Uint8Array, target: string): string {
  return hash('sha256', lengthPrefixed(principal, mac, target), 'base64url');
}

const bucketMs = 5_000;

/**
 * A replay store in memory. `beganMs` is the earliest date of signatures that no earlier process can have accepted: for a
 * first start 0, else when the last process ended plus the greatest skew that it allowed; by default now. When `maxKeys`
 * are remembered a further one is refused with `rate.exceeded`: nothing that could still be replayed is ever forgotten.
 */
export class ReplayMemory implements ReplayStore {
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

  covers(signedAtMs: number): boolean {
    return signedAtMs >= this.#beganMs;
  }

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
