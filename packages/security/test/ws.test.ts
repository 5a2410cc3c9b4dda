/** The guard before WebSockets, with a real server and real sockets: who comes in, what is heard, and when it closes. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { contentId, rawCodec } from '../src/content-id.ts';
import { memoryStores } from '../src/memory-stores.ts';
import { StreamingSecurityManager } from '../src/streaming-security-manager.ts';
import type { StreamingSecurityOptions } from '../src/streaming-options.ts';
import { guardWebSockets, type GuardedSockets } from '../src/ws.ts';

const { cid } = contentId(rawCodec, randomBytes(32));

/** A server at `/live`, what was said to it, and how sockets are opened there. */
async function guarded(options: Partial<GuardedSockets> = {}, streaming: StreamingSecurityOptions = {}) {
  const security = new StreamingSecurityManager({ secretKey: randomBytes(48).toString('base64'), ...streaming });
  const heard: (string | Buffer)[] = [];
  const server: Server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  guardWebSockets(server, sockets, security, { path: '/live', onMessage: (socket, data, claims) => { heard.push(data); socket.send(`${claims.userId} ${data.length}`); }, ...options });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const headers = async (userId = 'ann'): Promise<Record<string, string>> => ({ authorization: `Bearer ${await security.createToken({ userId })}` });
  return {
    security, heard, server, port, headers,
    /** An open socket, or what the upgrade was answered with. */
    open: async (given: Record<string, string>, target = '/live'): Promise<WebSocket | { status: number; body: string; headers: IncomingMessage['headers'] }> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${target}`, { headers: given });
      return new Promise((resolve, reject) => {
        socket.once('open', () => { resolve(socket); }).once('error', reject);
        socket.once('unexpected-response', (_request, response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => { body += text; }).on('end', () => { resolve({ status: response.statusCode ?? 0, body, headers: response.headers }); });
        });
      });
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
      await security[Symbol.asyncDispose]();
    },
  };
}
type Guarded = Awaited<ReturnType<typeof guarded>>;

async function opened(it: Guarded, target?: string, userId = 'ann'): Promise<WebSocket> {
  const socket = await it.open(await it.headers(userId), target);
  if (!(socket instanceof WebSocket)) throw new Error(`refused: ${socket.status}`);
  return socket;
}
async function refused(it: Guarded, given: Record<string, string>, target?: string): Promise<{ status: number; code: string; headers: IncomingMessage['headers'] }> {
  const answer = await it.open(given, target);
  if (answer instanceof WebSocket) throw new Error('opened');
  return { status: answer.status, code: (JSON.parse(answer.body) as { error: { code: string } }).error.code, headers: answer.headers };
}
const closed = async (socket: WebSocket): Promise<string> => { const [code, reason] = await once(socket, 'close') as [number, Buffer]; return `${code} ${String(reason)}`; };
const answer = async (socket: WebSocket): Promise<string> => String(((await once(socket, 'message')) as [Buffer])[0]);

const connections = async ({ server }: Guarded): Promise<number> =>
  new Promise((resolve, reject) => { server.getConnections((error, count) => { if (error === null) resolve(count); else reject(error); }); });

/** A connection that was upgraded and does as little as it likes. */
async function rawSocket(it: Guarded): Promise<Duplex> {
  const upgrade = httpRequest({ port: it.port, host: '127.0.0.1', path: '/live', headers: { ...await it.headers(), connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': randomBytes(16).toString('base64') } }).end();
  const [, socket] = await once(upgrade, 'upgrade') as [IncomingMessage, Duplex];
  socket.on('error', () => undefined);
  return socket;
}

test('who brings a good token comes in, whatever the address says beside the path, and is heard under that name', async () => {
  const names: string[] = [];
  await using it = await guarded({ onOpen: (_socket, claims) => { names.push(claims.userId); } });
  const socket = await opened(it, '/live?quality=high');
  socket.send('hello');
  expect(await answer(socket)).toBe('ann 5');
  expect([it.heard, names]).toEqual([['hello'], ['ann']]);
});

test('who brings none, or a bad one, is answered in JSON and hung up on', async () => {
  await using it = await guarded();
  const without = await refused(it, {});
  expect(without).toMatchObject({ status: 401, code: 'identity.required', headers: { connection: 'close', 'content-type': 'application/json' } });
  expect(await refused(it, { authorization: 'Bearer a.b.c' })).toMatchObject({ status: 401 });
  expect(await refused(it, { ...await it.headers(), origin: 'https://evil.test' })).toMatchObject({ status: 403, code: 'origin.refused' });
});

test('an ordinary refusal is no warning of the process', async () => {
  await using it = await guarded();
  const warnings: Error[] = [];
  const hear = (warning: Error): void => { warnings.push(warning); };
  process.on('warning', hear);
  try {
    await refused(it, {});
    await new Promise(setImmediate);
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', hear);
  }
});

test('who was refused and does not hang up is hung up on', async () => {
  await using it = await guarded();
  const client = connect({ port: it.port, host: '127.0.0.1', allowHalfOpen: true });
  client.write('GET /live HTTP/1.1\r\nHost: media.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  let answered = '';
  client.setEncoding('latin1').on('data', (text: string) => { answered += text; });
  await once(client, 'end');
  expect(answered).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/);
  await expect.poll(() => connections(it)).toBe(0);
  client.destroy();
});

test('who leaves, however rudely, while it is asked about harms nobody', async () => {
  const asked = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const { policies } = memoryStores();
  await using it = await guarded({ content: () => cid }, { stores: { policies: {
    setPolicy: (...given) => policies.setPolicy(...given),
    holdingsOf: async (digest) => { asked.resolve(); await left.promise; return policies.holdingsOf(digest); },
  } } });
  await it.security.setContentPolicy(cid, { level: 'protected', maxConcurrentPerPrincipal: 1 });
  const closed = new Promise<void>((resolve) => { it.server.once('connection', (socket) => { socket.once('close', () => { resolve(); }); }); });
  const client = connect({ port: it.port, host: '127.0.0.1' });
  client.write(`GET /live HTTP/1.1\r\nHost: media.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nAuthorization: ${(await it.headers())['authorization'] ?? ''}\r\n\r\n`);
  await asked.promise;
  client.resetAndDestroy();
  await closed;
  left.resolve();
  const socket = await opened(it);
  socket.send('on');
  expect(await answer(socket)).toBe('ann 2');
});

test('a path that is not guarded is absent, or somebody else’s', async () => {
  await using it = await guarded();
  for (const target of ['/other', '/live/more', '/']) expect(await refused(it, await it.headers(), target), target).toMatchObject({ status: 404, code: 'route.absent' });
  it.server.on('upgrade', (request, socket) => { if (request.url === '/other') socket.end('HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\n\r\n{}'); });
  const theirs = await it.open({}, '/other');
  expect(theirs).toMatchObject({ status: 418 });
});

test('a limit that nobody configured is refused at the start', async () => {
  await expect(guarded({ limit: 'gossip' })).rejects.toMatchObject({ code: 'config.invalid', message: expect.stringContaining('gossip') });
});

test('binary messages come as bytes, however the socket keeps them', async () => {
  for (const binaryType of ['nodebuffer', 'arraybuffer', 'fragments'] as const) {
    await using it = await guarded({ onOpen: (socket) => { socket.binaryType = binaryType; } });
    const socket = await opened(it);
    socket.send(Buffer.from([1, 2]), { fin: false, binary: true });
    socket.send(Buffer.from([3]), { fin: true, binary: true });
    expect(await answer(socket), binaryType).toBe('ann 3');
    expect(it.heard, binaryType).toEqual([Buffer.from([1, 2, 3])]);
    socket.send('text');
    await answer(socket);
    expect(it.heard[1], binaryType).toBe('text');
  }
});

test('a message over the limit is answered and not heard; after three the socket is closed', async () => {
  await using it = await guarded({ limit: 'talk' }, { rateLimits: { talk: { limit: 2, period: 3_600 } } });
  const socket = await opened(it);
  const ended = closed(socket);
  for (let message = 0; message < 2; message += 1) { socket.send('x'); expect(await answer(socket)).toBe('ann 1'); }
  for (let message = 0; message < 3; message += 1) {
    socket.send('x');
    const { error } = JSON.parse(await answer(socket)) as { error: { code: string; retry_after: number; message: string } };
    expect(error.code).toBe('rate.exceeded');
    expect(error.message).toContain(`in ${error.retry_after} s`);
    expect(error.retry_after).toBeGreaterThan(0);
  }
  socket.send('x');
  expect(await ended).toBe('1008 too many messages');
  expect(it.heard).toHaveLength(2);
});

test('what was said over the limit is forgotten after a minute of silence', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    await using it = await guarded({ limit: 'talk' }, { rateLimits: { talk: { limit: 1, period: 86_400 } } });
    const socket = await opened(it);
    const ended = closed(socket);
    const say = async (): Promise<string> => { socket.send('x'); return answer(socket); };
    expect(await say()).toBe('ann 1');
    for (let round = 0; round < 2; round += 1) {
      for (let message = 0; message < 3; message += 1) expect(await say()).toContain('rate.exceeded');
      vi.advanceTimersByTime(60_001);
    }
    for (let message = 0; message < 3; message += 1) expect(await say()).toContain('rate.exceeded');
    socket.send('x');
    expect(await ended).toBe('1008 too many messages');
  } finally {
    vi.useRealTimers();
  }
});

test('a socket about a content opens as its policy says, and closes when the policy does not any more', async () => {
  await using it = await guarded({ content: () => cid });
  expect(await refused(it, await it.headers())).toMatchObject({ status: 404, code: 'object.absent' });
  await it.security.setContentPolicy(cid, { level: 'private', allowedUsers: ['ann'], maxConcurrentPerPrincipal: 1 });
  const socket = await opened(it);
  expect(await refused(it, await it.headers('bob'))).toMatchObject({ status: 404 });
  expect(await refused(it, await it.headers()), 'one at a time').toMatchObject({ status: 404 });
  socket.close();
  await once(socket, 'close');
  await expect.poll(async () => (await it.open(await it.headers())) instanceof WebSocket).toBe(true);
  await it.security.setContentPolicy(cid, { level: 'private', allowedUsers: ['ann', 'eve'] });
  const again = await opened(it, '/live', 'eve');
  const ended = closed(again);
  await it.security.setContentPolicy(cid, { level: 'private' });
  expect(await ended).toBe('4401 the right to this ended');
});

test('a socket ends with its token', async () => {
  await using it = await guarded();
  const [ann, bob] = [await opened(it), await opened(it, '/live', 'bob')];
  const ended = closed(ann);
  await it.security.revokeAllUserTokens('ann');
  expect(await ended).toBe('4401 the right to this ended');
  bob.send('still');
  expect(await answer(bob)).toBe('bob 5');
});

test('who was told that the right ended is heard no more', async () => {
  await using it = await guarded();
  const socket = await rawSocket(it);
  // A text message of one character, masked by zeros (RFC 6455 §5.2).
  const say = (): void => { socket.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78])); };
  say();
  await expect.poll(() => it.heard).toEqual(['x']);
  const closing = new Promise<void>((resolve) => { socket.on('data', (data: Buffer) => { if (data.includes('the right to this ended')) { say(); resolve(); } }); });
  await it.security.revokeAllUserTokens('ann');
  await closing;
  await once(socket, 'close');
  expect(it.heard).toEqual(['x']);
});

test('a policy that names networks admits sockets from there alone', async () => {
  await using it = await guarded({ content: () => cid });
  await it.security.setContentPolicy(cid, { level: 'protected', networks: ['192.0.2.0/24'] });
  expect(await refused(it, await it.headers())).toMatchObject({ status: 404 });
  await it.security.setContentPolicy(cid, { level: 'protected', networks: ['127.0.0.0/8'] });
  const socket = await opened(it);
  socket.send('here');
  expect(await answer(socket)).toBe('ann 4');
});

test('who does not answer the closing is cut off', async () => {
  await using it = await guarded();
  const socket = await rawSocket(it);
  const ended = once(socket.resume(), 'close');
  await it.security.revokeAllUserTokens('ann');
  const startedAt = performance.now();
  await ended;
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test('who breaks the protocol is cut off, and the server goes on', async () => {
  await using it = await guarded();
  const socket = await rawSocket(it);
  const ended = once(socket.resume(), 'close');
  socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  await ended;
  const next = await opened(it);
  next.send('on');
  expect(await answer(next)).toBe('ann 2');
});

test('who breaks the protocol and keeps its end of the connection is cut off all the same', async () => {
  await using it = await guarded();
  const client = connect({ port: it.port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => undefined);
  client.write(`GET /live HTTP/1.1\r\nHost: media.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nAuthorization: ${(await it.headers())['authorization'] ?? ''}\r\n\r\n`);
  expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1\.1 101 /);
  client.resume().write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  await expect.poll(() => connections(it), { timeout: 3_000 }).toBe(0);
  client.destroy();
});

test('an error of the application is a 500 that says nothing, and a warning that does', async () => {
  await using it = await guarded({ content: () => { throw new TypeError('a secret detail'); } });
  const warned = once(process, 'warning') as Promise<[Error]>;
  const answered = await it.open(await it.headers());
  expect(answered).toMatchObject({ status: 500, body: expect.not.stringContaining('secret') });
  expect(String((await warned)[0])).toMatch(/^WeirStreamingSecurity: .*a secret detail/);
});
