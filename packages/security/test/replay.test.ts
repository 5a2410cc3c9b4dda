import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReplayMemory, replayKey } from '../src/replay.ts';
import { runs } from './runs.ts';

const start = 1_800_000_000_000;

test('a key is fresh once', () => {
  const memory = new ReplayMemory(() => start);
  const mac = randomBytes(32);
  expect(memory.insert(replayKey('alice', mac, '/jobs'), start + 30_000)).toBe('fresh');
  expect(memory.insert(replayKey('alice', mac, '/jobs'), start + 30_000)).toBe('repeated');
  expect(memory.insert(replayKey('alice', mac, '/jobs?wait=5'), start + 30_000)).toBe('fresh');
  expect(memory.insert(replayKey('bob', mac, '/jobs'), start + 30_000)).toBe('fresh');
  expect(replayKey('a', Buffer.from('bc'), 'd')).not.toBe(replayKey('ab', Buffer.from('c'), 'd'));
});

test('of any sequence, a key that is still valid is fresh once, and expired ones leave', () => {
  const step = fc.record({ wait: fc.nat(20_000), key: fc.constantFrom('a', 'b', 'c', 'd'), life: fc.nat(60_000) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    let now = start;
    const memory = new ReplayMemory(() => now);
    const validUntil = new Map<string, number>();
    for (const { wait, key, life } of steps) {
      now += wait;
      const outcome = memory.insert(key, now + life);
      if (now <= (validUntil.get(key) ?? 0)) expect(outcome).toBe('repeated');
      if (outcome === 'fresh') validUntil.set(key, now + life);
      expect(memory.size).toBeLessThanOrEqual([...validUntil.values()].filter((until) => until > now - 5_000).length);
    }
  }), { numRuns: runs(300) });
});

test('a signature that is valid for a moment longer is fresh, and is remembered for that moment', () => {
  let now = start;
  const memory = new ReplayMemory(() => now);
  expect([memory.insert('now', start), memory.insert('a', start + 7_000), memory.insert('old', start - 1)]).toEqual(['fresh', 'fresh', 'repeated']);
  now = start + 5_000;
  expect([memory.insert('a', start + 7_000), memory.insert('now', start), memory.size]).toEqual(['repeated', 'repeated', 1]);
});

test('the name of a signature is a digest', () => {
  expect(replayKey('alice', Buffer.alloc(32), '/a?b')).toMatch(/^[\w-]{43}$/);
});

test('a clock that goes back revives nothing', () => {
  let now = start;
  const memory = new ReplayMemory(() => now);
  expect(memory.insert('k', start + 30_000)).toBe('fresh');
  now = start + 60_000;
  expect(memory.insert('other', now + 30_000)).toBe('fresh');
  expect(memory.size).toBe(1);
  now = start;
  expect(memory.insert('k', start + 30_000)).toBe('repeated');
});

test('a full memory refuses further keys and forgets none; room comes back with time', () => {
  let now = start;
  const memory = new ReplayMemory(() => now, { maxKeys: 2 });
  memory.insert('a', start + 30_000);
  memory.insert('b', start + 30_000);
  expect(() => memory.insert('c', start + 30_000)).toThrow(expect.objectContaining({ code: 'rate.exceeded', message: expect.stringContaining('again in a minute') }));
  expect(memory.insert('a', start + 30_000)).toBe('repeated');
  now += 40_000;
  expect(memory.insert('c', now + 30_000)).toBe('fresh');
  expect(memory.size).toBe(1);
});

test('what is dated before the memory began is not judged', () => {
  expect(new ReplayMemory(() => start).covers(start - 1)).toBe(false);
  expect(new ReplayMemory(() => start).covers(start)).toBe(true);
  expect(new ReplayMemory(() => start, { beganMs: 0 }).covers(1)).toBe(true);
});
