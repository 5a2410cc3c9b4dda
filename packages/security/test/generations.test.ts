import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Directory } from '../src/directory.ts';
import { Generations } from '../src/generations.ts';
import { runs } from './runs.ts';

const step = fc.record({ act: fc.constantFrom('get', 'set', 'delete'), key: fc.nat(12) });
const weightOf = (key: number): number => 1 + (key % 4);

test('a cache of two generations says what was set last or nothing, and weighs no more than it may', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 20 }), fc.array(step, { maxLength: 100 }), (most, steps) => {
    const cache = new Generations<number>(most);
    const last = new Map<number, number>();
    steps.forEach(({ act, key }, index) => {
      const weight = weightOf(key);
      if (act === 'get') expect([undefined, last.get(key)]).toContain(cache.get(String(key), weight));
      if (act === 'delete') {
        cache.delete(String(key), weight);
        last.delete(key);
        expect(cache.get(String(key), weight)).toBeUndefined();
      }
      if (act === 'set') {
        cache.set(String(key), index, weight);
        last.set(key, index);
        expect(cache.get(String(key), weight)).toBe(weight > most / 2 ? undefined : index);
      }
      expect(cache.size).toBeLessThanOrEqual(most);
    });
    const kept = [...last.keys()].filter((key) => cache.get(String(key), weightOf(key)) !== undefined);
    expect(kept.reduce((sum, key) => sum + weightOf(key), 0)).toBeLessThanOrEqual(most * 2);
  }), { numRuns: runs(500) });
});

test('what is used at least once in a generation stays, however many others come', () => {
  const cache = new Generations<string>(100);
  cache.set('used', 'here');
  for (let at = 0; at < 10_000; at += 1) {
    cache.set(`other-${at}`, '');
    if (at % 40 === 0) expect(cache.get('used')).toBe('here');
  }
});

test('a cache is filled to what it may weigh before anything goes, whatever is set again or deleted on the way', () => {
  const cache = new Generations<number>(4);
  const kept = (...keys: string[]): boolean[] => keys.map((key) => cache.get(key) !== undefined);
  cache.set('a', 1);
  for (let at = 0; at < 5; at += 1) cache.set('a', at);
  cache.set('going', 1);
  cache.delete('going');
  for (const key of ['b', 'c', 'd']) cache.set(key, 1);
  expect([cache.size, kept('c', 'd')]).toEqual([4, [true, true]]);
  // One that is set again counts once, and one that is deleted is gone from both generations.
  cache.set('a', 7);
  expect([cache.size, cache.get('a')]).toEqual([3, 7]);
  cache.delete('d');
  expect([cache.size, kept('a', 'd', 'b', 'c')]).toEqual([2, [true, false, false, true]]);
  cache.set('whole', 1, 3);
  expect(cache.get('whole', 3), 'heavier than a generation').toBeUndefined();
  cache.set('half', 1, 2);
  expect(cache.get('half', 2)).toBe(1);
});

test('names that nobody has push out no row that is there', async () => {
  let loads = 0;
  const directory = new Directory<string>(async (key) => {
    loads += 1;
    return key === 'alice' ? 'a row' : undefined;
  }, 10);
  await directory.find('alice');
  for (let at = 0; at < 1_000; at += 1) await directory.find(`junk-${at}`);
  expect(directory.find('alice')).toBe('a row');
  expect(loads).toBe(1_001);
});
