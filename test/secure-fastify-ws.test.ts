/** The example application of `@weir/security`, started as its reader would start it, and attacked. */
import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { root } from './support/markdown.ts';

const film = 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4';
const example = path.join(root, 'examples/secure-fastify-ws/server.ts');
let child: ChildProcess;
let url = '';

beforeAll(async () => {
  child = fork(example, { env: { PATH: process.env['PATH'], PORT: '0', STREAMING_SECRET: randomBytes(48).toString('base64') }, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  if (child.stdout === null) throw new Error('no output');
  [url] = await once(createInterface({ input: child.stdout }), 'line') as [string];
});
afterAll(() => { child.kill(); });

async function token(userId: string, more: object = {}): Promise<string> {
  const answer = once(child, 'message') as Promise<[string]>;
  child.send({ userId, ...more });
  return (await answer)[0];
}

const bearer = (value: string): Record<string, string> => ({ authorization: `Bearer ${value}` });
const get = (target: string, headers: Record<string, string> = {}): Promise<Response> => fetch(new URL(target, url), { headers });

function open(headers: Record<string, string> = {}, target = '/live'): WebSocket {
  return new WebSocket(new URL(target, url.replace('http:', 'ws:')), { headers });
}
/** 101, or the status that the upgrade was refused with. */
function upgraded(socket: WebSocket): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(101)).once('error', reject).once('unexpected-response', (_request, response) => { resolve(response.statusCode ?? 0); response.destroy(); });
  });
}
async function opened(headers: Record<string, string>): Promise<WebSocket> {
  const socket = open(headers);
  expect(await upgraded(socket)).toBe(101);
  return socket;
}
const received = async (socket: WebSocket): Promise<string> => String(((await once(socket, 'message')) as [Buffer])[0]);

test('the example is what it says: fifteen lines secure it', async () => {
  const text = await readFile(example, 'utf8');
  const lines = text.split('\n').filter((line) => /security|Security/.test(line) && !line.startsWith('import') && !line.startsWith('/'));
  expect(lines.length).toBeLessThanOrEqual(15);
});

test('without a token nothing but what is open is answered, and a socket is not opened', async () => {
  expect((await get('/health')).status).toBe(200);
  expect((await get('/me')).status).toBe(401);
  expect((await get(`/media/${film}`)).status).toBe(401);
  expect((await get('/nothing-here')).status).toBe(401);
  expect(await upgraded(open())).toBe(401);
  expect(await upgraded(open({}, '/elsewhere'))).toBe(404);
});

test('a token is good for what the policy says, under every spelling', async () => {
  const [ann, bob] = [await token('ann'), await token('bob')];
  expect(await (await get('/me', bearer(ann))).text()).toBe('ann');
  const content = await get(`/media/${film}`, bearer(ann));
  expect([content.status, await content.text()]).toEqual([200, 'hello world\n']);
  expect(content.headers.get('ratelimit-limit')).toBe('100');
  expect((await get(`/media/${film}`, bearer(bob))).status).toBe(404);
  const asHex = `f01551220${'a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447'}`;
  expect((await get(`/media/${asHex}`, bearer(bob))).status).toBe(404);
  expect((await get(`/media/${asHex}`, bearer(ann))).status).toBe(200);
  expect((await get('/media/rubbish', bearer(ann))).status).toBe(400);
});

test('an expired, a forged and a foreign token are no tokens', async () => {
  const short = await token('ann', { expiresInSeconds: 1 });
  const whole = await token('ann');
  await new Promise((resolve) => { setTimeout(resolve, 1_100); });
  for (const bad of [short, `${whole.slice(0, -2)}AA`, await token('ann', { audience: 'elsewhere' }), 'rubbish', 'eyJhbGciOiJub25lIn0.e30.']) {
    expect((await get('/me', bearer(bad))).status).toBe(401);
    expect(await upgraded(open(bearer(bad)))).toBeGreaterThanOrEqual(401);
  }
});

test('a page of another origin opens no socket, whatever token it has', async () => {
  const ann = await token('ann');
  expect(await upgraded(open({ ...bearer(ann), origin: 'http://evil.test' }))).toBe(403);
  expect((await fetch(new URL('/tokens', url), { method: 'DELETE', headers: { ...bearer(ann), origin: 'http://evil.test' } })).status).toBe(403);
  const socket = await opened({ ...bearer(ann), origin: 'http://app.test' });
  socket.terminate();
});

test('the message that exceeds gets an error frame, repeated excess closes with 1008', async () => {
  const socket = await opened(bearer(await token('carl')));
  for (const word of ['one', 'two', 'three']) {
    socket.send(word);
    expect(await received(socket)).toBe(word);
  }
  const closed = once(socket, 'close') as Promise<[number]>;
  for (let index = 0; index < 3; index += 1) {
    socket.send('more');
    expect(JSON.parse(await received(socket))).toMatchObject({ error: { code: 'rate.exceeded' } });
  }
  socket.send('and more');
  expect((await closed)[0]).toBe(1008);
});

test('a socket closes within a second when its tokens are revoked, also under a reader that does not read', async () => {
  const eve = await token('eve');
  const [polite, deaf] = [await opened(bearer(eve)), await opened(bearer(eve))];
  deaf.pause();
  const startedAt = performance.now();
  const closed = Promise.all([once(polite, 'close'), new Promise((resolve) => { setTimeout(() => { deaf.resume(); resolve(once(deaf, 'close')); }, 400); })]);
  expect((await fetch(new URL('/tokens', url), { method: 'DELETE', headers: bearer(eve) })).status).toBe(200);
  const [[code]] = await closed as [[number], unknown];
  expect(code).toBe(4401);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  // 429 where the tests before have used up what failures are allowed.
  expect([401, 429]).toContain(await upgraded(open(bearer(eve))));
});

test('sockets of one user are opened as often as the limit says', async () => {
  const dora = await token('dora');
  const statuses: number[] = [];
  for (let index = 0; index < 6; index += 1) {
    const socket = open(bearer(dora));
    statuses.push(await upgraded(socket));
    socket.terminate();
  }
  expect(statuses).toEqual([101, 101, 101, 101, 101, 429]);
});
