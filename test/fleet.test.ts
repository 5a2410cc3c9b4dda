/** Server and workers together: every recipe on the bundled clip, a worker on another machine that dies, cancelling, rights that end. */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { joinWorker } from '../packages/fleet/src/worker/join.ts';
import { killGroup, OtherMachine } from './support/other-machine.ts';
import { StoredState } from './support/state.ts';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

const isRoot = process.getuid?.() === 0;
/** The bundled clip is the admin's as well, under a policy of its own; with a free box at its end it is alice's alone. */
const clip = Buffer.concat([await readFile(new URL('../packages/fleet/assets/clip.mp4', import.meta.url)), Buffer.from([0, 0, 0, 24]), Buffer.from('free'), randomBytes(16)]);
const remoteWorker = fileURLToPath(new URL('support/remote-worker.ts', import.meta.url));
const systemAuthorities = tls.getCACertificates('default');

type Output = Readonly<{ name: string; cid: string; size: number; content_type: string; probe: { streams: { codec: string; height?: number }[] } | null }>;
type Job = Readonly<{ job_id: string; state: string; attempt: number; worker: string | null; owner: string; outputs: readonly Output[]; error: { code: string; message: string } | null; progress: { out_time_us: number } }>;

let machine: OtherMachine | undefined;
let weir: TestWeir;
let admin: Client;
let alice: Client;
let bob: Client;
let cid = '';

beforeAll(async () => {
  machine = isRoot ? await OtherMachine.open() : undefined;
  weir = await startWeir({
    worker: true,
    environment: {
      WEIR_SERVER__TLS: 'true', WEIR_FLEET__LEASE_SECONDS: '5', WEIR_FLEET__SLOTS: '2',
      ...(machine === undefined ? {} : { WEIR_SERVER__ADDRESS: '0.0.0.0', WEIR_SERVER__ALLOWED_HOSTS: machine.here }),
    },
  });
  await trustOnlyWeir();
  admin = await weir.admin();
  [alice, bob] = [await weir.principal('alice', 'user'), await weir.principal('bob', 'user')];
  cid = await alice.upload(clip, 'clip.mp4');
  await alice.json('PUT', `/api/v1/policies/${cid}`, { level: 'private', allowed_users: ['bob'] });
}, 60_000);
afterAll(async () => {
  tls.setDefaultCACertificates(systemAuthorities);
  await weir[Symbol.asyncDispose]();
  await machine?.[Symbol.asyncDispose]();
});

/** The tests' own client verifies the certificate that the server made for itself. */
async function trustOnlyWeir(): Promise<void> {
  const [name = ''] = (await readdir(weir.keysPath)).filter((file) => file.endsWith('-tls.pem'));
  const pem = await readFile(path.join(weir.keysPath, name), 'utf8');
  expect(createHash('sha256').update(new X509Certificate(pem).raw).digest('hex')).toBe(weir.ready.fingerprint);
  tls.setDefaultCACertificates([pem]);
}

const submit = (who: Client, request: object): Promise<Job> => who.json<Job>('POST', '/api/v1/jobs', { inputs: [{ cid }], ...request });
const small = { recipe: 'mp4-h264', parameters: { height: 144, preset: 'ultrafast' } };
const slow = { recipe: 'mp4-h264', parameters: { height: 720, preset: 'slower', crf: 15 } };

async function until(who: Client, id: string, holds: (job: Job) => boolean, timeoutMs = 60_000): Promise<Job> {
  for (const end = Date.now() + timeoutMs; ;) {
    const job = await who.json<Job>('GET', `/api/v1/jobs/${id}`);
    if (holds(job)) return job;
    if (Date.now() > end) throw new Error(`the job is ${JSON.stringify(job)}`);
    await wait(50);
  }
}
const isEnded = ({ state }: Job): boolean => ['completed', 'failed', 'canceled'].includes(state);
const encodes = ({ state, progress }: Job): boolean => state === 'running' && progress.out_time_us > 0;
const drain = (worker: string, draining: boolean): Promise<unknown> => admin.json('PATCH', `/api/v1/workers/${worker}`, { draining });

