import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defaultRateLimits, rateLimitHeaders, RateLimits, stepGcra, type RateLimit } from '../src/rate-limits.ts';
import { runs } from './runs.ts';

const start = 1_800_000_000_000;
const anyLimit = fc.record({ limit: fc.integer({ min: 1, max: 200 }), periodSeconds: fc.integer({ min: 1, max: 3_600 }) });

/** The obvious model: a bucket of `limit` uses that fills at a steady rate; in thousandths of a millisecond to stay exact. */
class Bucket {
  #uses: number;
  #at = start;
  readonly #limit: RateLimit;
  constructor(limit: RateLimit) {
    this.#limit = limit;
    this.#uses = limit.limit;
  }
  take(at: number): boolean {
    this.#uses = Math.min(this.#limit.limit, this.#uses + ((at - this.#at) * this.#limit.limit) / (this.#limit.periodSeconds * 1_000));
    this.#at = at;
    if (this.#uses < 1 - 1e-6) return false;
    this.#uses -= 1;
    return true;
  }
}

test('the table decides as a bucket that fills steadily', () => {
  fc.assert(fc.property(anyLimit, fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 300 }), (limit, pauses) => {
    const limits = new RateLimits({ only: limit });
    const bucket = new Bucket(limit);
    let at = start;
    for (const pause of pauses) {
      at += pause;
      expect(limits.take('only', 'alice', at).allowed, `at ${at - start}`).toBe(bucket.take(at));
    }
  }), { numRuns: runs(200) });
});

test('no window holds more than the burst and what is refilled meanwhile, and no refusal comes too early', () => {
  fc.assert(fc.property(anyLimit, fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 200 }), (limit, pauses) => {
    const limits = new RateLimits({ only: limit });
    const stepMs = (limit.periodSeconds * 1_000) / limit.limit;
    const passed: number[] = [];
    let at = start;
    for (const pause of pauses) {
      at += pause;
      const most = (from: number): number => limit.limit + (at - from) / stepMs + 1e-3;
      const { allowed } = limits.take('only', 'alice', at);
      if (allowed) passed.push(at);
      passed.forEach((from, index) => { expect(passed.length - index).toBeLessThanOrEqual(most(from)); });
      const isFull = passed.some((from, index) => passed.length - index + 1 > limit.limit + (at - from) / stepMs - 1e-3);
      if (!allowed) expect(isFull).toBe(true);
    }
  }), { numRuns: runs(60) });
});

test('a full burst passes at once, the next is refused, and waiting as told is enough', () => {
  for (const limit of Object.values(defaultRateLimits)) {
    const limits = new RateLimits({ only: limit });
    const verdicts = Array.from({ length: limit.limit }, () => limits.take('only', 'k', start));
    expect(verdicts.map(({ allowed }) => allowed)).toEqual(Array(limit.limit).fill(true));
    expect(verdicts.map(({ remaining }) => remaining)).toEqual([...Array(limit.limit).keys()].toReversed());
    const refused = limits.take('only', 'k', start);
    expect(refused).toMatchObject({ allowed: false, remaining: 0, resetSeconds: 60 });
    expect(limits.take('only', 'k', start + refused.retryAfterSeconds * 1_000).allowed).toBe(true);
    expect(limits.take('only', 'k', start + 3_600_000)).toMatchObject({ allowed: true, remaining: limit.limit - 1 });
  }
});

test('ten a second lets no nineteen through in 200 ms, as a fixed window does at its edge', () => {
  const limits = new RateLimits({ only: { limit: 10, periodSeconds: 1 } });
  const passed = [...Array(200).keys()].filter((ms) => limits.take('only', 'k', start + 900 + ms).allowed);
  expect(passed.length).toBeLessThanOrEqual(12);
});

