import { appendFile, readdir, stat } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newUlid } from '@weir/contracts/clock';
import { noProgress, type Job, type JobEvent, type LogLine } from '@weir/contracts/jobs';
import { temporaryFolder } from '../../data/test/support/temporary.ts';
import { JobFeed } from '../src/coordinator/feed.ts';
import { JobLogs } from '../src/coordinator/job-logs.ts';
import { toWire } from '../src/coordinator/specification.ts';
import { newJob, runs } from './support/rows.ts';

const job = (attempt: number): Job => toWire({
  ...newJob(), state: 'running', attempt, worker: 'w', fence: 1, lease_until: 1, excluded_workers: '[]', not_before: 0, cancel_requested: 0,
  progress: JSON.stringify(noProgress), outputs: '[]', error: null, created_at: 1, started_at: null, finished_at: null, progress_at: null,
});
const line = (text: string): LogLine => ({ at: '2026-01-01T00:00:00.000Z', attempt: 1, stream: 'stderr', text });

test('a slow reader loses progress and old log lines, never the newest state, and holds a bounded number of events', () => {
  const events = fc.array(fc.constantFrom('state', 'progress', 'log'), { maxLength: 3_000, size: 'max' });
  fc.assert(fc.property(events, (kinds) => {
    const feed = new JobFeed();
    using reader = feed.subscribe('j');
    let serial = 0;
    const sent = kinds.map((kind): JobEvent => {
      serial += 1;
      if (kind === 'state') return { type: 'state', job: job(serial) };
      return kind === 'progress' ? { type: 'progress', progress: { ...noProgress, out_time_us: serial } } : { type: 'log', line: line(String(serial)) };
    });
    for (const event of sent) feed.publish('j', event);
    const got = reader.takeNow();
    expect(got.length).toBeLessThanOrEqual(400);
    expect(got.filter(({ type }) => type === 'progress').length).toBeLessThanOrEqual(1);
    for (const type of ['state', 'progress', 'log']) expect(got.findLast((event) => event.type === type)).toEqual(sent.findLast((event) => event.type === type));
    expect(got.map((event) => sent.indexOf(event))).toEqual(got.map((event) => sent.indexOf(event)).toSorted((a, b) => a - b));
  }), { numRuns: runs(20) });
});

test('the log of a job keeps its beginning and its end within four mebibytes', async () => {
  await using folder = await temporaryFolder();
  const logs = new JobLogs(folder.path);
  const id = newUlid();
  const batches = 130;
  for (let batch = 0; batch < batches; batch += 1) await logs.append(id, Array.from({ length: 50 }, (_, i) => line(`${batch * 50 + i} ${'x'.repeat(900)}`)));
  const numbers = (await logs.read(id)).map(({ text }) => Number(text.split(' ')[0]));
  expect(numbers.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(numbers.slice(-100)).toEqual(Array.from({ length: 100 }, (_, i) => batches * 50 - 100 + i));
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  const sizes = await Promise.all((await readdir(folder.join(id))).map(async (name) => (await stat(folder.join(id, name))).size));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(4 * 2 ** 20 + 3 * 50 * 1_100);
  await logs.remove(id);
  expect(await logs.read(id)).toEqual([]);
});

test('a line that a crash cut short is left out; concurrent writers mix whole lines; no other path is touched', async () => {
  await using folder = await temporaryFolder();
  const logs = new JobLogs(folder.path);
  const id = newUlid();
  await Promise.all(Array.from({ length: 20 }, (_, i) => logs.append(id, [line(`${i}`)])));
  await appendFile(folder.join(id, 'head.ndjson'), '{"at":"2026-01-01T00:0');
  expect((await logs.read(id)).map(({ text }) => text)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
  await expect(logs.append('../escape', [line('x')])).rejects.toThrow();
  await expect(logs.read('..')).rejects.toThrow();
});