async function connected(name: string): Promise<void> {
  for (;;) {
    const { items } = await admin.json<{ items: { worker: string; connected: boolean }[] }>('GET', '/api/v1/workers');
    if (items.some((item) => item.worker === name && item.connected)) return;
    await wait(50);
  }
}

test('every recipe runs on the clip; its outputs can be read, belong to the submitter and inherit the policy', async () => {
  const requests = [small, { recipe: 'audio-opus' }, { recipe: 'hls-ladder', parameters: { heights: '144', preset: 'ultrafast' } }, { recipe: 'probe' }];
  const submitted = await Promise.all(requests.map((request) => submit(alice, request)));
  const jobs = await Promise.all(submitted.map(({ job_id: id }) => until(alice, id, isEnded)));
  expect(jobs.map(({ state, error, owner }) => ({ state, error, owner }))).toEqual(requests.map(() => ({ state: 'completed', error: null, owner: 'alice' })));
  const [mp4, opus, hls, probe] = jobs.map(({ outputs }) => outputs);
  expect(mp4).toMatchObject([{ name: 'video.mp4', content_type: 'video/mp4', probe: { streams: [{ codec: 'h264', height: 144 }, { codec: 'aac' }] } }]);
  expect(opus).toMatchObject([{ name: 'audio.opus', content_type: 'audio/ogg', probe: { streams: [{ codec: 'opus' }] } }]);
  expect(hls?.map(({ content_type: type }) => type)).toEqual(['application/vnd.apple.mpegurl', 'video/mp4']);
  expect(probe).toMatchObject([{ probe: { streams: [{ codec: 'h264' }, { codec: 'aac' }] } }]);
  const carol = await weir.principal('carol', 'user');
  const library = (await alice.json<{ items: { cid: string; origin: string | null; level: string | null }[] }>('GET', '/api/v1/library')).items;
  for (const job of jobs) {
    for (const output of job.outputs) {
      for (const who of [alice, bob]) expect((await (await who.get(output.cid)).arrayBuffer()).byteLength, output.name).toBe(output.size);
      expect((await carol.get(output.cid)).status).toBe(404);
      expect(library.find((item) => item.cid === output.cid)).toMatchObject({ level: 'private', origin: job.job_id });
    }
  }
  expect((await (await alice.get(hls?.[0]?.cid ?? '')).text())).toContain('#EXT-X-ENDLIST');
}, 90_000);

test('outputs from another’s content stay under that content’s policy', async () => {
  const job = await until(bob, (await submit(bob, { recipe: 'audio-opus', parameters: { bitrate_kbps: 32 } })).job_id, isEnded);
  const made = job.outputs[0]?.cid ?? '';
  expect((await bob.get(made)).status).toBe(200);
  await bob.json('PUT', `/api/v1/policies/${made}`, { level: 'public' });
  expect((await weir.anonymous.get(made)).status).not.toBe(200);
}, 60_000);

test('cancelling ends ffmpeg within two seconds, and nothing is published', async () => {
  const job = await submit(alice, slow);
  await until(alice, job.job_id, encodes);
  expect(await ffmpegBelow(weir.pid)).toBeGreaterThan(0);
  await alice.json('POST', `/api/v1/jobs/${job.job_id}/cancel`);
  const cancelledAt = performance.now();
  while (await ffmpegBelow(weir.pid) > 0) await wait(20);
  expect(performance.now() - cancelledAt).toBeLessThan(2_000);
  expect(await until(alice, job.job_id, isEnded)).toMatchObject({ state: 'canceled', outputs: [] });
  using state = new StoredState(weir.dataPath);
  expect(state.rows('select id from holding where origin = ?', job.job_id)).toEqual([]);
}, 60_000);

test('a job whose input may no longer be read when a worker is found fails and says so', async () => {
  await drain('built-in', true);
  const job = await submit(bob, small);
  await alice.json('PUT', `/api/v1/policies/${cid}`, { level: 'private' });
  await drain('built-in', false);
  expect(await until(bob, job.job_id, isEnded)).toMatchObject({ state: 'failed', outputs: [], error: { code: 'policy.refused' } });
  expect((await bob.send('POST', '/api/v1/jobs', { ...small, inputs: [{ cid }] })).status).toBe(404);
  await alice.json('PUT', `/api/v1/policies/${cid}`, { level: 'private', allowed_users: ['bob'] });
});

