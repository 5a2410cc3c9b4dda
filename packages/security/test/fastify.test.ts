/** The Fastify plugin, in a real Fastify: what a route says of itself holds, and a response ends with the right to it. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import { expect, test } from 'vitest';
import { contentId, rawCodec } from '../src/content-id.ts';
import { streamingSecurity } from '../src/fastify.ts';
import { MemoryAudit, memoryStores } from '../src/memory-stores.ts';
import { StreamingSecurityManager } from '../src/streaming-security-manager.ts';
import type { StreamingSecurityOptions } from '../src/streaming-options.ts';

const secretKey = randomBytes(48).toString('base64');
const { cid } = contentId(rawCodec, randomBytes(32));
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function application(options: StreamingSecurityOptions = {}): Promise<{ app: FastifyInstance; security: StreamingSecurityManager; url: string } & AsyncDisposable> {
  const security = new StreamingSecurityManager({ secretKey, ...options });
  const app = Fastify({ forceCloseConnections: true });
  await app.register(streamingSecurity, { security });
  app.setErrorHandler(async (error, _request, reply) => reply.code(418).send(String(error)));
  app.post('/plain', async (request) => request.streaming?.claims?.userId ?? 'nobody');
  app.get('/open', { config: { streamingSecurity: { open: true } } }, async (request) => (request.streaming === null ? 'not looked at' : request.streaming.claims?.userId ?? 'nobody'));
  app.get('/one', { config: { streamingSecurity: { permission: 'read_reports' } } }, async () => 'one');
  app.get('/clip', { config: { streamingSecurity: { content: () => cid } } }, async () => 'clip');
  app.get('/broken', { config: { streamingSecurity: { content: () => { throw new TypeError('a detail'); } } } }, async () => 'broken');
  app.get('/plain', async (request) => request.streaming?.claims?.userId ?? 'nobody');
  app.get('/reports', { config: { streamingSecurity: { permission: ['read_reports', 'read_everything'] } } }, async () => 'reports');
  app.get('/film', { config: { streamingSecurity: { content: () => cid } } }, (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200);
    const timer = setInterval(() => reply.raw.write('frame'), 20);
    reply.raw.once('close', () => clearInterval(timer));
  });
  const url = await app.listen({ port: 0 });
  return { app, security, url, async [Symbol.asyncDispose]() { await app.close(); await security[Symbol.asyncDispose](); } };
}

test('a permission that a route asks for must be among those of the token', async () => {
  await using it = await application();
  const get = async (permissions: string[]): Promise<number> => (await fetch(`${it.url}/reports`, { headers: bearer(await it.security.createToken({ userId: 'ann', role: 'none', permissions })) })).status;
  expect([await get([]), await get(['read_reports']), await get(['read_everything'])]).toEqual([403, 200, 200]);
  expect((await fetch(`${it.url}/reports`)).status).toBe(401);
});

test('an open route takes callers without a token, and knows those who have one; a bad one is refused there too', async () => {
  await using it = await application();
  const text = async (headers: Record<string, string> = {}): Promise<string> => (await fetch(`${it.url}/open`, { headers })).text();
  expect([await text(), await text(bearer(await it.security.createToken({ userId: 'ann' })))]).toEqual(['nobody', 'ann']);
  expect((await fetch(`${it.url}/open`, { headers: bearer('a.b.c') })).status).toBe(401);
});

test('a refusal is JSON with its code and a sentence', async () => {
  await using it = await application({ rateLimits: { default: { limit: 1, period: 3_600 } } });
  const headers = bearer(await it.security.createToken({ userId: 'ann', role: 'none' }));
  const refusal = async (path: string, given: Record<string, string> = headers): Promise<unknown> => (await fetch(`${it.url}${path}`, { headers: given })).json();
  const error = (code: string, message: unknown) => ({ error: { code, message } });
  expect(await refusal('/one')).toEqual(error('permission.refused', expect.any(String)));
  expect(await refusal('/one')).toEqual(error('rate.exceeded', expect.stringMatching(/again in \d+ s/)));
  expect(await refusal('/plain', {})).toEqual(error('identity.required', expect.stringMatching(/./)));
});

test('what is no refusal is the application’s to answer', async () => {
  await using it = await application();
  const reply = await fetch(`${it.url}/broken`, { headers: bearer(await it.security.createToken({ userId: 'ann' })) });
  expect([reply.status, await reply.text()]).toEqual([418, 'TypeError: a detail']);
});

test('a page of another origin reads with a token, and acts with none', async () => {
  await using it = await application({ allowedOrigins: ['https://app.test'] });
  const headers = bearer(await it.security.createToken({ userId: 'ann' }));
  const ask = async (method: string, origin: string): Promise<number> => (await fetch(`${it.url}/plain`, { method, headers: { ...headers, origin } })).status;
  expect([await ask('GET', 'https://evil.test'), await ask('HEAD', 'https://evil.test'), await ask('POST', 'https://evil.test'), await ask('POST', 'https://app.test')]).toEqual([200, 200, 403, 200]);
});

test('content is read as its policy says: by whom, from where; each reading is an event, and who may not use it learns no more than who it is', async () => {
  const audit = new MemoryAudit();
  await using it = await application({ stores: { audit } });
  const ann = bearer(await it.security.createToken({ userId: 'ann' }));
  const ask = async (headers: Record<string, string> = {}): Promise<number> => (await fetch(`${it.url}/clip`, { headers })).status;
  expect([await ask(), await ask(ann)], 'no policy').toEqual([401, 404]);
  await it.security.setContentPolicy(cid, { level: 'public', networks: ['192.0.2.0/24'] });
  expect([await ask(), await ask(ann)], 'elsewhere').toEqual([401, 404]);
  expect(audit.events).toEqual([]);
  await it.security.setContentPolicy(cid, { level: 'public', networks: ['127.0.0.0/8', '::1'] });
  expect([await ask(), await ask(ann)]).toEqual([200, 200]);
  const event = { class: 'B', action: 'content.read', decision: 'allowed', reason: 'public', address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) };
  expect(audit.events).toMatchObject([{ ...event, principal: '' }, { ...event, principal: 'ann' }]);
});

test('a response counts as one opening until it has ended', async () => {
  await using it = await application();
  await it.security.setContentPolicy(cid, { level: 'protected', maxConcurrentPerPrincipal: 1 });
  const headers = bearer(await it.security.createToken({ userId: 'ann' }));
  const ask = async (path: string): Promise<number> => { const reply = await fetch(`${it.url}${path}`, { headers }); await reply.text(); return reply.status; };
  await expect.poll(() => ask('/clip')).toBe(200);
  await expect.poll(() => ask('/clip'), { message: 'the one before is over' }).toBe(200);
  const film = new AbortController();
  await expect.poll(async () => (await fetch(`${it.url}/film`, { headers, signal: film.signal })).status).toBe(200);
  expect(await ask('/clip')).toBe(404);
  film.abort();
  await expect.poll(() => ask('/clip')).toBe(200);
});

test('who leaves while it is asked about has nothing open', async () => {
  const { policies } = memoryStores();
  const asked = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  await using it = await application({ stores: { policies: {
    setPolicy: (...given) => policies.setPolicy(...given),
    holdingsOf: async (digest) => { asked.resolve(); await left.promise; return policies.holdingsOf(digest); },
  } } });
  await it.security.setContentPolicy(cid, { level: 'protected', maxConcurrentPerPrincipal: 1 });
  const headers = bearer(await it.security.createToken({ userId: 'ann' }));
  const closed = new Promise<void>((resolve) => { it.app.server.once('connection', (socket) => { socket.once('close', () => { resolve(); }); }); });
  const leaving = new AbortController();
  const reply = fetch(`${it.url}/clip`, { headers, signal: leaving.signal }).catch((error: unknown) => error);
  await asked.promise;
  leaving.abort();
  await reply;
  await closed;
  left.resolve();
  await expect.poll(async () => (await fetch(`${it.url}/clip`, { headers })).status).toBe(200);
});

test('two tokens in two headers are refused, whichever comes first', async () => {
  await using it = await application();
  const [ann, bob] = [await it.security.createToken({ userId: 'ann' }), await it.security.createToken({ userId: 'bob' })];
  const whoIs = async (...tokens: readonly string[]): Promise<string> => {
    const request = http.request(`${it.url}/plain`);
    request.setHeader('authorization', tokens.map((token) => `Bearer ${token}`)).end();
    const [reply] = await once(request, 'response') as [http.IncomingMessage];
    return `${reply.statusCode} ${Buffer.concat(await reply.toArray()).toString()}`;
  };
  expect(await whoIs(ann)).toBe('200 ann');
  for (const both of [[ann, bob], [bob, ann], [ann, ann], [ann, '']]) expect(await whoIs(...both)).toMatch(/^401 /);
});

test('what a route says holds in scopes of plugins too', async () => {
  const security = new StreamingSecurityManager({ secretKey });
  const app = Fastify();
  await app.register(streamingSecurity, { security });
  await app.register(async (scope) => { scope.get('/inside', async () => 'inside'); });
  expect((await app.inject('/inside')).statusCode).toBe(401);
  expect((await app.inject({ url: '/inside', headers: bearer(await security.createToken({ userId: 'ann' })) })).statusCode).toBe(200);
  await app.close();
});

test('a limit is told in headers and ends in 429', async () => {
  await using it = await application({ rateLimits: { default: { limit: 2, period: 60 } } });
  const token = await it.security.createToken({ userId: 'ann' });
  const replies = [];
  for (let index = 0; index < 3; index += 1) replies.push(await fetch(`${it.url}/plain`, { headers: bearer(token) }));
  expect(replies.map(({ status, headers }) => [status, headers.get('ratelimit-remaining')])).toEqual([[200, '1'], [200, '0'], [429, '0']]);
  expect(Number(replies[2]?.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await fetch(`${it.url}/plain`, { headers: bearer(await it.security.createToken({ userId: 'bob' })) })).status).toBe(200);
});

test('a response that flows is reset within a second when the right to it ends', async () => {
  await using it = await application();
  await it.security.setContentPolicy(cid, { level: 'protected' });
  const reply = await fetch(`${it.url}/film`, { headers: bearer(await it.security.createToken({ userId: 'ann' })) });
  const reader = reply.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  const ended = (async () => { for (;;) if ((await reader?.read())?.done === true) return 'whole'; })().catch(() => 'cut');
  const startedAt = performance.now();
  await it.security.setContentPolicy(cid, { level: 'private' });
  expect(await Promise.race([ended, wait(2_000, 'still flowing')])).toBe('cut');
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect((await fetch(`${it.url}/film`, { headers: bearer(await it.security.createToken({ userId: 'ann' })) })).status).toBe(404);
});

test('switched off, it leaves everything to the application', async () => {
  await using it = await application({ enabled: false });
  expect(await (await fetch(`${it.url}/plain`)).text()).toBe('nobody');
  expect(await (await fetch(`${it.url}/open`)).text()).toBe('not looked at');
});
