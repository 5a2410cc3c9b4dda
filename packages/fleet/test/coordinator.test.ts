import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { forEachEngine } from '../../data/test/support/engines.ts';
import type { JobEvent } from '@weir/contracts/jobs';
import { Secret } from '@weir/security/secret';
import { AttemptError, type MediaRunner } from '../src/worker/attempt.ts';
import { startFleet } from './support/fleet.ts';
import { sqlite } from './support/sqlite.ts';
import { eventually, holding, reversing, startWorker } from './support/workers.ts';

const request = (cid: string, change: object = {}) => ({ arguments: ['-i', '{in:0}', '-c', 'copy', '{out:a.mp4}'], inputs: [{ cid }], outputs: ['a.mp4'], ...change });

forEachEngine('a job goes out, runs, comes back and is published once, owned by its submitter', async (fresh) => {
  await using data = await fresh.open();
  await using fleet = await startFleet(data, { timings: { lease: 5_000 } });
  const bytes = randomBytes(3_000_000);
  const input = await fleet.upload('alice', bytes);
  const job = await fleet.submit('alice', request(input.cid, { labels: { title: 'x' } }));
  expect(job).toMatchObject({ state: 'queued', owner: 'alice', attempt: 0, worker: null, labels: { title: 'x' }, inputs: [{ cid: input.cid }] });
  await using worker = startWorker(fleet, 'w1', reversing);
  const done = await fleet.ended(job.job_id);
  expect(done).toMatchObject({ state: 'completed', attempt: 1, worker: 'w1', error: null, outputs: [{ name: 'a.mp4', size: bytes.length }] });
  expect((await fleet.bytesOf(done.outputs[0]?.cid ?? '')).equals(Buffer.from(bytes).reverse())).toBe(true);
  expect(await data.read.selectFrom('holding').select(['owner', 'origin']).where('origin', 'is not', null).execute()).toEqual([{ owner: 'alice', origin: job.job_id }]);
  expect(await data.read.selectFrom('job_output').selectAll().execute()).toEqual([]);
  const lines = (await fleet.state.coordinator.logs(job.job_id)).map(({ text }) => text);
  expect(lines).toEqual([`read ${bytes.length} bytes`, 'The outputs were verified.']);
  expect(await readdir(worker.scratch)).toEqual([]);
  expect((await stat(worker.scratch)).mode & 0o066).toBe(0);
  expect(fleet.errors).toEqual([]);
});

test('an input that breaks off half-way is continued, not begun again', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  const bytes = randomBytes(5_000_000);
  const input = await fleet.upload('alice', bytes);
  fleet.state.breakInputAfter = 2_000_000;
  const job = await fleet.submit('alice', request(input.cid));
  await using _worker = startWorker(fleet, 'w1', reversing);
  const done = await fleet.ended(job.job_id);
  expect(done).toMatchObject({ state: 'completed', attempt: 1 });
  expect((await fleet.bytesOf(done.outputs[0]?.cid ?? '')).equals(Buffer.from(bytes).reverse())).toBe(true);
});

test('progress, log and states arrive live and the stream ends with the job', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  const input = await fleet.upload('alice', randomBytes(1_000));
  const job = await fleet.submit('alice', request(input.cid));
  const seen: JobEvent[] = [];
  const reading = (async () => { for await (const event of fleet.state.coordinator.events(job.job_id, AbortSignal.timeout(10_000))) seen.push(event); })();
  const following = (async () => { const lines = []; for await (const line of fleet.state.coordinator.followLogs(job.job_id, AbortSignal.timeout(10_000))) lines.push(line.text); return lines; })();
  await using _worker = startWorker(fleet, 'w1', reversing);
  await reading;
  const states = seen.flatMap((event) => (event.type === 'state' ? [event.job.state] : []));
  expect(states).toEqual(['queued', 'assigned', 'running', 'verifying', 'completed']);
  expect(seen.some((event) => event.type === 'progress' && event.progress.percent === 50)).toBe(true);
  expect(await following).toEqual(['read 1000 bytes', 'The outputs were verified.']);
});

