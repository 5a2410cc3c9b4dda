import fc from 'fast-check';
import { expect, test } from 'vitest';
import { forEachEngine } from '../../data/test/support/engines.ts';
import type { Data } from '@weir/data/data';
import { terminalStates } from '@weir/contracts/jobs';
import { insertOutput, outputsOf, takeOrphans, takeOutputs } from '../src/output-store.ts';
import {
  beginVerification, cancelJob, claimJobs, completeJob, failAttempt, findJob, interruptAttempt, releaseAbandoned, renewLeases, retryJob, startAttempt,
  sweepExpired, sweepStalled, takeVerifications, type Attempt, type JobRow,
} from '../src/store.ts';
import { insert, received, register, runs } from './support/rows.ts';
import { sqlite } from './support/sqlite.ts';

const workers = ['w1', 'w2'];

/** What may happen to a job. `who` counts back among all attempts that ever were, so many reports are late, repeated or of an old fence. */
const event = fc.record({
  what: fc.oneof(
    // Most of what happens is the way forward, so that many sequences get to its end.
    { weight: 4, arbitrary: fc.constantFrom('claim', 'start', 'output', 'deliver', 'publish') },
    { weight: 1, arbitrary: fc.constantFrom('fail', 'giveUp', 'stop', 'renew', 'cancel', 'retry', 'retry', 'retry', 'expire', 'stall', 'abandon', 'takeOver', 'orphans') },
  ),
  who: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 5 }) }), worker: fc.constantFrom(...workers), pass: fc.integer({ min: 1, max: 40_000 }),
});
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

/** The world as an observer outside sees it. */
type World = { now: number; attempts: Attempt[]; published: { fence: number; blobs: string[] }[]; discarded: Set<string>; received: Map<string, number>; serial: number };

async function happen(data: Data, id: string, world: World, { what, who, worker, pass }: Event): Promise<void> {
  world.now += pass;
  const now = world.now;
  const attempt = world.attempts.at(-1 - (who % Math.max(world.attempts.length, 1))) ?? { job: id, fence: 1, worker: 'w1' };
  switch (what) {
    case 'claim': {
      const rows = await data.write((tx) => claimJobs(tx, { worker, classes: ['cpu'], slots: 1 }, now, now + 30_000, 0));
      world.attempts.push(...rows.map((row) => ({ job: row.id, fence: row.fence, worker })));
      return;
    }
    case 'start': return void await data.write((tx) => startAttempt(tx, attempt, now));
    case 'output': {
      const blob = `b${world.serial += 1}`;
      const kept = await data.write((tx) => insertOutput(tx, attempt, 'a.mp4', received(blob, `d${attempt.fence}`), now)).catch(() => ({ fresh: false }));
      if (kept.fresh) world.received.set(blob, attempt.fence);
      else world.discarded.add(blob);
      return;
    }
    case 'deliver': return void await data.write((tx) => beginVerification(tx, attempt, now + 30_000));
    case 'publish': {
      try {
        const blobs = await data.write(async (tx) => {
          const rows = await takeOutputs(tx, attempt.job, attempt.fence);
          await completeJob(tx, attempt, '[]', now);
          return rows.map(({ holding_facts: facts }) => String(JSON.parse(facts).blob));
        });
        world.published.push({ fence: attempt.fence, blobs });
      } catch (error) {
        expect(error).toMatchObject({ code: 'job.lease_lost' });
      }
      return;
    }
    case 'fail': return void await data.write((tx) => failAttempt(tx, attempt, { code: 'c', message: 'm', retryable: true }, now));
    case 'giveUp': return void await data.write((tx) => failAttempt(tx, attempt, { code: 'c', message: 'm', retryable: false }, now));
    case 'stop': return void await data.write((tx) => interruptAttempt(tx, attempt, now));
    case 'renew': return void await data.write((tx) => renewLeases(tx, attempt.worker, [attempt], now + 30_000));
    case 'cancel': return void await data.write((tx) => cancelJob(tx, id, now + 10_000, now));
    case 'retry': return void await data.write((tx) => retryJob(tx, id, now));
    case 'expire': return void await data.write((tx) => sweepExpired(tx, now));
    case 'stall': return void await data.write((tx) => sweepStalled(tx, now - 120_000, 0, now));
    case 'abandon': return void await data.write((tx) => releaseAbandoned(tx, worker, [], 0, now));
    case 'takeOver': return void await data.write((tx) => takeVerifications(tx, now, now + 30_000));
    case 'orphans': {
      const rows = await data.write((tx) => takeOrphans(tx));
      for (const { holding_facts: facts } of rows) world.discarded.add(JSON.parse(facts).blob);
      return;
    }
  }
}

