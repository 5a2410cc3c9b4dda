import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { RateLimits } from '../src/rate-limits.ts';

/** Bytes that are in use after a full collection. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
}

test('ipfs-kit §1.5 #12: a million strangers cost the memory of the table, and those who were counted before keep their allowance', () => {
  const limits = new RateLimits({ only: { limit: 2, periodSeconds: 60 } }, 10_000);
  const start = 1_800_000_000_000;
  for (const known of ['alice', 'bob']) expect(limits.take('only', known, start).allowed).toBe(true);
  const before = heapUsed();
  let admitted = 0;
  for (let count = 0; count < 1_000_000; count += 1) if (limits.take('only', `198.51.${count >> 8}.${count & 255}`, start).allowed) admitted += 1;
  expect(heapUsed() - before).toBeLessThan(8 * 2 ** 20);
  // Of those beyond the table nearly all are refused together, so made-up addresses buy no allowance.
  expect(admitted).toBeLessThan(25_000);
  expect(['alice', 'bob'].map((known) => limits.take('only', known, start).allowed)).toEqual([true, true]);
  expect(limits.take('only', 'alice', start).allowed).toBe(false);
});
