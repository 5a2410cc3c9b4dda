/** A right that ends, ends what is running within one second: directly and through nginx as Debian configures it, with a slow reader. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNginx, type Nginx } from './support/nginx.ts';
import { freePort, PacedReader } from './support/raw-http.ts';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

/** The published bound, from the answer to whoever took the right away to the end of the reader's connection. */
const withinMs = 1_000;
const ways = ['directly', 'through nginx'] as const;
type Way = (typeof ways)[number];
/** A film of 16 Mbit/s, and a reader that takes it as it is watched: whoever sends is ahead of it and waits. */
const bytesPerSecond = 2_000_000;
/**
 * The server resets its own connection, which drops what waits in the kernel. What nginx has in its sockets by then it still hands on: at
 * most what this machine lets a sender and a receiver hold (tcp_wmem, tcp_rmem).
 */
const mostInSockets = ['tcp_wmem', 'tcp_rmem'].reduce((sum, name) => sum + Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim().split(/\s+/)[2]), 0);
const bytes = randomBytes(24_000_000);
/** A film that nobody else holds: another's holding of the same bytes would be another right to them. */
function newFilm(): Uint8Array<ArrayBuffer> {
  bytes.set(randomBytes(32));
  return bytes;
}
const servers = new Map<Way, TestWeir>();
let nginx: Nginx;

beforeAll(async () => {
  const [port, proxyPort] = [await freePort(), await freePort()];
  nginx = await startNginx(proxyPort, port);
  servers.set('directly', await startWeir());
  servers.set('through nginx', await startWeir({
    environment: {
      WEIR_SERVER__PORT: String(port), WEIR_SERVER__BEHIND_PROXY: 'true', WEIR_SERVER__TRUSTED_PROXIES: '127.0.0.1', WEIR_SERVER__PUBLIC_URL: nginx.url,
    },
  }));
});
afterAll(async () => {
  for (const weir of servers.values()) await weir[Symbol.asyncDispose]();
  await nginx[Symbol.asyncDispose]();
});

function serverOf(way: Way): TestWeir {
  const weir = servers.get(way);
  if (weir === undefined) throw new Error(way);
  return weir;
}

let count = 0;
const newName = (): string => `p${count += 1}`;

/** `target` with `headers` reads the film; `revoke` takes the right to do so away. */
type Watching = Readonly<{ target: string; headers: Record<string, string>; revoke: () => Promise<unknown> }>;
type Prepare = (weir: TestWeir, owner: Client, cid: string) => Promise<Watching>;

const reader = async (weir: TestWeir, owner: Client, cid: string): Promise<Client> => {
  await owner.json('PUT', `/api/v1/policies/${cid}`, { level: 'protected' });
  return weir.principal(newName(), 'viewer');
};

const cases: Readonly<Record<string, Prepare>> = {
  'the grant is revoked': async (_weir, owner, cid) => {
    const grant = await owner.json<{ grant_id: string; url: string }>('POST', '/api/v1/grants', { cid });
    const { pathname, search } = new URL(grant.url);
    return { target: pathname + search, headers: {}, revoke: () => owner.json('DELETE', `/api/v1/grants/${grant.grant_id}`) };
  },
  'the grant that it was narrowed from is revoked': async (weir, owner, cid) => {
    const parent = await owner.json<{ grant_id: string; token: string }>('POST', '/api/v1/grants', { cid });
    const child = await weir.anonymous.json<{ token: string }>('POST', '/api/v1/grants/narrow', { grant: parent.token });
    const { url } = await weir.anonymous.json<{ url: string }>('POST', '/api/v1/grants/narrow', { grant: child.token });
    return { target: new URL(url).pathname + new URL(url).search, headers: {}, revoke: () => owner.json('DELETE', `/api/v1/grants/${parent.grant_id}`) };
  },
  'the policy becomes private': async (weir, owner, cid) => {
    const viewer = await reader(weir, owner, cid);
    return { target: `/api/v1/content/${cid}`, headers: viewer.evidence(), revoke: () => owner.json('PUT', `/api/v1/policies/${cid}`, { level: 'private' }) };
  },
  'the holding is deleted': async (weir, owner, cid) => {
    const viewer = await reader(weir, owner, cid);
    return { target: `/api/v1/content/${cid}`, headers: viewer.evidence(), revoke: () => owner.json('DELETE', `/api/v1/content/${cid}`) };
  },
  'the principal is disabled': async (weir, owner, cid) => {
    const viewer = await reader(weir, owner, cid);
    const admin = await weir.admin();
    return { target: `/api/v1/content/${cid}`, headers: viewer.evidence(), revoke: () => admin.json('PATCH', `/api/v1/principals/${viewer.name}`, { disabled: true }) };
  },
  'the token is revoked': async (weir, owner, cid) => {
    const viewer = await reader(weir, owner, cid);
    const { token, jti } = await viewer.json<{ token: string; jti: string }>('POST', '/api/v1/tokens', {});
    return { target: `/api/v1/content/${cid}`, headers: { authorization: `Bearer ${token}` }, revoke: () => viewer.json('DELETE', `/api/v1/tokens/${jti}`) };
  },
  'the session is ended': async (weir, owner, cid) => {
    const viewer = await reader(weir, owner, cid);
    const { link } = await (await weir.admin()).json<{ link: string }>('POST', `/api/v1/principals/${viewer.name}/sign-in-link`);
    const reply = await weir.anonymous.send('POST', '/auth/login', { secret: link.split('#')[1] });
    const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? '';
    const session = /=([0-9A-Z]{26})\./.exec(cookie)?.[1] ?? '';
    return { target: `/api/v1/content/${cid}`, headers: { cookie }, revoke: () => viewer.json('DELETE', `/auth/sessions/${session}`) };
  },
};

