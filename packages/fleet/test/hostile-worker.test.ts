import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mediaVerifier } from '../src/coordinator/verification.ts';
import { startFleet, type FleetOptions } from './support/fleet.ts';
import { rawWorker } from './support/raw-worker.ts';
import { runs } from './support/rows.ts';
import { sqlite } from './support/sqlite.ts';
import { eventually, reversing, startWorker } from './support/workers.ts';

const request = (cid: string) => ({ arguments: ['-i', '{in:0}', '-c', 'copy', '{out:a.mp4}'], inputs: [{ cid }], outputs: ['a.mp4'], max_attempts: 1 });
const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function scene(options: FleetOptions = {}) {
  const stack = new AsyncDisposableStack();
  const { data } = stack.use(await sqlite());
  const fleet = stack.use(await startFleet(data, options));
  const worker = stack.use(await rawWorker(fleet, 'liar'));
  const input = await fleet.upload('alice', randomBytes(1_000));
  return { fleet, worker, input, data, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** How many blobs lie in the store, published or not. */
async function blobs(folder: string): Promise<number> {
  return (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;
}

test('bytes that differ from their digest, from their length, or come under another name or grant are refused and not kept', async () => {
  await using s = await scene();
  await s.worker.greet();
  const job = await s.fleet.submit('alice', request(s.input.cid));
  const other = await s.fleet.submit('alice', request(s.input.cid));
  const [mine, second] = [await s.worker.assignment(0), await s.worker.assignment(1)];
  const [assigned, foreign] = mine.job_id === job.job_id ? [mine, second] : [second, mine];
  const token = assigned.outputs[0]?.token ?? '';
  const bytes = randomBytes(5_000);
  const before = await blobs(s.fleet.folder.join('blobs'));
  s.worker.say({ type: 'started', job_id: job.job_id, fence: assigned.fence });
  await s.fleet.until(job.job_id, 'running');
  expect(await s.worker.put(job.job_id, 'a.mp4', token, bytes, { 'x-weir-sha256': digestOf(randomBytes(1)) })).toMatchObject({ status: 400 });
  expect(await s.worker.put(job.job_id, 'b.mp4', token, bytes, { 'x-weir-sha256': digestOf(bytes) })).toMatchObject({ status: 403 });
  expect(await s.worker.put(other.job_id, 'a.mp4', token, bytes, { 'x-weir-sha256': digestOf(bytes) })).toMatchObject({ status: 403 });
  expect(await s.worker.put(job.job_id, 'a.mp4', foreign.outputs[0]?.token ?? '', bytes, {})).toMatchObject({ status: 403 });
  expect(await s.worker.put(job.job_id, 'a.mp4', `${token}x`, bytes, {})).toMatchObject({ status: 401 });
  expect(await blobs(s.fleet.folder.join('blobs'))).toBe(before);
  expect(await s.worker.put(job.job_id, 'a.mp4', token, bytes, { 'x-weir-sha256': digestOf(bytes) })).toMatchObject({ status: 204 });
  expect(await s.worker.put(job.job_id, 'a.mp4', token, bytes, { 'x-weir-sha256': digestOf(bytes) })).toMatchObject({ status: 204 });
  const others = randomBytes(5_000);
  expect(await s.worker.put(job.job_id, 'a.mp4', token, others, { 'x-weir-sha256': digestOf(others) })).toMatchObject({ status: 409 });
  expect(await blobs(s.fleet.folder.join('blobs'))).toBe(before + 1);
  // What it says of the other job's fence changes nothing there.
  s.worker.say({ type: 'delivered', job_id: other.job_id, fence: foreign.fence + 1, outputs: [] });
  await eventually(() => s.worker.heard.some((message) => message.type === 'lost' && message.job_id === other.job_id));
  expect(await s.fleet.state.coordinator.get(other.job_id)).toMatchObject({ state: 'assigned' });
});

test('streamkit §2.10 #11: a worker that floods is answered with an error and then cut off with 1008; its next connection is welcome', async () => {
  await using s = await scene();
  await s.worker.greet();
  for (let count = 0; count < 20_000; count += 1) s.worker.say({ type: 'renew', attempts: [] });
  expect(await s.worker.closed).toBe(1008);
  const refusals = s.worker.heard.filter(({ type }) => type === 'error');
  expect(refusals.length).toBeGreaterThanOrEqual(10);
  expect(refusals[0]).toMatchObject({ code: 'rate.exceeded' });
  await using again = await rawWorker(s.fleet, 'liar');
  await again.greet();
  for (let count = 0; count < 500; count += 1) again.say({ type: 'renew', attempts: [] });
  await s.fleet.submit('alice', request(s.input.cid));
  expect(await again.assignment()).toMatchObject({ worker: 'liar' });
  expect(again.heard.some(({ type }) => type === 'error')).toBe(false);
});

test('an attempt that lost its job can neither deliver nor publish, and what it sent is collected', async () => {
  await using s = await scene();
  await s.worker.greet();
  const job = await s.fleet.submit('alice', { ...request(s.input.cid), max_attempts: 3 });
  const assigned = await s.worker.assignment();
  s.worker.say({ type: 'started', job_id: job.job_id, fence: assigned.fence });
  await s.fleet.until(job.job_id, 'running');
  const bytes = randomBytes(5_000);
  const token = assigned.outputs[0]?.token ?? '';
  expect(await s.worker.put(job.job_id, 'a.mp4', token, bytes, { 'x-weir-sha256': digestOf(bytes) })).toMatchObject({ status: 204 });
  const before = await blobs(s.fleet.folder.join('blobs'));
  // It never renews: the lease ends and another worker does the job.
  await using _honest = startWorker(s.fleet, 'honest', reversing);
  expect(await s.fleet.ended(job.job_id)).toMatchObject({ state: 'completed', worker: 'honest', attempt: 2 });
  expect(s.worker.heard).toContainEqual({ type: 'lost', job_id: job.job_id, fence: assigned.fence });
  s.worker.say({ type: 'delivered', job_id: job.job_id, fence: assigned.fence, outputs: [{ name: 'a.mp4', size: 5_000, sha256: digestOf(bytes) }] });
  expect(await s.worker.put(job.job_id, 'a.mp4', token, bytes, { 'x-weir-sha256': digestOf(bytes) })).toMatchObject({ status: 409 });
  expect(await s.data.read.selectFrom('holding').select('id').where('origin', '=', job.job_id).execute()).toHaveLength(1);
  await eventually(async () => await blobs(s.fleet.folder.join('blobs')) === before);
});

test('empty outputs, missing outputs, files that are no media and the wrong streams are not published', async () => {
  await using s = await scene({ verify: mediaVerifier, timings: { lease: 20_000 } });
  await s.worker.greet();
  const clip = await s.fleet.upload('alice', await readFile(new URL('../assets/clip.mp4', import.meta.url)));
  const lies: [object, (bytes: Buffer) => Uint8Array | null, RegExp][] = [
    [request(clip.cid), () => null, /a\.mp4 was not delivered/],
    [request(clip.cid), () => new Uint8Array(0), /a\.mp4 is empty/],
    [request(clip.cid), () => randomBytes(20_000), /a\.mp4|ffprobe/],
    [request(clip.cid), (bytes) => bytes.subarray(0, bytes.length / 2), /a\.mp4|ffprobe/],
    [{ recipe: 'audio-opus', inputs: [{ cid: clip.cid }], max_attempts: 1 }, (bytes) => bytes, /instead of audio opus/],
  ];
  const bytes = await s.fleet.bytesOf(clip.cid);
  for (const [index, [wanted, lie, reason]] of lies.entries()) {
    const job = await s.fleet.submit('alice', wanted);
    const assigned = await s.worker.assignment(index);
    s.worker.say({ type: 'started', job_id: job.job_id, fence: assigned.fence });
    await s.fleet.until(job.job_id, 'running');
    const lied = lie(bytes);
    const [output] = assigned.outputs;
    if (lied !== null) await s.worker.put(job.job_id, output?.name ?? '', output?.token ?? '', lied, { 'x-weir-sha256': digestOf(lied) });
    s.worker.say({ type: 'delivered', job_id: job.job_id, fence: assigned.fence, outputs: [{ name: output?.name, size: 1, sha256: digestOf(bytes) }] });
    const ended = await s.fleet.ended(job.job_id);
    expect(ended.state).toBe('failed');
    expect(ended.error?.message).toMatch(reason);
  }
  expect(await s.data.read.selectFrom('holding').select('id').where('origin', 'is not', null).execute()).toEqual([]);
  await eventually(async () => (await s.data.read.selectFrom('job_output').selectAll().execute()).length === 0);
  expect(s.fleet.errors).toEqual([]);
}, 60_000);

test('a worker whose failures others make good is quarantined, visibly, and gets no more work', async () => {
  await using s = await scene({ timings: { lease: 20_000 } });
  await s.worker.greet({ slots: 1 });
  for (let round = 0; round < 3; round += 1) {
    const job = await s.fleet.submit('alice', { ...request(s.input.cid), max_attempts: 2 });
    const assigned = await s.worker.assignment(round);
    const honest = startWorker(s.fleet, 'honest', reversing);
    await eventually(() => honest.events.length > 1);
    s.worker.say({ type: 'failed', job_id: job.job_id, fence: assigned.fence, code: 'job.failed', message: 'no', retryable: true, log_tail: [] });
    expect(await s.fleet.ended(job.job_id)).toMatchObject({ state: 'completed', worker: 'honest' });
    await honest[Symbol.asyncDispose]();
  }
  expect(await s.fleet.state.coordinator.workers()).toMatchObject([{ worker: 'honest', quarantined: false }, { worker: 'liar', quarantined: true }]);
  const waiting = await s.fleet.submit('alice', request(s.input.cid));
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  expect(await s.fleet.state.coordinator.get(waiting.job_id)).toMatchObject({ state: 'queued' });
  await s.fleet.state.coordinator.changeWorker('liar', { quarantined: false });
  expect((await s.worker.assignment(3)).job_id).toBe(waiting.job_id);
});

test('a worker that renews but does nothing is taken off its job', async () => {
  await using s = await scene({ timings: { stall: 800, lease: 2_000 } });
  await s.worker.greet();
  const job = await s.fleet.submit('alice', request(s.input.cid));
  const { fence } = await s.worker.assignment();
  s.worker.say({ type: 'started', job_id: job.job_id, fence });
  const renewing = setInterval(() => {
    s.worker.say({ type: 'renew', attempts: [{ job_id: job.job_id, fence }] });
    s.worker.say({ type: 'progress', job_id: job.job_id, fence, moved: 0, progress: { percent: 1, eta_seconds: null, fps: null, speed: null, out_time_us: 0 } });
  }, 100);
  expect(await s.fleet.ended(job.job_id)).toMatchObject({ state: 'failed' });
  clearInterval(renewing);
});

test('frames that are no message close the connection and nothing else', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  const rubbish = ['', '{', 'null', '[]', '{"type":"hello"}', '{"type":"renew","attempts":[]}', JSON.stringify({ type: 'log', lines: [] }), 'x'.repeat(300_000), '{"__proto__":{}}'];
  for (const [index, frame] of rubbish.entries()) {
    await using worker = await rawWorker(fleet, `rubbish${index}`);
    worker.say(frame);
    expect([4400, 1009, 1006]).toContain(await worker.closed);
  }
  await using binary = await rawWorker(fleet, 'binary');
  binary.socket.send(Buffer.from('{}'), { binary: true });
  expect(await binary.closed).toBe(4400);
  await using silent = await rawWorker(fleet, 'silent');
  expect(await silent.closed).toBe(4408);
  await fc.assert(fc.asyncProperty(fc.json(), async (frame) => {
    await using worker = await rawWorker(fleet, 'fuzz');
    worker.say(frame);
    expect(await worker.closed).toBe(4400);
  }), { numRuns: runs(25) });
  expect(fleet.errors).toEqual([]);
  await using honest = startWorker(fleet, 'honest', reversing);
  await eventually(() => honest.events.some((line) => line.startsWith('Connected')));
});
