import { expect } from 'vitest';
import { forEachEngine } from '../../data/test/support/engines.ts';
import type { Data } from '@weir/data/data';
import { blameWorker, noteFailure } from '../src/coordinator/registry.ts';
import { insertOutput, outputsOf, takeOrphans, takeOutputs } from '../src/output-store.ts';
import {
  beginVerification, cancelJob, claimJobs, completeJob, failAttempt, findJob, insertJob, listJobs, releaseAbandoned, renewLeases, retryJob, startAttempt,
  sweepExpired, sweepStalled, takeVerifications, type JobRow,
} from '../src/store.ts';
import { attemptOf, insert, newJob, received, register, runs } from './support/rows.ts';

const claim = (data: Data, worker: string, slots = 1, now = 2_000): Promise<JobRow[]> =>
  data.writeReadCommitted((tx) => claimJobs(tx, { worker, classes: ['cpu'], slots }, now, now + 30_000, now - 20_000));

async function claimOne(data: Data, worker: string, now = 2_000): Promise<JobRow> {
  const [row] = await claim(data, worker, 1, now);
  if (row === undefined) throw new Error('nothing to claim');
  return row;
}

const stateOf = async (data: Data, id: string): Promise<string | undefined> => (await findJob(data.read, id))?.state;

forEachEngine('the same key and request give the first job, another request is refused', async (fresh) => {
  await using data = await fresh.open();
  const first = await insert(data, { idempotency_key: 'k', request_digest: 'd1' });
  expect((await insert(data, { idempotency_key: 'k', request_digest: 'd1' })).id).toBe(first.id);
  await expect(insert(data, { idempotency_key: 'k', request_digest: 'd2' })).rejects.toMatchObject({ code: 'request.repeated' });
  expect((await insert(data, { owner: 'bob', idempotency_key: 'k', request_digest: 'd2' })).id).not.toBe(first.id);
  const raced = await Promise.all(Array.from({ length: 20 }, () => insert(data, { idempotency_key: 'raced', request_digest: 'd' })));
  expect(new Set(raced.map((row) => row.id)).size).toBe(1);
});

forEachEngine('an owner has at most so many unfinished jobs', async (fresh) => {
  await using data = await fresh.open();
  const add = (owner: string) => data.write((tx) => insertJob(tx, newJob({ owner }), 3, 1_000));
  const results = await Promise.allSettled(Array.from({ length: 6 }, () => add('alice')));
  expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(3);
  expect(results.find((r) => r.status === 'rejected')?.reason).toMatchObject({ code: 'job.queue_full' });
  await add('bob');
});

forEachEngine('racing workers never get the same job, and each assignment raises the fence', async (fresh) => {
  await using data = await fresh.open();
  const workers = Array.from({ length: 6 }, (_, i) => `w${i}`);
  for (const worker of workers) await register(data, worker);
  const jobs = runs(60);
  for (let i = 0; i < jobs; i += 1) await insert(data);
  const claimed = await Promise.all(workers.map(async (worker) => {
    const mine: JobRow[] = [];
    for (;;) {
      const rows = await claim(data, worker, 2);
      if (rows.length === 0) return mine;
      mine.push(...rows);
    }
  }));
  const all = claimed.flat();
  expect(all).toHaveLength(jobs);
  expect(new Set(all.map((row) => row.id)).size).toBe(jobs);
  expect(all.every((row) => row.fence === 1 && row.attempt === 1 && row.state === 'assigned')).toBe(true);
});

forEachEngine('priority comes first, then the owner with the fewest running, then age', async (fresh) => {
  await using data = await fresh.open();
  await register(data, 'w');
  const a1 = await insert(data, { owner: 'alice' });
  const a2 = await insert(data, { owner: 'alice' });
  const b1 = await insert(data, { owner: 'bob' });
  const urgent = await insert(data, { owner: 'alice', priority: 90 });
  const order = [];
  for (let i = 0; i < 4; i += 1) order.push((await claimOne(data, 'w')).id);
  expect(order).toEqual([urgent.id, b1.id, a1.id, a2.id]);
});

forEachEngine('a worker gets no job of another class, none while it drains or is quarantined', async (fresh) => {
  await using data = await fresh.open();
  await insert(data, { class: 'gpu' });
  await insert(data);
  expect(await claim(data, 'unknown')).toEqual([]);
  await register(data, 'w');
  await data.write((tx) => tx.updateTable('worker').set({ draining: 1 }).execute());
  expect(await claim(data, 'w', 5)).toEqual([]);
  await data.write((tx) => tx.updateTable('worker').set({ draining: 0 }).execute());
  for (const job of ['a', 'a', 'b']) expect(await data.write((tx) => noteFailure(tx, 'w', job))).toBe(false);
  const audited: unknown[] = [];
  await data.write((tx) => blameWorker({ record: async (_tx, event) => { audited.push(event); } }, tx, 'w', 'c'));
  expect(audited).toMatchObject([{ action: 'worker.quarantine', worker: 'w', job: 'c' }]);
  expect(await claim(data, 'w', 5)).toEqual([]);
  await data.write((tx) => tx.updateTable('worker').set({ quarantined: 0 }).execute());
  expect(await claim(data, 'w', 5)).toHaveLength(1);
});

