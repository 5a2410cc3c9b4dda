/** The Fastify plugin, in a real Fastify: what a route says of itself holds, and a response ends with the right to it. */
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import { expect, test } from 'vitest';
import { contentId, rawCodec } from '../src/content-id.ts';
import { streamingSecurity } from '../src/fastify.ts';
import { StreamingSecurityManager } from '../src/streaming-security-manager.ts';
import type { StreamingSecurityOptions } from '../src/streaming-options.ts';

const secretKey = randomBytes(48).toString('base64');
const { cid } = contentId(rawCodec, randomBytes(32));
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function application(options: StreamingSecurityOptions = {}): Promise<{ app: FastifyInstance; security: StreamingSecurityManager; url: string } & AsyncDisposable> {
  const security = new StreamingSecurityManager({ secretKey, ...options });
  const app = Fastify({ forceCloseConnections: true });
  await app.register(streamingSecurity, { security });
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
});