test('cancelling reaches the worker within a second, and what it had begun is gone', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  const input = await fleet.upload('alice', randomBytes(1_000));
  const slow = holding();
  await using worker = startWorker(fleet, 'w1', slow.run);
  const job = await fleet.submit('alice', request(input.cid));
  await slow.begun;
  await fleet.until(job.job_id, 'running');
  const before = Date.now();
  expect(await fleet.state.coordinator.cancel(job.job_id, 'alice')).toMatchObject({ state: 'canceling' });
  expect(await fleet.ended(job.job_id)).toMatchObject({ state: 'canceled', error: null });
  expect(Date.now() - before).toBeLessThan(1_000);
  expect(slow.aborted()).toBe(true);
  await eventually(async () => (await readdir(worker.scratch)).length === 0);
  await expect(fleet.state.coordinator.cancel(job.job_id, 'alice')).rejects.toMatchObject({ code: 'request.conflict' });
  expect(await fleet.state.coordinator.retry(job.job_id, 'alice')).toMatchObject({ state: 'queued' });
});

test('a worker that fails leaves the job to another; one that says it is hopeless ends it', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  const input = await fleet.upload('alice', randomBytes(1_000));
  const failing = (after: Promise<void>, retryable: boolean): MediaRunner => async () => {
    await after;
    throw new AttemptError({ code: 'job.failed', message: 'no luck', retryable });
  };
  const bothThere = Promise.withResolvers<void>();
  const job = await fleet.submit('alice', request(input.cid));
  const bad = startWorker(fleet, 'bad', failing(bothThere.promise, true));
  await fleet.until(job.job_id, 'running');
  const good = startWorker(fleet, 'good', reversing);
  await eventually(() => good.events.length > 0);
  bothThere.resolve();
  expect(await fleet.ended(job.job_id)).toMatchObject({ state: 'completed', attempt: 2, worker: 'good' });
  expect((await fleet.state.coordinator.logs(job.job_id)).map(({ text }) => text)).toContain('Attempt on bad ended: no luck');
  await bad[Symbol.asyncDispose]();
  await good[Symbol.asyncDispose]();
  await using _honest = startWorker(fleet, 'honest', failing(Promise.resolve(), false));
  const hopeless = await fleet.submit('alice', request(input.cid));
  expect(await fleet.ended(hopeless.job_id)).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'job.failed', message: 'no luck' } });
});

test('a connection that drops does not stop the work; the result is reported over the next one', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data, { timings: { lease: 5_000 } });
  const input = await fleet.upload('alice', randomBytes(1_000));
  const slow = holding();
  await using worker = startWorker(fleet, 'w1', slow.run);
  const job = await fleet.submit('alice', request(input.cid));
  await slow.begun;
  await fleet.until(job.job_id, 'running');
  fleet.dropConnections();
  await eventually(() => worker.events.includes('Disconnected from the server.'));
  slow.finish();
  expect(await fleet.ended(job.job_id)).toMatchObject({ state: 'completed', attempt: 1, worker: 'w1' });
});

test('a coordinator that starts anew lets running attempts go on and publishes what was being verified', async () => {
  await using engine = await sqlite();
  const gate = Promise.withResolvers<void>();
  let looks = 0;
  await using fleet = await startFleet(engine.data, {
    timings: { lease: 1_500 },
    verify: () => async ({ outputs }, signal) => {
      looks += 1;
      if (looks === 1) await new Promise((_, reject) => { signal.addEventListener('abort', () => reject(new Error('killed')), { once: true }); });
      await gate.promise;
      return outputs.map(({ name, received }) => ({ name, received, contentType: 'video/mp4', probe: null }));
    },
  });
  const input = await fleet.upload('alice', randomBytes(1_000));
  const slow = holding();
  await using _w1 = startWorker(fleet, 'w1', reversing);
  await using _w2 = startWorker(fleet, 'w2', slow.run, { classes: ['gpu'] });
  const verifying = await fleet.submit('alice', request(input.cid));
  await fleet.until(verifying.job_id, 'verifying');
  await eventually(() => looks === 1);
  await fleet.restartCoordinator();
  gate.resolve();
  expect(await fleet.ended(verifying.job_id)).toMatchObject({ state: 'completed', attempt: 1 });
  const later = await fleet.submit('alice', request(input.cid));
  expect(await fleet.ended(later.job_id)).toMatchObject({ state: 'completed' });
});

