/** Signing keys are replaced while servers run: what was signed holds or ends as the operator said, on every node, within a second. */
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { joinWorker } from '../packages/fleet/src/worker/join.ts';
import { runWorker } from '../packages/fleet/src/worker/main.ts';
import { pin, readProfile } from '../packages/fleet/src/worker/profile.ts';
import { runCommand } from './support/command.ts';
import { freshPostgres } from './support/postgres.ts';
import { PacedReader } from './support/raw-http.ts';
import { Client, startWeir, type TestWeir } from './support/weir.ts';

const withinMs = 1_000;
let weir: TestWeir;
beforeAll(async () => { weir = await startWeir(); });
afterAll(async () => { await weir[Symbol.asyncDispose](); });

const kidOf = (token: string): string => (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;
const bearer = (at: TestWeir, name: string, token: string): Client => new Client(at, name, () => ({ authorization: `Bearer ${token}` }));
const statusOf = async (client: Client): Promise<number> => (await client.fetch('/api/v1/status')).status;

async function newToken(at: TestWeir, principal: string): Promise<string> {
  return (await (await at.admin()).json<{ token: string }>('POST', '/api/v1/tokens', { principal, expires_in: 600 })).token;
}
async function someone(at: TestWeir): Promise<Client> {
  return at.principal(`p-${randomBytes(4).toString('hex')}`, 'user');
}
async function privateHome(): Promise<AsyncDisposable & { path: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'weir-worker-'));
  return { path: folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
/** How long until `done` holds. */
async function until(done: () => Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  while (!await done()) {
    if (performance.now() - startedAt > 10_000) throw new Error('it did not happen');
    await wait(20);
  }
  return performance.now() - startedAt;
}

test('another process replaces the key of access tokens: old tokens hold, new ones name the new key, and the running server knows it', async () => {
  const alice = await someone(weir);
  const before = await newToken(weir, alice.name);
  const { code, stdout, stderr } = await runCommand(weir, ['admin', 'keys', 'rotate', 'access']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const kid = stdout.trim();
  await until(async () => kidOf(await newToken(weir, alice.name)) === kid);
  expect(await statusOf(bearer(weir, alice.name, before))).toBe(200);
  expect(await statusOf(bearer(weir, alice.name, await newToken(weir, alice.name)))).toBe(200);
  const issued = await runCommand(weir, ['token', 'issue', '--principal', alice.name, '--quiet']);
  expect(kidOf(issued.stdout)).toBe(kid);
  expect(await statusOf(bearer(weir, alice.name, issued.stdout.trim()))).toBe(200);
});

test('the published key set has the current key first and the older ones that still verify, with alg, use and kid, and may be kept for a minute', async () => {
  const alice = await someone(weir);
  const old = await newToken(weir, alice.name);
  await (await weir.admin()).json('POST', '/api/v1/keys/rotate', { purpose: 'access' });
  const token = await newToken(weir, alice.name);
  const reply = await weir.anonymous.fetch('/.well-known/jwks.json');
  expect(reply.headers.get('cache-control')).toBe('public, max-age=60');
  const { keys } = await reply.json() as { keys: { kid: string; alg: string; use: string; kty: string; crv: string; x: string }[] };
  expect(keys[0]?.kid).toBe(kidOf(token));
  expect(keys.map(({ kid }) => kid)).toContain(kidOf(old));
  for (const key of keys) expect(key).toEqual({ kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA', kid: key.kid, x: key.x });
  const [header = '', payload = '', signature = ''] = token.split('.');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: keys[0]?.x ?? '' }, format: 'jwk' });
  expect(verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))).toBe(true);
});