forEachEngine('a failed attempt goes to another worker while there is one, and to the same when there is none', async (fresh) => {
  await using data = await fresh.open();
  await register(data, 'w1');
  await register(data, 'w11');
  const { id } = await insert(data);
  const first = await claimOne(data, 'w1');
  await data.write((tx) => failAttempt(tx, attemptOf(first), { code: 'job.failed', message: 'm', retryable: true }, 3_000));
  expect(await findJob(data.read, id)).toMatchObject({ state: 'queued', worker: null, excluded_workers: '["w1"]', error: null, finished_at: null });
  expect(await claim(data, 'w1')).toEqual([]);
  const second = await claimOne(data, 'w11');
  expect(second).toMatchObject({ fence: 2, attempt: 2 });
  await data.write((tx) => failAttempt(tx, attemptOf(second), { code: 'job.failed', message: 'm', retryable: true }, 3_000));
  expect(await findJob(data.read, id)).toMatchObject({ excluded_workers: '["w1","w11"]' });
  const third = await claimOne(data, 'w1');
  await data.write((tx) => failAttempt(tx, attemptOf(third), { code: 'job.failed', message: 'the last', retryable: true }, 3_000));
  expect(await findJob(data.read, id)).toMatchObject({ state: 'failed', error: JSON.stringify({ code: 'job.failed', message: 'the last' }), finished_at: 3_000 });
});

forEachEngine('an old fence, another worker, an ended job change nothing', async (fresh) => {
  await using data = await fresh.open();
  await register(data, 'w1');
  await register(data, 'w2');
  const { id } = await insert(data);
  const old = attemptOf(await claimOne(data, 'w1'));
  await data.write((tx) => sweepExpired(tx, 100_000));
  const current = attemptOf(await claimOne(data, 'w2', 100_000));
  for (const attempt of [old, { ...current, fence: 1 }, { ...current, worker: 'w1' }]) {
    expect(await data.write((tx) => startAttempt(tx, attempt, 1))).toBeUndefined();
    expect(await data.write((tx) => failAttempt(tx, attempt, { code: 'x', message: '', retryable: false }, 1))).toBeUndefined();
    await expect(data.write((tx) => completeJob(tx, attempt, '[]', 1))).rejects.toMatchObject({ code: 'job.lease_lost' });
    await expect(data.write((tx) => insertOutput(tx, attempt, 'a.mp4', received('b'), 1))).rejects.toMatchObject({ code: 'job.lease_lost' });
  }
  expect(await data.write((tx) => renewLeases(tx, 'w1', [old], 200_000))).toEqual([]);
  expect(await data.write((tx) => renewLeases(tx, 'w2', [current], 200_000))).toMatchObject([{ id, lease_until: 200_000 }]);
  await data.write((tx) => startAttempt(tx, current, 1));
  await data.write((tx) => beginVerification(tx, current, 1));
  await data.write((tx) => completeJob(tx, current, '[]', 1));
  expect(await data.write((tx) => cancelJob(tx, id, 1, 1))).toBeUndefined();
  expect(await data.write((tx) => retryJob(tx, id, 1))).toBeUndefined();
  expect(await stateOf(data, id)).toBe('completed');
});

forEachEngine('cancelling ends a waiting job at once and a held one when its worker stopped or the time is up', async (fresh) => {
  await using data = await fresh.open();
  await register(data, 'w');
  const waiting = await insert(data);
  expect(await data.write((tx) => cancelJob(tx, waiting.id, 20_000, 10_000))).toMatchObject({ state: 'canceled', finished_at: 10_000 });
  const held = await insert(data);
  const attempt = attemptOf(await claimOne(data, 'w'));
  expect(await data.write((tx) => cancelJob(tx, held.id, 20_000, 10_000))).toMatchObject({ state: 'canceling', finished_at: null });
  expect(await data.write((tx) => renewLeases(tx, 'w', [attempt], 90_000))).toMatchObject([{ state: 'canceling', lease_until: 20_000 }]);
  expect(await data.write((tx) => sweepExpired(tx, 20_001))).toMatchObject([{ state: 'canceled', error: null }]);
  expect(await data.write((tx) => retryJob(tx, held.id, 30_000))).toMatchObject({ state: 'queued', attempt: 0, fence: 1 });
});