test('a worker that was told another certificate sends nothing, and an invitation is good once', async () => {
  const home = await mkdtemp(path.join(tmpdir(), 'weir-join-'));
  const { link } = await admin.json<{ link: string }>('POST', '/api/v1/workers/invites');
  const [, fingerprint = ''] = /#([0-9a-f]{64}):/.exec(link) ?? [];
  expect(fingerprint).toBe(weir.ready.fingerprint);
  const wrong = link.replace(fingerprint, createHash('sha256').update('another').digest('hex'));
  await expect(joinWorker(wrong, 'pinned', home)).rejects.toMatchObject({ code: 'server.unreachable', message: expect.stringContaining('certificate is not the one') });
  // Without the fingerprint an authority has to vouch for the certificate, and none of the system does.
  await expect(joinWorker(link.replace(`${fingerprint}:`, ''), 'pinned', home, { caPem: systemAuthorities.join('\n') })).rejects.toMatchObject({ code: 'server.unreachable' });
  expect(await readdir(home)).toEqual([]);
  await joinWorker(link, 'pinned', home);
  await expect(joinWorker(link, 'again', home)).rejects.toMatchObject({ code: 'invite.invalid' });
  await rm(home, { recursive: true });
});

test.runIf(isRoot)('a worker on another machine joins, takes a job and is killed in the middle; the job completes elsewhere, once', async () => {
  const other = machine;
  if (other === undefined) throw new Error('no other machine');
  await drain('built-in', true);
  const { link } = await admin.json<{ link: string }>('POST', '/api/v1/workers/invites');
  const worker = other.spawn([process.execPath, remoteWorker, 'remote', other.home]);
  let said = '';
  worker.stderr?.setEncoding('utf8').on('data', (text: string) => { said += text; });
  worker.stdin?.write(`${link.replace('127.0.0.1', other.here)}\n`);
  await Promise.race([connected('remote'), wait(20_000).then(() => { throw new Error(`the worker did not connect: ${said}`); })]);
  // Nothing of the server's is open to it but the socket.
  for (const file of [weir.home, path.join(weir.dataPath, 'weir.db'), weir.keysPath]) {
    expect(await other.run(['ls', '-l', path.join(file, '.')])).toMatchObject({ code: expect.not.closeTo(0), said: expect.stringContaining('ermission denied') });
    expect((await other.run(['cat', file])).said).toContain('ermission denied');
  }
  const job = await submit(alice, { recipe: 'mp4-h264', parameters: { height: 480, preset: 'medium' } });
  expect(await until(alice, job.job_id, encodes)).toMatchObject({ worker: 'remote', attempt: 1 });
  await drain('built-in', false);
  await killGroup(worker);
  const done = await until(alice, job.job_id, isEnded, 90_000);
  expect(done).toMatchObject({ state: 'completed', worker: 'built-in', attempt: 2, error: null });
  expect((await (await alice.get(done.outputs[0]?.cid ?? '')).arrayBuffer()).byteLength).toBe(done.outputs[0]?.size);
  using state = new StoredState(weir.dataPath);
  expect(state.rows('select id from holding where origin = ?', job.job_id)).toHaveLength(1);
  expect(state.rows(`select count(*) as count from audit_event where action = 'job.complete' and object = ?`, `job:${job.job_id}`)).toEqual([{ count: 1 }]);
  expect((await alice.send('POST', `/api/v1/jobs/${job.job_id}/retry`)).status).toBe(409);
}, 150_000);

/** How many ffmpeg processes descend from a process. */
async function ffmpegBelow(pid: number): Promise<number> {
  const parents = new Map<number, number>();
  const media: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => ''); // it ended meanwhile
    const [, command = '', parent = ''] = /^\d+ \((.*)\) [A-Z] (\d+) /s.exec(stat) ?? [];
    parents.set(Number(name), Number(parent));
    if (command.startsWith('ffmpeg')) media.push(Number(name));
  }
  const descends = (child: number): boolean => child === pid || (child > 1 && descends(parents.get(child) ?? 0));
  return media.filter(descends).length;
}
