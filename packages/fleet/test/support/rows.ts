/** Rows and names that tests of the job store begin with. */
import { newUlid } from '@weir/contracts/clock';
import type { Data } from '@weir/data/data';
import { registerWorker, type Hello } from '../../src/coordinator/registry.ts';
import type { Received } from '@weir/content/store';
import { insertJob, type Attempt, type JobRow, type NewJob } from '../../src/store.ts';

export const runs = (count: number): number => Math.max(1, Math.round(count * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));

export const hello: Hello = {
  type: 'hello', protocol: 1, version: '0.1.0', capabilities: { ffmpeg: '5.1', encoders: ['libx264'], jail: 'bubblewrap' }, slots: 2,
  classes: ['cpu', 'io'], labels: {}, active: [],
};

const specification = {
  work: { kind: 'arguments', arguments: ['-i', '{in:0}', '{out:a.mp4}'] }, inputs: [{ cid: 'bafkx', holding: 'h', size: 5, contentType: 'video/mp4' }],
  outputs: ['a.mp4'], policy: null, ceilings: '[]', limits: { wall_seconds: 60, stall_seconds: 60, output_bytes: 1_000_000 },
};

export const newJob = (change: Partial<NewJob> = {}): NewJob => ({
  id: newUlid(), owner: 'alice', recipe: null, class: 'cpu', specification: JSON.stringify(specification), labels: '{}', priority: 50, max_attempts: 3,
  idempotency_key: null, request_digest: null, ...change,
});

export const insert = async (data: Data, change: Partial<NewJob> = {}, now = 1_000): Promise<JobRow> =>
  await data.write((tx) => insertJob(tx, newJob(change), 1_000, now));

export const register = async (data: Data, worker: string, now = 1_000): Promise<void> =>
  await data.write((tx) => registerWorker(tx, worker, hello, now));

export const attemptOf = (row: JobRow): Attempt => ({ job: row.id, fence: row.fence, worker: row.worker ?? 'nobody' });

export const received = (blob: string, digest = blob): Received => ({
  blob, digest, cid: `cid-${digest}`, size: 7, contentType: 'video/mp4', sealedKey: null, leafDigests: new Uint8Array(32),
});