forEachEngine('stalled attempts are taken away, renewals or not', async (fresh) => {
  await using data = await fresh.open();
  await register(data, 'w');
  const { id } = await insert(data);
  const attempt = attemptOf(await claimOne(data, 'w', 10_000));
  await data.write((tx) => startAttempt(tx, attempt, 10_000));
  expect(await data.write((tx) => sweepStalled(tx, 9_999, 0, 20_000))).toEqual([]);
  expect(await data.write((tx) => sweepStalled(tx, 10_001, 0, 20_000))).toMatchObject([{ id, state: 'queued', worker: null }]);
  const second = attemptOf(await claimOne(data, 'w', 30_000));
  await data.write((tx) => startAttempt(tx, second, 30_000));
  expect(await data.write((tx) => sweepStalled(tx, 0, 30_001, 40_000))).toMatchObject([{ id, state: 'queued' }]);
});

forEachEngine('a worker that comes back without its jobs loses them; what the coordinator interrupted is not counted', async (fresh) => {
  await using data = await fresh.open();
  await register(data, 'w');
  const [kept, interrupted, lost] = [await insert(data), await insert(data), await insert(data)];
  const [a] = [await claimOne(data, 'w', 5_000), await claimOne(data, 'w', 5_000), await claimOne(data, 'w', 9_000)];
  const rows = await data.write((tx) => releaseAbandoned(tx, 'w', [attemptOf(a)], 8_000, 10_000));
  expect(rows.map((row) => row.id).toSorted()).toEqual([interrupted.id, lost.id].toSorted());
  expect(await stateOf(data, kept.id)).toBe('assigned');
  expect(await findJob(data.read, interrupted.id)).toMatchObject({ state: 'queued', attempt: 0, excluded_workers: '[]', fence: 1 });
  expect(await findJob(data.read, lost.id)).toMatchObject({ state: 'queued', attempt: 1, excluded_workers: '["w"]' });
});

forEachEngine('verification is leased too', async (fresh) => {
  await using data = await fresh.open();
  await register(data, 'w');
  await insert(data);
  const attempt = attemptOf(await claimOne(data, 'w'));
  await data.write((tx) => startAttempt(tx, attempt, 1));
  await data.write((tx) => beginVerification(tx, attempt, 10_000));
  expect(await data.write((tx) => takeVerifications(tx, 9_000, 20_000))).toEqual([]);
  const taken = await Promise.all([1, 2, 3].map(() => data.writeReadCommitted((tx) => takeVerifications(tx, 11_000, 20_000))));
  expect(taken.flat()).toHaveLength(1);
});

forEachEngine('received outputs have one owner: the publication, or the collection of orphans', async (fresh) => {
  await using data = await fresh.open();
  await register(data, 'w');
  const { id } = await insert(data);
  const attempt = attemptOf(await claimOne(data, 'w'));
  await data.write((tx) => startAttempt(tx, attempt, 1));
  expect(await data.write((tx) => insertOutput(tx, attempt, 'a.mp4', received('b1', 'd'), 1))).toEqual({ fresh: true });
  expect(await data.write((tx) => insertOutput(tx, attempt, 'a.mp4', received('b2', 'd'), 1))).toEqual({ fresh: false });
  await expect(data.write((tx) => insertOutput(tx, attempt, 'a.mp4', received('b3', 'e'), 1))).rejects.toMatchObject({ code: 'request.conflict' });
  expect(await data.write((tx) => takeOrphans(tx))).toEqual([]);
  await data.write((tx) => failAttempt(tx, attempt, { code: 'x', message: '', retryable: true }, 1));
  expect(await outputsOf(data.read, id, attempt.fence)).toHaveLength(1);
  const taken = await Promise.all([data.write((tx) => takeOrphans(tx)), data.write((tx) => takeOutputs(tx, id, attempt.fence)), data.write((tx) => takeOrphans(tx))]);
  expect(taken.flat()).toHaveLength(1);
});

forEachEngine('lists are newest first and continue where they stopped', async (fresh) => {
  await using data = await fresh.open();
  const ids = [];
  for (let i = 0; i < 5; i += 1) ids.unshift((await insert(data, { owner: i === 2 ? 'bob' : 'alice' })).id);
  const page = await listJobs(data.read, { owner: null, state: null, before: null, limit: 3 });
  expect(page.map((row) => row.id)).toEqual(ids.slice(0, 3));
  const rest = await listJobs(data.read, { owner: null, state: 'queued', before: page[2]?.id ?? null, limit: 3 });
  expect(rest.map((row) => row.id)).toEqual(ids.slice(3));
  expect(await listJobs(data.read, { owner: 'bob', state: null, before: null, limit: 9 })).toHaveLength(1);
});
