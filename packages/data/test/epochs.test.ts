/** Moved epochs are told in order, completely, whoever writes at the same time. */
import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import fc from 'fast-check';
import type { Data } from '../src/data.ts';
import { currentEpoch, epochsSince, moveEpochs } from '../src/epochs.ts';
import { forEachEngine, runs } from './support/engines.ts';

async function drain(data: Data, from: number, heard: string[]): Promise<number> {
  for (let sequence = from; ;) {
    const page = await epochsSince(data.read, sequence);
    if (page.subjects.length === 0) return page.sequence;
    heard.push(...page.subjects);
    sequence = page.sequence;
  }
}

forEachEngine('a reader that follows eight writers hears of every move', async (fresh) => {
  await using data = await fresh.open();
  const moves = runs(12);
  const numbers: number[] = [];
  let writing = true;
  const writers = Promise.all(Array.from({ length: 8 }, async (_, writer) => {
    const write = writer % 2 === 0 ? data.write : data.writeReadCommitted;
    for (let move = 0; move < moves; move += 1) numbers.push(await write((tx) => moveEpochs(tx, [`session:${writer}-${move}`])));
  })).finally(() => { writing = false; });
  const heard: string[] = [];
  let sequence = 0;
  while (writing) {
    sequence = await drain(data, sequence, heard);
    // Reads of SQLite never let the event loop turn; the writers need it to.
    await setImmediate();
  }
  await writers;
  expect(await drain(data, sequence, heard)).toBe(8 * moves);
  expect(new Set(heard).size).toBe(8 * moves);
  expect(heard).toHaveLength(8 * moves);
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 8 * moves }, (_, index) => index + 1));
});

forEachEngine('a change that fails moves no epoch', async (fresh) => {
  await using data = await fresh.open();
  const failed = data.write(async (tx) => {
    await moveEpochs(tx, ['principal:alice']);
    throw new Error('on purpose');
  });
  await expect(failed).rejects.toThrow('on purpose');
  expect(await epochsSince(data.read, 0)).toEqual({ sequence: 0, subjects: [] });
  expect(await data.write((tx) => moveEpochs(tx, ['principal:alice', 'principal:alice']))).toBe(1);
  expect(await data.write((tx) => moveEpochs(tx, []))).toBe(1);
});

forEachEngine('thousands of subjects that move at once are told in pages without a gap', async (fresh) => {
  await using data = await fresh.open();
  const subjects = Array.from({ length: 2_700 }, (_, index) => `token:${index}`);
  await data.write((tx) => moveEpochs(tx, ['role:user']));
  const last = await data.write((tx) => moveEpochs(tx, subjects));
  expect(await currentEpoch(data.read)).toBe(last);
  const heard: string[] = [];
  expect(await drain(data, 1, heard)).toBe(last);
  expect(heard.sort()).toEqual(subjects.sort());
});

forEachEngine('what is heard after any moves is what moved since', async (fresh) => {
  await using data = await fresh.open();
  const subject = fc.constantFrom('principal:a', 'principal:b', 'role:user', 'holding:x', 'grant:y');
  await fc.assert(fc.asyncProperty(fc.array(fc.uniqueArray(subject, { minLength: 1 }), { maxLength: 6 }), async (plan) => {
    const start = await currentEpoch(data.read);
    for (const subjects of plan) await data.write((tx) => moveEpochs(tx, subjects));
    const heard: string[] = [];
    expect(await drain(data, start, heard)).toBe(start + plan.length);
    expect(new Set(heard)).toEqual(new Set(plan.flat()));
  }), { numRuns: runs(10) });
});