function holds(before: JobRow, after: JobRow, what: string, world: World): void {
  const isTerminal = (row: JobRow) => terminalStates.some((state) => state === row.state);
  if (isTerminal(before) && what !== 'retry') expect({ ...after }).toEqual({ ...before });
  if (before.state === 'completed') expect(after.state).toBe('completed');
  expect(after.fence).toBeGreaterThanOrEqual(before.fence);
  expect(after.attempt).toBeGreaterThanOrEqual(0);
  expect(after.attempt).toBeLessThanOrEqual(after.max_attempts);
  expect(after.finished_at !== null).toBe(isTerminal(after));
  if (['assigned', 'running', 'canceling', 'verifying'].includes(after.state)) expect(after.worker).not.toBeNull();
  if (after.state === 'queued') expect([after.worker, after.lease_until]).toEqual([null, null]);
  expect(world.published.length).toBe(after.state === 'completed' ? 1 : 0);
  for (const { fence, blobs } of world.published) {
    expect(fence).toBe(after.fence);
    for (const blob of blobs) {
      expect(world.received.get(blob)).toBe(fence);
      expect(world.discarded.has(blob)).toBe(false);
    }
  }
}

test('whatever happens in whatever order, a job is published at most once, by its newest attempt, and an end is final (dffmpeg §2 #16)', async () => {
  await using engine = await sqlite();
  for (const worker of workers) await register(engine.data, worker);
  await fc.assert(fc.asyncProperty(fc.array(event, { minLength: 20, maxLength: 80, size: 'max' }), async (events) => {
    await engine.data.write((tx) => tx.deleteFrom('job').execute());
    const { id } = await insert(engine.data);
    const world: World = { now: 10_000, attempts: [], published: [], discarded: new Set(), received: new Map(), serial: 0 };
    let before = await row(engine.data, id);
    for (const one of events) {
      await happen(engine.data, id, world, one);
      const after = await row(engine.data, id);
      holds(before, after, one.what, world);
      before = after;
    }
    await happen(engine.data, id, world, { what: 'orphans', who: 0, worker: 'w1', pass: 1 });
    if (before.state !== 'running' && before.state !== 'verifying') expect(await outputsOf(engine.data.read, id, before.fence)).toEqual([]);
  }), { numRuns: runs(40) });
}, 60_000);

forEachEngine('of racing publications, cancellations and sweeps exactly one wins', async (fresh) => {
  await using data = await fresh.open();
  for (const worker of workers) await register(data, worker);
  for (let round = 0; round < runs(15); round += 1) {
    const { id } = await insert(data);
    const [claimed] = await data.write((tx) => claimJobs(tx, { worker: 'w1', classes: ['cpu'], slots: 1 }, 10_000, 40_000, 0));
    const attempt: Attempt = { job: id, fence: claimed?.fence ?? 0, worker: 'w1' };
    await data.write((tx) => startAttempt(tx, attempt, 10_000));
    await data.write((tx) => insertOutput(tx, attempt, 'a.mp4', received(`b${round}`), 10_000));
    await data.write((tx) => beginVerification(tx, attempt, 40_000));
    const publish = () => data.write(async (tx) => {
      const rows = await takeOutputs(tx, id, attempt.fence);
      await completeJob(tx, attempt, '[]', 1);
      return rows.length;
    });
    const results = await Promise.allSettled([publish(), publish(), data.write((tx) => cancelJob(tx, id, 1, 1)), data.write((tx) => takeOrphans(tx)), publish()]);
    const publications = [results[0], results[1], results[4]].filter((result) => result.status === 'fulfilled');
    const state = (await row(data, id)).state;
    expect(publications.map((result) => result.value)).toEqual(state === 'completed' ? [1] : []);
    expect(['completed', 'canceled']).toContain(state);
  }
});

async function row(data: Data, id: string): Promise<JobRow> {
  const found = await findJob(data.read, id);
  if (found === undefined) throw new Error('the job is gone');
  return found;
}
