import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { forEachEngine } from '../../data/test/support/engines.ts';
import type { MediaRunner } from '../src/worker/attempt.ts';
import { startFleet } from './support/fleet.ts';
import { runs } from './support/rows.ts';
import { eventually, holding, reversing, startWorker } from './support/workers.ts';

const request = (cid: string) => ({ arguments: ['-i', '{in:0}', '-c', 'copy', '{out:a.mp4}'], inputs: [{ cid }], outputs: ['a.mp4'] });

forEachEngine('two coordinators on one database never give a job twice', async (fresh) => {
  await using data = await fresh.open();
  await using one = await startFleet(data, { timings: { lease: 10_000 } });
  await using two = await startFleet(data, { timings: { lease: 10_000 }, peer: one });
  const begun: string[] = [];
  const counting = (name: string): MediaRunner => async (job, signal) => {
    begun.push(name);
    return await reversing(job, signal);
  };
  const jobs = [];
  for (let i = 0; i < runs(16); i += 1) jobs.push((await (i % 2 === 0 ? one : two).submit(`owner${i % 3}`, request((await one.upload(`owner${i % 3}`, randomBytes(500))).cid))).job_id);
  await using _a = startWorker(one, 'a', counting('a'), { slots: 2 });
  await using _b = startWorker(two, 'b', counting('b'), { slots: 2 });
  await using _c = startWorker(two, 'c', counting('c'), { slots: 2 });
  const ended = await Promise.all(jobs.map((id) => one.ended(id)));
  expect(ended.every(({ state, attempt }) => state === 'completed' && attempt === 1)).toBe(true);
  expect(begun).toHaveLength(jobs.length);
  expect(await data.read.selectFrom('holding').select('id').where('origin', 'is not', null).execute()).toHaveLength(jobs.length);
  expect([one.errors, two.errors]).toEqual([[], []]);
});

forEachEngine('what one coordinator is asked reaches the worker of the other', async (fresh) => {
  await using data = await fresh.open();
  await using one = await startFleet(data, { timings: { lease: 10_000 } });
  await using two = await startFleet(data, { timings: { lease: 10_000 }, peer: one });
  const slow = holding();
  await using _worker = startWorker(two, 'w', slow.run);
  const job = await one.submit('alice', request((await one.upload('alice', randomBytes(500))).cid));
  await slow.begun;
  await one.until(job.job_id, 'running');
  await one.state.coordinator.cancel(job.job_id, 'alice');
  expect(await one.ended(job.job_id)).toMatchObject({ state: 'canceled' });
  await eventually(() => slow.aborted());
});
