import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { mediaVerifier } from '../src/coordinator/verification.ts';
import { openMediaRunner } from '../src/worker/media-runner.ts';
import { startFleet } from './support/fleet.ts';
import { sqlite } from './support/sqlite.ts';
import { eventually, startChild, startWorker } from './support/workers.ts';

const clip = await readFile(new URL('../assets/clip.mp4', import.meta.url));

test('every recipe and a custom argument list run in the jail, are verified and published', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data, { verify: mediaVerifier });
  const { run, capabilities } = await openMediaRunner();
  await using _worker = startWorker(fleet, 'w1', run, { slots: 2, capabilities });
  const input = await fleet.upload('alice', clip);
  const inputs = [{ cid: input.cid }];
  const [probe, mp4, opus, hls, custom] = await Promise.all([
    { recipe: 'probe', inputs },
    { recipe: 'mp4-h264', parameters: { height: 144, preset: 'ultrafast' }, inputs },
    { recipe: 'audio-opus', inputs },
    { recipe: 'hls-ladder', parameters: { heights: '144', preset: 'ultrafast' }, inputs },
    { arguments: ['-i', '{in:0}', '-map', '0:a', '-c:a', 'copy', '{out:sound.m4a}'], outputs: ['sound.m4a'], inputs },
  ].map(async (request) => await fleet.ended((await fleet.submit('alice', request)).job_id, 60_000)));
  expect(probe).toMatchObject({ state: 'completed', error: null, outputs: [{ name: 'probe.json', content_type: 'application/json', probe: { streams: [{ kind: 'video' }, { kind: 'audio' }] } }] });
  expect(mp4).toMatchObject({ state: 'completed', error: null, outputs: [{ content_type: 'video/mp4', probe: { streams: [{ codec: 'h264', height: 144 }, { codec: 'aac' }] } }] });
  expect(opus).toMatchObject({ state: 'completed', error: null, outputs: [{ content_type: 'audio/ogg', probe: { streams: [{ codec: 'opus' }] } }] });
  expect(hls?.outputs.map(({ name, content_type: type }) => [name, type])).toEqual([['video.m3u8', 'application/vnd.apple.mpegurl'], ['video.mp4', 'video/mp4']]);
  expect(custom).toMatchObject({ state: 'completed', error: null, outputs: [{ name: 'sound.m4a' }] });
  expect((await fleet.bytesOf(hls?.outputs[0]?.cid ?? '')).toString()).toContain('#EXT-X-ENDLIST');
  expect(fleet.errors).toEqual([]);
}, 90_000);

test('an input that is no media fails with ffprobe’s words and is not tried again', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data, { verify: mediaVerifier });
  const { run, capabilities } = await openMediaRunner();
  await using _worker = startWorker(fleet, 'w1', run, { capabilities });
  const input = await fleet.upload('alice', Buffer.from('this is no film at all'.repeat(100)));
  const job = await fleet.submit('alice', { recipe: 'mp4-h264', inputs: [{ cid: input.cid }] });
  expect(await fleet.ended(job.job_id)).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'job.failed', message: expect.stringContaining('ffprobe can not read this file') } });
});

test('a worker killed in the middle of a job: it completes elsewhere, with one published output', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data, { verify: mediaVerifier });
  const input = await fleet.upload('alice', clip);
  await using first = startChild(fleet, 'first');
  const job = await fleet.submit('alice', { recipe: 'mp4-h264', parameters: { height: 240, preset: 'medium' }, inputs: [{ cid: input.cid }] });
  await fleet.until(job.job_id, 'running');
  await eventually(async () => (await fleet.state.coordinator.get(job.job_id)).progress.out_time_us > 0 || first.child.exitCode !== null, 15_000);
  first.kill('SIGKILL');
  await first.exited;
  expect((await fleet.state.coordinator.get(job.job_id)).state).toBe('running');
  await using _second = startChild(fleet, 'second');
  expect(await fleet.ended(job.job_id, 60_000)).toMatchObject({ state: 'completed', attempt: 2, worker: 'second' });
  expect(await engine.data.read.selectFrom('holding').select('id').where('origin', '=', job.job_id).execute()).toHaveLength(1);
  expect(fleet.errors).toEqual([]);
}, 90_000);

test('the worker process ends when its standard input closes, when it is drained, and without settings', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  await using closed = startChild(fleet, 'closed');
  await eventually(() => closed.said().includes('Connected as closed'));
  closed.child.stdin.end();
  expect(await closed.exited).toBe(0);
  await using drained = startChild(fleet, 'drained');
  await eventually(() => drained.said().includes('Connected as drained'));
  drained.kill('SIGTERM');
  expect(await drained.exited).toBe(0);
}, 30_000);

test.runIf(process.geteuid?.() === 0)('a worker under another user, who can open nothing of the server’s, does a job', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data, { verify: mediaVerifier });
  const user = 65_533;
  const scratch = fleet.folder.join('scratch-other');
  await mkdir(scratch);
  await chown(scratch, user, user);
  const input = await fleet.upload('alice', clip);
  const job = await fleet.submit('alice', { recipe: 'audio-opus', inputs: [{ cid: input.cid }] });
  await using worker = startChild(fleet, 'other', { scratch, wrap: ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'] });
  expect(await fleet.ended(job.job_id, 30_000)).toMatchObject({ state: 'completed', worker: 'other' });
  expect((await readFile(`/proc/${worker.child.pid}/status`, 'utf8'))).toMatch(new RegExp(`^Uid:\\s+${user}\\s`, 'm'));
  expect((await stat(fleet.folder.join('blobs'))).mode & 0o077).toBe(0);
  expect(await readdir(scratch)).toEqual([]);
}, 60_000);

test('the worker process does not outlive a killed parent', async () => {
  await using engine = await sqlite();
  await using fleet = await startFleet(engine.data);
  const child = fileURLToPath(new URL('../src/worker/child.ts', import.meta.url));
  const key = fleet.worker('orphan').key.reveal().toString('base64');
  const settings = JSON.stringify({ server: fleet.url.href, name: 'orphan', key, slots: 1, scratch: fleet.folder.join('scratch-orphan') });
  const script = `const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, [${JSON.stringify(child)}], { stdio: ['pipe', 'ignore', 'inherit'] });
    child.stdin.write(${JSON.stringify(`${settings}\n`)});
    console.log(child.pid);`;
  const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line).trim());
  await eventually(async () => (await fleet.state.coordinator.workers()).some(({ connected }) => connected));
  parent.kill('SIGKILL');
  await eventually(() => !existsSync(`/proc/${pid}`), 10_000);
}, 30_000);
