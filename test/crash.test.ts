/** kill -9 at any instant: what was answered is there, what was not is not there in part, and no job is done twice. */
import { randomBytes, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { StoredState } from './support/state.ts';
import { scaled, sha256, startWeir, type Client, type TestWeir } from './support/weir.ts';

const clip = await readFile(new URL('../packages/fleet/assets/clip.mp4', import.meta.url));
const rounds = scaled(20, 4);

type Job = Readonly<{ job_id: string; state: string; attempt: number; worker: string | null; outputs: readonly { cid: string; size: number }[]; error: unknown }>;

test(`${rounds} kills at random instants lose nothing that was answered and do nothing twice`, async () => {
  await using weir = await startWeir({ worker: true, environment: { WEIR_FLEET__LEASE_SECONDS: '5', WEIR_FLEET__SLOTS: '2' } });
  const alice = await weir.principal('alice', 'user');
  const answered = new Map<string, string>();
  const jobs: string[] = [];
  const clipCid = await alice.upload(clip, 'clip.mp4');
  answered.set(clipCid, sha256(clip));
  let [killedUploading, killedEncoding] = [0, 0];
  for (let round = 0; round < rounds; round += 1) {
    const load = uploadUntilKilled(alice);
    // Every second round has an upload that can't be finished before the kill, every third a job that is being encoded.
    const unfinished = round % 2 === 0 ? beginUpload(weir, alice) : undefined;
    const job = round % 3 === 0 ? await alice.json<Job>('POST', '/api/v1/jobs', encoding(clipCid)) : undefined;
    if (job !== undefined) {
      jobs.push(job.job_id);
      await until(async () => (await alice.json<Job>('GET', `/api/v1/jobs/${job.job_id}`)).state === 'running');
    }
    await wait(randomInt(5, 400));
    if (unfinished?.isSending() === true) killedUploading += 1;
    if (job !== undefined && (await alice.json<Job>('GET', `/api/v1/jobs/${job.job_id}`)).state === 'running') killedEncoding += 1;
    await weir.kill('SIGKILL');
    unfinished?.abandon();
    const fresh = await load;
    await weir.start();
    await expectReadable(alice, fresh);
    for (const [cid, digest] of fresh) answered.set(cid, digest);
  }
  await expectReadable(alice, answered);
  expect(killedUploading).toBeGreaterThanOrEqual(rounds / 4);
  expect(killedEncoding).toBeGreaterThanOrEqual(rounds / 4);
  for (const id of jobs) await expectDoneOnce(weir, alice, id);
  const admin = await weir.admin();
  expect(await admin.json('POST', '/api/v1/audit/verify')).toMatchObject({ intact: true, first_bad: null });
}, 60_000 + rounds * 15_000);

const encoding = (cid: string) => ({ recipe: 'mp4-h264', parameters: { height: 240, preset: 'fast' }, inputs: [{ cid }], max_attempts: 10 });

/** Uploads small files one after the other until the server is gone; gives the digests of those that were answered, by CID. */
async function uploadUntilKilled(owner: Client): Promise<Map<string, string>> {
  const answered = new Map<string, string>();
  for (;;) {
    const bytes = randomBytes(randomInt(1, 100_000));
    try {
      answered.set(await owner.upload(bytes, 'answered'), sha256(bytes));
    } catch (error) {
      if (error instanceof TypeError) return answered; // the connection broke: the server was killed
      throw error;
    }
    await wait(10);
  }
}

/** An upload whose last byte never comes. */
function beginUpload(weir: TestWeir, owner: Client): { isSending: () => boolean; abandon: () => void } {
  const request = http.request(`${weir.url}/api/v1/content?filename=unfinished`, {
    method: 'POST', headers: { ...owner.evidence(), 'content-type': 'application/octet-stream', 'content-length': '50000000' },
  });
  request.on('error', () => undefined);
  const pacing = setInterval(() => { if (!request.destroyed && !request.writableNeedDrain) request.write(randomBytes(100_000)); }, 5);
  return {
    isSending: () => !request.destroyed,
    abandon: () => { clearInterval(pacing); request.destroy(); },
  };
}

/** What was answered is listed and reads as it was sent; of what was never sent to its end nothing is listed. */
async function expectReadable(owner: Client, answered: ReadonlyMap<string, string>): Promise<void> {
  const listed = new Set<string>();
  for (let cursor = ''; ;) {
    const { items, next_cursor: next } = await owner.json<{ items: { cid: string; title: string; size: number }[]; next_cursor: string | null }>('GET', `/api/v1/library?limit=500${cursor}`);
    for (const { cid, title } of items) {
      listed.add(cid);
      expect(title).not.toBe('unfinished');
    }
    if (next === null) break;
    cursor = `&cursor=${next}`;
  }
  for (const [cid, digest] of answered) {
    expect(listed.has(cid), `${cid} was answered and is not listed`).toBe(true);
    const reply = await owner.get(cid);
    expect(sha256(new Uint8Array(await reply.arrayBuffer()))).toBe(digest);
  }
}

async function expectDoneOnce(weir: TestWeir, owner: Client, id: string): Promise<void> {
  let job: Job | undefined;
  await until(async () => {
    job = await owner.json<Job>('GET', `/api/v1/jobs/${id}`);
    return ['completed', 'failed', 'canceled'].includes(job.state);
  }, 60_000);
  expect(job).toMatchObject({ state: 'completed', error: null });
  for (const { cid, size } of job?.outputs ?? []) expect((await (await owner.get(cid)).arrayBuffer()).byteLength).toBe(size);
  using state = new StoredState(weir.dataPath);
  expect(state.rows('select name from job_output where job = ?', id)).toEqual([]);
  expect(state.rows(`select count(*) as count from audit_event where action = 'job.complete' and object = ?`, `job:${id}`)).toEqual([{ count: 1 }]);
  // The owner holds equal bytes once, so of several equal outputs one holding remains, named by the first job that made it.
  expect(state.rows('select count(*) as count from holding where origin = ?', id)[0]?.['count']).toBeLessThanOrEqual(1);
}

async function until(check: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !(await check());) {
    if (Date.now() > end) throw new Error('it did not happen in time');
    await wait(25);
  }
}