test.each(Object.keys(cases).flatMap((name) => ways.map((way) => [name, way] as const)))('a running reading ends within a second when %s, %s', async (name, way) => {
  const weir = serverOf(way);
  const owner = await weir.principal(newName(), 'user');
  const cid = await owner.upload(newFilm());
  const { target, headers, revoke } = await (cases[name] ?? notThere)(weir, owner, cid);
  using watching = new PacedReader(weir.url, target, headers, bytesPerSecond);
  await watching.has(bytesPerSecond / 4);
  expect(watching.status).toBe(200);
  await revoke();
  const revokedAt = performance.now();
  watching.mark();
  // Through nginx the reader takes at once what is under way, so that the time is the servers' and not its own.
  if (way === 'through nginx') watching.hurry();
  expect([401, 403, 404]).toContain((await weir.anonymous.fetch(target, { headers })).status);
  await watching.ended;
  expectEnded(watching, revokedAt, way);
});

test.each([250_000, 1_000_000, 4_000_000])('a slow reader of %i bytes per second ends within a second: what it has not read is not sent', async (rate) => {
  const weir = serverOf('directly');
  const owner = await weir.principal(newName(), 'user');
  const cid = await owner.upload(newFilm());
  const { target, headers, revoke } = await (cases['the grant is revoked'] ?? notThere)(weir, owner, cid);
  using watching = new PacedReader(weir.url, target, headers, rate);
  await watching.has(rate * 2.5);
  await revoke();
  const revokedAt = performance.now();
  watching.mark();
  await watching.ended;
  const tookMs = Math.round((watching.endedAt ?? Infinity) - revokedAt);
  console.log(`${rate} bytes/s: ended after ${tookMs} ms and ${watching.sinceMark} more bytes`);
  expect(tookMs).toBeLessThanOrEqual(withinMs);
});

