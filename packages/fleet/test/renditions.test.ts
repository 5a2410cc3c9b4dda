/** What was made of a holding is found through the jobs that read it. */
import { expect } from 'vitest';
import { forEachEngine } from '../../data/test/support/engines.ts';
import { rows } from '../../data/test/support/rows.ts';
import { renditionsOf } from '../src/renditions.ts';

const name = (letter: string): string => letter.repeat(26);
const reads = (...holdings: readonly string[]): string => JSON.stringify({ inputs: holdings.map((holding) => ({ cid: 'bafk', holding, size: 1, contentType: 'video/mp4' })) });

forEachEngine('renditions, their parts and what was made of them are found, and nothing else', async (fresh) => {
  await using data = await fresh.open();
  await data.write(async (tx) => {
    const job = { ...rows.job, state: 'completed' };
    await tx.insertInto('job').values([
      { ...job, id: 'ladder', specification: reads(name('A')) }, { ...job, id: 'audio', specification: reads(name('X'), name('B')) },
      { ...job, id: 'failed', state: 'failed', specification: reads(name('A')) }, { ...job, id: 'foreign', owner: 'bob', specification: reads(name('A')) },
    ]).execute();
    const holding = (letter: string, more: object) => ({ ...rows.holding, id: name(letter), digest: letter, ...more });
    await tx.insertInto('holding').values([
      holding('A', {}), holding('X', {}), holding('B', { origin: 'ladder' }), holding('C', { origin: 'ladder' }), holding('D', { origin: 'audio' }),
      holding('E', { origin: 'failed' }), holding('F', { origin: 'foreign', owner: 'bob' }), holding('G', { origin: 'ladder', deleted_at: 1 }),
    ]).execute();
  });
  expect([...await renditionsOf(data.read, { id: name('A'), owner: 'alice' })].sort()).toEqual([name('B'), name('C'), name('D')]);
  expect([...await renditionsOf(data.read, { id: name('D'), owner: 'alice' })]).toEqual([]);
});