test('a drained worker finishes what it has, takes nothing new and ends; a stopping one gives its job back unharmed', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  const input = await fleet.upload('alice', randomBytes(1_000));
  const slow = holding();
  const worker = startWorker(fleet, 'w1', slow.run);
  const first = await fleet.submit('alice', request(input.cid));
  await slow.begun;
  worker.drain();
  const second = await fleet.submit('alice', request(input.cid));
  slow.finish();
  await worker.done;
  expect(await fleet.ended(first.job_id)).toMatchObject({ state: 'completed' });
  expect(await fleet.state.coordinator.get(second.job_id)).toMatchObject({ state: 'queued', attempt: 0 });
  const again = holding();
  const stopped = startWorker(fleet, 'w2', again.run);
  await again.begun;
  stopped.stop();
  await stopped.done;
  expect(await fleet.state.coordinator.get(second.job_id)).toMatchObject({ state: 'queued', attempt: 0, worker: null });
  expect(again.aborted()).toBe(true);
});

test('inputs are authorised for the submitter again at the lease and at each opening', async () => {
  await using engine = await sqlite();
  let allowed = false;
  await using fleet = await startFleet(engine.data, { authorize: () => allowed });
  const input = await fleet.upload('alice', randomBytes(1_000));
  await using _worker = startWorker(fleet, 'w1', reversing);
  const refused = await fleet.submit('alice', request(input.cid));
  expect(await fleet.ended(refused.job_id)).toMatchObject({ state: 'failed', error: { code: 'policy.refused' } });
  allowed = true;
  const job = await fleet.submit('alice', request(input.cid));
  expect(await fleet.ended(job.job_id)).toMatchObject({ state: 'completed' });
});

test('the same key gives the same job, bad arguments and recipes are refused with the reason', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  const input = await fleet.upload('alice', randomBytes(1_000));
  const first = await fleet.submit('alice', request(input.cid), { idempotencyKey: 'k' });
  expect((await fleet.submit('alice', request(input.cid), { idempotencyKey: 'k' })).job_id).toBe(first.job_id);
  await expect(fleet.submit('alice', request(input.cid, { priority: 1 }), { idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'request.repeated' });
  await expect(fleet.submit('alice', request(input.cid, { arguments: ['-i', '/etc/passwd', '{out:a.mp4}'] }))).rejects.toMatchObject({ code: 'arguments.refused', facts: { argument: 1 } });
  await expect(fleet.submit('alice', { recipe: 'nope', inputs: [{ cid: input.cid }] })).rejects.toMatchObject({ code: 'recipe.unknown' });
  await expect(fleet.submit('bob', request(input.cid))).rejects.toMatchObject({ code: 'object.absent' });
});

test('a worker that the server does not know ends with a clear refusal', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  const stranger = startWorker(fleet, 'stranger', reversing, { credentials: { kind: 'hmac', key: new Secret(randomBytes(32)) } });
  await expect(stranger.done).rejects.toMatchObject({ code: 'identity.required' });
});

test('a flood of the longest log lines fits into frames and leaves the connection open', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data, { timings: { lease: 5_000 } });
  const input = await fleet.upload('alice', randomBytes(100));
  await using worker = startWorker(fleet, 'w1', async (job, signal) => {
    for (let i = 0; i < 400; i += 1) job.onLog({ stream: 'stderr', text: '"\u{1f3ac}'.repeat(600) });
    return await reversing(job, signal);
  });
  const job = await fleet.submit('alice', request(input.cid));
  expect(await fleet.ended(job.job_id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect((await fleet.state.coordinator.logs(job.job_id)).length).toBe(402);
  expect(worker.events).not.toContain('Disconnected from the server.');
});