test('curl with a limited rate ends with an error within a second', async () => {
  const weir = serverOf('directly');
  const owner = await weir.principal(newName(), 'user');
  const cid = await owner.upload(newFilm());
  const grant = await owner.json<{ grant_id: string; url: string }>('POST', '/api/v1/grants', { cid });
  const { pathname, search } = new URL(grant.url);
  const curl = spawn('curl', ['--silent', '--limit-rate', '1M', '--max-time', '30', weir.url + pathname + search], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(curl, 'close');
  let received = 0;
  curl.stdout.on('data', (piece: Buffer) => { received += piece.length; });
  await expect.poll(() => received, { timeout: 20_000 }).toBeGreaterThan(4_000_000);
  await owner.json('DELETE', `/api/v1/grants/${grant.grant_id}`);
  const revokedAt = performance.now();
  const [code] = await exit as [number];
  console.log(`curl: ended after ${Math.round(performance.now() - revokedAt)} ms`);
  expect(code).not.toBe(0);
  expect(performance.now() - revokedAt).toBeLessThanOrEqual(withinMs);
});

test('a reader that is slower still gets no more through nginx than what its sockets held', async () => {
  const weir = serverOf('through nginx');
  const owner = await weir.principal(newName(), 'user');
  const cid = await owner.upload(newFilm());
  const { target, headers, revoke } = await (cases['the grant is revoked'] ?? notThere)(weir, owner, cid);
  using watching = new PacedReader(weir.url, target, headers, bytesPerSecond);
  await watching.has(500_000);
  await revoke();
  watching.mark();
  await watching.ended;
  expect(watching.sinceMark).toBeLessThanOrEqual(mostInSockets);
  expect(watching.received).toBeLessThan(bytes.length);
});

test.each(ways)('a running reading ends within a second when its grant expires, %s', async (way) => {
  const weir = serverOf(way);
  const owner = await weir.principal(newName(), 'user');
  const cid = await owner.upload(newFilm());
  const { url, expires_at: expiresAt } = await owner.json<{ url: string; expires_at: string }>('POST', '/api/v1/grants', { cid, expires_in: 2 });
  await wait(Date.parse(expiresAt) - Date.now() - 600);
  using watching = new PacedReader(weir.url, new URL(url).pathname + new URL(url).search, {}, bytesPerSecond);
  await watching.has(100_000);
  await wait(Date.parse(expiresAt) - Date.now());
  const expiredAt = performance.now();
  watching.mark();
  // A clock's tick later: until then it may be sent to.
  await wait(100);
  if (way === 'through nginx') watching.hurry();
  await watching.ended;
  expectEnded(watching, expiredAt, way);
  expect((await weir.anonymous.fetch(new URL(url).pathname + new URL(url).search)).status).toBe(403);
});

test.each(ways)('a policy for one reader at a time refuses the second, and lets it in when the first has gone, %s', async (way) => {
  const weir = serverOf(way);
  const owner = await weir.principal(newName(), 'user');
  const cid = await owner.upload(newFilm());
  await owner.json('PUT', `/api/v1/policies/${cid}`, { level: 'protected', max_concurrent_per_principal: 1 });
  const [viewer, another] = [await weir.principal(newName(), 'viewer'), await weir.principal(newName(), 'viewer')];
  const first = new PacedReader(weir.url, `/api/v1/content/${cid}`, viewer.evidence(), bytesPerSecond);
  await first.has(100_000);
  expect((await viewer.get(cid)).status).toBe(404);
  expect((await another.get(cid, { range: 'bytes=0-9' })).status).toBe(206);
  first[Symbol.dispose]();
  await expect.poll(async () => (await viewer.get(cid, { range: 'bytes=0-9' })).status, { timeout: 5_000 }).toBe(206);
});

test.each(['/api/v1/jobs/events', 'events of a job', 'log of a job'])('a stream of events ends within a second when the right to it does: %s', async (stream) => {
  const weir = serverOf('directly');
  const admin = await weir.admin();
  for (const how of ['the token is revoked', 'the principal is disabled'] as const) {
    const owner = await weir.principal(newName(), 'user');
    const cid = await owner.upload(Buffer.from('film'));
    const { job_id: job } = await owner.json<{ job_id: string }>('POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid }] });
    const { token, jti } = await owner.json<{ token: string; jti: string }>('POST', '/api/v1/tokens', {});
    const target = stream === 'events of a job' ? `/api/v1/jobs/${job}/events` : stream === 'log of a job' ? `/api/v1/jobs/${job}/logs?follow=1` : stream;
    using events = new PacedReader(weir.url, target, { authorization: `Bearer ${token}` }, 1_000_000);
    await events.has(1);
    expect(events.status).toBe(200);
    if (how === 'the token is revoked') await owner.json('DELETE', `/api/v1/tokens/${jti}`);
    else await admin.json('PATCH', `/api/v1/principals/${owner.name}`, { disabled: true });
    const revokedAt = performance.now();
    await Promise.race([events.ended, wait(3_000)]);
    expect((events.endedAt ?? Infinity) - revokedAt, how).toBeLessThanOrEqual(withinMs);
  }
});

test('a right of another content, and readers of others, are left alone', async () => {
  const weir = serverOf('directly');
  const owner = await weir.principal(newName(), 'user');
  const cid = await owner.upload(newFilm());
  const [stays, goes] = await Promise.all([{}, {}].map((more) => owner.json<{ grant_id: string; url: string }>('POST', '/api/v1/grants', { cid, ...more })));
  if (stays === undefined || goes === undefined) throw new Error('no grants');
  const watch = ({ url }: { url: string }): PacedReader => new PacedReader(weir.url, new URL(url).pathname + new URL(url).search, {}, bytesPerSecond);
  using kept = watch(stays);
  using ended = watch(goes);
  await Promise.all([kept.has(200_000), ended.has(200_000)]);
  await owner.json('DELETE', `/api/v1/grants/${goes.grant_id}`);
  await ended.ended;
  kept.mark();
  await kept.has(kept.received + 500_000);
  expect(kept.endedAt).toBeUndefined();
});

function expectEnded(watching: PacedReader, fromMs: number, way: Way): void {
  const tookMs = Math.round((watching.endedAt ?? Infinity) - fromMs);
  console.log(`${way}: ended after ${tookMs} ms and ${watching.sinceMark} more bytes`);
  expect(tookMs).toBeLessThanOrEqual(withinMs);
  // Directly no more than one second of what the reader takes; and never the whole.
  expect(watching.sinceMark).toBeLessThanOrEqual(way === 'directly' ? bytesPerSecond : mostInSockets);
  expect(watching.received).toBeLessThan(bytes.length);
}

const notThere: Prepare = () => { throw new Error('no such case'); };