test('keys and names do not share an allowance, and looking counts nothing', () => {
  const limits = new RateLimits({ one: { limit: 1, periodSeconds: 60 }, two: { limit: 1, periodSeconds: 60 } });
  expect(limits.look('one', 'a', start).allowed).toBe(true);
  expect(limits.take('one', 'a', start).allowed).toBe(true);
  expect(limits.look('one', 'a', start).allowed).toBe(false);
  expect(limits.take('one', 'b', start).allowed).toBe(true);
  expect(limits.take('two', 'a', start).allowed).toBe(true);
});

test('a full table forgets idle keys only; further strangers share one allowance', () => {
  const limits = new RateLimits({ only: { limit: 2, periodSeconds: 60 } }, 3);
  for (const key of ['a', 'b', 'c']) {
    limits.take('only', key, start);
    limits.take('only', key, start);
  }
  expect(['x', 'y', 'z'].map((key) => limits.take('only', key, start).allowed)).toEqual([true, true, false]);
  expect(limits.look('only', 'new', start).allowed).toBe(false);
  expect(['a', 'b', 'c'].map((key) => limits.take('only', key, start).allowed)).toEqual([false, false, false]);
  const later = start + 61_000;
  expect(['x', 'y', 'z'].map((key) => limits.take('only', key, later).allowed)).toEqual([true, true, true]);
});

test('a clock that goes back locks nobody out for longer than a period', () => {
  const limit = { limit: 3, periodSeconds: 60 };
  let fullAtMs: number | undefined;
  for (let use = 0; use < 3; use += 1) ({ fullAtMs } = stepGcra(limit, fullAtMs, start));
  const { verdict } = stepGcra(limit, fullAtMs, start - 86_400_000);
  expect(verdict.allowed).toBe(false);
  expect(verdict.retryAfterSeconds).toBeLessThanOrEqual(60);
});

test('headers are whole numbers, and Retry-After comes with a refusal only', () => {
  const limits = new RateLimits({ only: { limit: 1, periodSeconds: 7 } });
  expect(rateLimitHeaders(limits.take('only', 'k', start))).toEqual({ 'ratelimit-limit': '1', 'ratelimit-remaining': '0', 'ratelimit-reset': '7' });
  expect(rateLimitHeaders(limits.take('only', 'k', start + 1))).toEqual({ 'ratelimit-limit': '1', 'ratelimit-remaining': '0', 'ratelimit-reset': '7', 'retry-after': '7' });
});

test('unusable limits are refused when they are set', () => {
  for (const limit of [{ limit: 0, periodSeconds: 60 }, { limit: 1.5, periodSeconds: 60 }, { limit: 1, periodSeconds: 0 }, { limit: Number.NaN, periodSeconds: 1 }, { limit: 1, periodSeconds: Infinity }]) {
    expect(() => new RateLimits({ only: limit })).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.stringContaining('"only"') }));
  }
});

test('a rush of strangers fills no table, and whoever used a burst meanwhile is not forgotten', () => {
  const limits = new RateLimits({ only: { limit: 10, periodSeconds: 10 } }, 1_000);
  // Five hundred strangers a second, each idle again after one: were they kept, they would soon meet the limit of the crowd.
  for (let at = 0; at < 20_000; at += 1) {
    const nowMs = start + at * 2;
    expect(limits.take('only', `stranger-${at}`, nowMs)).toMatchObject({ allowed: true, remaining: 9 });
    if (at % 1_000 === 0) while (limits.take('only', 'burst', nowMs).allowed);
    if (at % 1_000 === 400) expect(limits.look('only', 'burst', nowMs).allowed).toBe(false);
  }
});

test('limits are taken up to their bounds', () => {
  const takes = (limit: number, periodSeconds: number): boolean => { try { return new RateLimits({ only: { limit, periodSeconds } }).take('only', 'a', 0).allowed; } catch { return false; } };
  expect([takes(1_000_000, 10), takes(1_000_001, 86_400), takes(1, 86_400), takes(1, 86_401), takes(1, 1), takes(1, 0.5), takes(100_000, 1), takes(100_001, 1), takes(-1, 1)]).toEqual([true, false, true, false, true, false, true, false, false]);
});
