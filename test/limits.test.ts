/** Limits as a client meets them: exact headers, failures counted by place and never held against a correct proof; TLS 1.2 and newer; flags of cookies. */
import http from 'node:http';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send, type RawReply } from './support/raw-http.ts';
import { dffmpegSigned, startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let admin: Client;
let victim: Client & { key: string };

const settings = {
  WEIR_FLEET__ENABLED: 'false', WEIR_STREAMING_SECURITY__RATE_LIMITS__DEFAULT: '{ limit = 40, period = 60 }', WEIR_STREAMING_SECURITY__RATE_LIMITS__AUTH_FAILURES: '{ limit = 5, period = 60 }',
};
beforeAll(async () => {
  weir = await startWeir({ limits: 'default', environment: settings });
  admin = await weir.admin();
  victim = await weir.principal('victim', 'user');
});
afterAll(() => weir[Symbol.asyncDispose]());

type Headers = Record<string, string>;
const from = (address: string, headers: Headers = {}): Promise<RawReply> => send(weir.url, { target: '/api/v1/permissions', headers: { 'x-forwarded-for': address, ...headers } });
const limits = ({ headers }: RawReply): (string | undefined)[] =>
  ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset', 'retry-after'].map((name) => { const value = headers[name]; return typeof value === 'string' ? value : undefined; });

test('streamkit §2.10 #11: each answer says the limit, what is left and when it is whole again; past it comes 429 with Retry-After', async () => {
  const replies: RawReply[] = [];
  for (let count = 0; count < 42; count += 1) replies.push(await from('198.51.100.1'));
  const [first, second] = replies;
  // A use comes back every 1.5 s: 40 in 60 s.
  expect(limits(first as RawReply)).toEqual(['40', '39', '2', undefined]);
  expect(limits(second as RawReply)).toEqual(['40', '38', '3', undefined]);
  const refused = replies.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  const [limit, remaining, reset, retry] = limits(refused[0] as RawReply);
  expect([limit, remaining]).toEqual(['40', '0']);
  expect(Number(reset)).toBeGreaterThanOrEqual(58);
  expect(Number(reset)).toBeLessThanOrEqual(60);
  expect(Number(retry)).toBeGreaterThanOrEqual(1);
  expect(Number(retry)).toBeLessThanOrEqual(2);
  expect(JSON.parse((refused[0] as RawReply).text)).toMatchObject({ error: { code: 'rate.exceeded' } });
  // Health is always told.
  expect((await send(weir.url, { target: '/healthz', headers: { 'x-forwarded-for': '198.51.100.1' } })).status).toBe(200);
});

test('ipfs-kit §1.5 #12: strangers behind one proxy are counted each by its own address, an IPv6 host by its /64', async () => {
  expect((await from('198.51.100.2')).headers['ratelimit-remaining']).toBe('39');
  expect((await from('198.51.100.3')).headers['ratelimit-remaining']).toBe('39');
  expect((await from('2001:db8:1:2::1')).headers['ratelimit-remaining']).toBe('39');
  expect((await from('2001:db8:1:2:ffff::9')).headers['ratelimit-remaining']).toBe('38');
  expect((await from('2001:db8:1:3::1')).headers['ratelimit-remaining']).toBe('39');
  expect((await from('::ffff:198.51.100.2')).headers['ratelimit-remaining']).toBe('38');
});

test('a player reads one content in many ranges as one opening; another content is another one', async () => {
  const player = await weir.principal('player', 'user');
  const [film, other] = [await player.upload(Buffer.from('a film')), await player.upload(Buffer.from('another'))];
  const read = (cid: string): Promise<Response> => player.get(cid, { range: 'bytes=0-1' });
  expect((await read(film)).headers.get('ratelimit-limit')).toBe('40');
  for (let count = 0; count < 60; count += 1) {
    const { status, headers } = await read(film);
    expect([status, headers.get('ratelimit-limit')]).toEqual([206, null]);
  }
  expect((await read(other)).headers.get('ratelimit-limit')).toBe('40');
});

test('failures have a stricter limit of their own, by place', async () => {
  const wrong = { authorization: 'Bearer nonsense' };
  const statuses: number[] = [];
  for (let count = 0; count < 8; count += 1) statuses.push((await from('198.51.100.20', wrong)).status);
  expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
  expect((await from('198.51.100.21', wrong)).status).toBe(401);
  const late = await from('198.51.100.20', wrong);
  expect(limits(late).slice(0, 2)).toEqual(['5', '0']);
});

test('a lockout can not be used to lock a victim out: a correct proof is never refused because of others’ failures', async () => {
  const attacker = '198.51.100.30';
  // From the victim's own address, in the victim's name, by every kind of evidence.
  for (let count = 0; count < 30; count += 1) {
    await from(attacker, dffmpegSigned('victim', Buffer.alloc(32, count).toString('base64'), 'GET', '/api/v1/permissions'));
    await from(attacker, { authorization: `Bearer ${Buffer.from(`{"sub":"victim","n":${count}}`).toString('base64url')}` });
    await from(attacker, { cookie: `weir=01J00000000000000000000000.${'x'.repeat(43)}` });
  }
  expect((await from(attacker, { authorization: 'Bearer nonsense' })).status).toBe(429);
  expect((await from(attacker, victim.evidence())).status).toBe(200);
  expect((await from(attacker, dffmpegSigned('victim', victim.key, 'GET', '/api/v1/permissions'))).status).toBe(200);
  // Signing in by a link works as well from there.
  const { link } = await admin.json<{ link: string }>('POST', '/api/v1/principals/victim/sign-in-link');
  const login = (secret: string): Promise<RawReply> => send(weir.url, { method: 'POST', target: '/auth/login', headers: { 'x-forwarded-for': attacker, 'content-type': 'application/json' }, body: JSON.stringify({ secret }) });
  expect((await login('x'.repeat(43))).status).toBe(429);
  const signedIn = await login(link.split('#')[1] ?? '');
  expect(signedIn.status).toBe(200);
  expect(signedIn.headers['set-cookie']?.[0]).toMatch(/^weir=[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
});

test('a principal’s own requests do not count against its address, nor a stranger’s against it', async () => {
  for (let count = 0; count < 45; count += 1) await from('198.51.100.40');
  expect((await from('198.51.100.40')).status).toBe(429);
  const mine = await weir.principal('mine', 'user');
  expect((await from('198.51.100.40', mine.evidence())).status).toBe(200);
});

test('streamkit §2.10 #8: what is listed needs a permission, over HTTP as well', async () => {
  const bare = await weir.principal('bare', 'none');
  for (const target of ['/api/v1/library', '/api/v1/jobs', '/api/v1/recipes', '/api/v1/workers', '/api/v1/principals', '/api/v1/grants', '/api/v1/audit', '/api/v1/status']) {
    const reply = await send(weir.url, { target, headers: bare.evidence() });
    expect([[403, 503].includes(reply.status), target, reply.status]).toEqual([true, target, reply.status]);
    const stranger = await send(weir.url, { target, headers: { 'x-forwarded-for': '198.51.100.50' } });
    expect([[401, 503].includes(stranger.status), target, stranger.status]).toEqual([true, target, stranger.status]);
  }
});

test('TLS 1.2 and 1.3 are spoken, nothing older; cookies are __Host- and answers say HSTS', async () => {
  await using secure = await startWeir({ environment: { WEIR_SERVER__TLS: 'true', WEIR_FLEET__ENABLED: 'false' } });
  const { hostname, port } = new URL(secure.url);
  const speak = (version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string> => new Promise((resolve) => {
    // What OpenSSL itself would not offer is offered here, so that it is the server that refuses.
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false, minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' });
    socket.once('secureConnect', () => { resolve(socket.getProtocol() ?? ''); socket.destroy(); });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
  expect([await speak('TLSv1.2'), await speak('TLSv1.3')]).toEqual(['TLSv1.2', 'TLSv1.3']);
  for (const old of ['TLSv1', 'TLSv1.1'] as const) expect(await speak(old)).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  const health = await send(secure.url, { target: '/healthz' });
  expect(health.headers['strict-transport-security']).toBe('max-age=31536000');
  const login = await send(secure.url, { method: 'POST', target: '/auth/login', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ secret: secure.ready.signInLink?.split('#')[1] ?? '' }) });
  expect(login.headers['set-cookie']?.[0]).toMatch(/^__Host-weir=[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict; Secure$/);
  // Plain HTTP is not answered there.
  await expect(new Promise((resolve, reject) => { http.get({ host: hostname, port, path: '/healthz' }, resolve).on('error', reject); })).rejects.toThrow();
});