test('a compromised key of access tokens: another process says so, and within a second its tokens are 401 and what they read ends', async () => {
  const alice = await someone(weir);
  const cid = await alice.upload(randomBytes(24_000_000));
  const token = await newToken(weir, alice.name);
  using reading = new PacedReader(weir.url, `/api/v1/content/${cid}`, { authorization: `Bearer ${token}` }, 2_000_000);
  await reading.has(500_000);
  const { code, stdout } = await runCommand(weir, ['admin', 'keys', 'rotate', 'access', '--compromised', '--json']);
  const saidAt = performance.now();
  expect(code).toBe(0);
  const rotated = JSON.parse(stdout) as { kid: string; voided: string[] };
  expect(rotated.voided).toContain(kidOf(token));
  await until(async () => await statusOf(bearer(weir, alice.name, token)) === 401);
  expect(performance.now() - saidAt).toBeLessThan(withinMs);
  await reading.ended;
  expect(performance.now() - saidAt).toBeLessThan(withinMs + 500);
  expect(await statusOf(bearer(weir, alice.name, await newToken(weir, alice.name)))).toBe(200);
  const { keys } = await (await weir.anonymous.fetch('/.well-known/jwks.json')).json() as { keys: { kid: string }[] };
  expect(keys.map(({ kid }) => kid)).toEqual([rotated.kid]);
  await weir.kill('SIGTERM');
  await weir.start();
  expect(await statusOf(bearer(weir, alice.name, token))).toBe(401);
});

test('a compromised key of links ends every link, and the list says so', async () => {
  const alice = await someone(weir);
  const cid = await alice.upload(randomBytes(1_000));
  const { url } = await alice.json<{ url: string }>('POST', '/api/v1/grants', { cid });
  expect((await fetch(url)).status).toBe(200);
  await (await weir.admin()).json('POST', '/api/v1/keys/rotate', { purpose: 'grant' });
  expect((await fetch(url)).status).toBe(200);
  await (await weir.admin()).json('POST', '/api/v1/keys/rotate', { purpose: 'grant', compromised: true });
  expect((await fetch(url)).status).toBe(401);
  expect((await alice.json<{ items: { state: string }[] }>('GET', '/api/v1/grants')).items).toMatchObject([{ state: 'revoked' }]);
  const { url: fresh } = await alice.json<{ url: string }>('POST', '/api/v1/grants', { cid });
  expect((await fetch(fresh)).status).toBe(200);
});

test.each(['playlist', 'ticket', 'grant'] as const)('a compromised key of a %s ends what is read by it within a second; a mere rotation does not', async (purpose) => {
  const alice = await someone(weir);
  const cid = await alice.upload(randomBytes(24_000_000));
  const target = `/api/v1/content/${cid}`;
  let reading: PacedReader;
  if (purpose === 'grant') {
    const { url } = await alice.json<{ url: string }>('POST', '/api/v1/grants', { cid });
    reading = new PacedReader(weir.url, new URL(url).pathname + new URL(url).search, {}, 2_000_000);
  } else if (purpose === 'playlist') {
    const { ticket } = await alice.json<{ ticket: string }>('POST', '/api/v1/tickets', { action: 'content.read', object: cid });
    const exchanged = await fetch(`${weir.url}${target}?ticket=${ticket}`, { redirect: 'manual' });
    reading = new PacedReader(weir.url, target, { cookie: exchanged.headers.get('set-cookie')?.split(';')[0] ?? '' }, 2_000_000);
  } else {
    const { job_id: job } = await alice.json<{ job_id: string }>('POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid }] });
    const { ticket } = await alice.json<{ ticket: string }>('POST', '/api/v1/tickets', { action: 'job.read', object: `job:${job}` });
    reading = new PacedReader(weir.url, `/api/v1/jobs/${job}/events?ticket=${ticket}`, {}, 2_000_000);
  }
  using running = reading;
  await running.has(purpose === 'ticket' ? 1 : 500_000);
  expect(running.status).toBe(200);
  await (await weir.admin()).json('POST', '/api/v1/keys/rotate', { purpose });
  await wait(700);
  expect(running.endedAt).toBeUndefined();
  const saidAt = performance.now();
  await (await weir.admin()).json('POST', '/api/v1/keys/rotate', { purpose, compromised: true });
  await running.ended;
  expect((running.endedAt ?? Infinity) - saidAt).toBeLessThan(withinMs);
});

test('the audit key is replaced and the whole chain still verifies; each rotation is in it', async () => {
  const admin = await weir.admin();
  const { kid } = await admin.json<{ kid: string }>('POST', '/api/v1/keys/rotate', { purpose: 'audit' });
  await weir.kill('SIGTERM');
  await weir.start();
  const again = await weir.admin();
  expect(await again.json('POST', '/api/v1/audit/verify')).toMatchObject({ intact: true });
  expect((await again.json<{ items: unknown[] }>('GET', '/api/v1/audit?action=key.rotate')).items[0]).toMatchObject({ object: `key:${kid}`, principal: 'admin' });
  const { items } = await again.json<{ items: { kid: string; state: string; purpose: string }[] }>('GET', '/api/v1/keys');
  expect(items.find((key) => key.kid === kid)).toMatchObject({ state: 'signing', purpose: 'audit' });
  expect(JSON.stringify(items)).not.toMatch(/secret|private/i);
});

test('a worker that joined follows the instance to its new key, because the key that it pinned says so', async () => {
  await using home = await privateHome();
  const { link } = await (await weir.admin()).json<{ link: string }>('POST', '/api/v1/workers/invites');
  const file = await joinWorker(link, 'attic', home.path);
  const { name, address, credentials } = await readProfile(file);
  const drain = new AbortController();
  let followed: string | undefined;
  let ran = 0;
  await using _stop = { [Symbol.asyncDispose]: async () => drain.abort() };
  const running = runWorker({
    ...address, name, credentials, slots: 1, scratch: path.join(home.path, 'scratch'), capabilities: { ffmpeg: 'none', encoders: [], jail: 'none' },
    run: async () => { ran += 1; throw new Error('enough'); }, onInstanceKey: async (key) => { followed = key.kid; await pin(home.path, name, { instanceKey: key }); },
  }, { drain: drain.signal, stop: drain.signal });
  await until(async () => (await (await weir.admin()).json<{ items: { worker: string; connected: boolean }[] }>('GET', '/api/v1/workers')).items.some((item) => item.worker === name && item.connected));
  const { kid } = await (await weir.admin()).json<{ kid: string }>('POST', '/api/v1/keys/rotate', { purpose: 'instance' });
  const before = ran;
  const alice = await someone(weir);
  await alice.json('POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid: await alice.upload(randomBytes(1_000)) }] });
  await until(async () => followed === kid && ran > before);
  drain.abort();
  await running;
  expect((await readProfile(file)).credentials.instanceKey.kid).toBe(kid);
});

test('of two servers that share a database, the other knows a new key and forgets a compromised one within a second', async (context) => {
  const url = await freshPostgres(context);
  await using one = await startWeir({ environment: { WEIR_DATABASE__URL: url } });
  await using two = await startWeir({ environment: { WEIR_DATABASE__URL: url, WEIR_KEYS__DIRECTORY: one.keysPath } });
  const alice = await someone(one);
  const old = await newToken(one, alice.name);
  expect(await statusOf(bearer(two, alice.name, old))).toBe(200);
  await (await one.admin()).json('POST', '/api/v1/keys/rotate', { purpose: 'access' });
  const fresh = await newToken(one, alice.name);
  expect(await until(async () => await statusOf(bearer(two, alice.name, fresh)) === 200)).toBeLessThan(withinMs);
  expect(await statusOf(bearer(two, alice.name, old))).toBe(200);
  await (await one.admin()).json('POST', '/api/v1/keys/rotate', { purpose: 'access', compromised: true });
  expect(await until(async () => await statusOf(bearer(two, alice.name, fresh)) === 401)).toBeLessThan(withinMs);
  expect(await statusOf(bearer(two, alice.name, old))).toBe(401);
  const newest = await newToken(one, alice.name);
  expect(await until(async () => await statusOf(bearer(two, alice.name, newest)) === 200)).toBeLessThan(withinMs);
});
