/** Behind nginx and Caddy, each with the configuration of its page: addresses, uploads, events, sockets, names, and rights that end. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { joinWorker } from '../packages/fleet/src/worker/join.ts';
import { runWorker } from '../packages/fleet/src/worker/main.ts';
import { readProfile } from '../packages/fleet/src/worker/profile.ts';
import { documentedBlock, documentedHost, startDocumentedProxy, type DocumentedProxy, type ProxyName } from './support/documented-proxy.ts';
import { freePort, send, type RawReply, type RawRequest } from './support/raw-http.ts';
import { dffmpegSigned, privateFolder, startWeir, type Client, type TestWeir } from './support/weir.ts';

const origin = `https://${documentedHost}`;
/** What Linux's default lets the sockets of a proxy hold (tcp_wmem and tcp_rmem, both sides). */
const mostInSockets = 24 * 2 ** 20;

describe.each<ProxyName>(['nginx', 'caddy'])('behind %s as its page says', (name) => {
  let weir: TestWeir;
  let proxy: DocumentedProxy;
  let alice: Client & { key: string };

  beforeAll(async () => {
    const [port, upstreamPort] = [await freePort(), await freePort()];
    // The settings of the page itself, and a port that is free here.
    const page = await documentedBlock(`docs/how-to/deploy-behind-${name}.md`, 'toml', 'weir.toml');
    expect(page).toBe(`[server]\nbehind_proxy = true\ntrusted_proxies = ["127.0.0.1"]\npublic_url = "${origin}"\n`);
    proxy = await startDocumentedProxy(name, { port, upstreamPort });
    weir = await startWeir({
      environment: { WEIR_SERVER__PORT: String(upstreamPort), WEIR_SERVER__BEHIND_PROXY: 'true', WEIR_SERVER__TRUSTED_PROXIES: '127.0.0.1', WEIR_SERVER__PUBLIC_URL: origin },
    });
    // The admin of the tests speaks to the server itself, as a proxy on this machine would.
    const secret = weir.ready.signInLink?.split('#')[1] ?? '';
    const signedIn = await through({ method: 'POST', target: '/auth/login', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ secret }) });
    expect(signedIn.status).toBe(200);
    cookieOfAdmin = signedIn.headers['set-cookie']?.[0] ?? '';
    alice = await principal('alice', 'user');
  });
  afterAll(async () => {
    await weir?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  });

  let cookieOfAdmin = '';
  const through = (request: RawRequest): Promise<RawReply> => send(proxy.url, { ...request, headers: { host: documentedHost, ...request.headers }, agent: new https.Agent({ servername: documentedHost }) });
  const asAdmin = async (method: string, target: string, body: unknown): Promise<Record<string, string>> => {
    const reply = await through({ method, target, headers: { cookie: cookieOfAdmin.split(';')[0] ?? '', origin, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (reply.status >= 300) throw new Error(`${method} ${target}: ${reply.text}`);
    return JSON.parse(reply.text === '' ? '{}' : reply.text) as Record<string, string>;
  };
  async function principal(id: string, role: string, more: Record<string, unknown> = {}): Promise<Client & { key: string }> {
    const { key = '' } = await asAdmin('POST', '/api/v1/principals', { principal: id, role, ...more });
    const token = role === 'worker' ? '' : (await asAdmin('POST', '/api/v1/tokens', { principal: id, expires_in: 3_600 }))['token'];
    const evidence = { authorization: `Bearer ${token}` };
    return Object.assign(Object.create(weir.anonymous) as Client, { name: id, evidence: () => evidence, key });
  }
  const upload = async (bytes: Uint8Array): Promise<string> => {
    const reply = await through({ method: 'POST', target: '/api/v1/content', headers: { ...alice.evidence(), 'content-type': 'application/octet-stream' }, body: bytes });
    expect(reply.status).toBe(201);
    return (JSON.parse(reply.text) as { cid: string }).cid;
  };
  /** An open request, whose reply is read by the test. */
  async function opened(target: string, headers: Record<string, string>): Promise<IncomingMessage> {
    const { hostname, port } = new URL(proxy.url);
    const request = https.request({ hostname, port, path: target, headers: { host: documentedHost, ...headers }, servername: documentedHost, rejectUnauthorized: false, agent: false });
    request.end();
    const [response] = await once(request, 'response') as [IncomingMessage];
    return response;
  }

  test('a client can not give itself an address, and the network of a principal is held to the true one', async () => {
    const local = await principal('local', 'user', { networks: ['127.0.0.1/32'] });
    const elsewhere = await principal('elsewhere', 'user', { networks: ['198.51.100.0/24'] });
    const ask = async (who: Client, headers: Record<string, string> = {}): Promise<number> => (await through({ target: '/api/v1/permissions', headers: { ...who.evidence(), ...headers } })).status;
    expect(await ask(local)).toBe(200);
    expect(await ask(elsewhere)).toBe(401);
    for (const spoofed of ['198.51.100.7', '198.51.100.7, 127.0.0.1', '127.0.0.1, 198.51.100.7', 'for=198.51.100.7']) {
      expect(await ask(elsewhere, { 'x-forwarded-for': spoofed }), spoofed).toBe(401);
      expect(await ask(local, { 'x-forwarded-for': spoofed }), spoofed).toBe(200);
    }
    for (const header of ['x-real-ip', 'forwarded', 'true-client-ip', 'cf-connecting-ip']) expect(await ask(elsewhere, { [header]: '198.51.100.7' }), header).toBe(401);
    expect((await through({ target: '/healthz', headers: { host: 'evil.example' } })).text).not.toContain('ok');
  });

  test('past the proxy nothing is served without the address of the client', async () => {
    const reply = await send(weir.url.replace(/^https:\/\/[^/]*/, `http://127.0.0.1:${weir.environment()['WEIR_SERVER__PORT'] ?? ''}`), { target: '/api/v1/permissions', headers: { host: documentedHost } });
    expect(reply.status).toBe(400);
  });

  test('signing in gives a __Host- cookie, pages come with their policy and with HSTS, and another site’s request does nothing', async () => {
    expect(cookieOfAdmin).toMatch(/^__Host-weir=[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict; Secure$/);
    const page = await through({ target: '/' });
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.headers['strict-transport-security']).toBe('max-age=31536000');
    const foreign = await through({ method: 'POST', target: '/api/v1/tokens', headers: { cookie: cookieOfAdmin.split(';')[0] ?? '', origin: 'https://evil.example', 'content-type': 'application/json' }, body: '{}' });
    expect(foreign.status).toBe(403);
  });

  test('links are made with the public name', async () => {
    const cid = await upload(randomBytes(100));
    const reply = await through({ method: 'POST', target: '/api/v1/grants', headers: { ...alice.evidence(), 'content-type': 'application/json' }, body: JSON.stringify({ cid }) });
    expect(new URL((JSON.parse(reply.text) as { url: string }).url).origin).toBe(origin);
  });

  test('an upload arrives while it is sent, and is not collected by the proxy', async () => {
    const { hostname, port } = new URL(proxy.url);
    const bytes = randomBytes(12_000_000);
    const request = https.request({
      hostname, port, method: 'POST', path: '/api/v1/content', servername: documentedHost, rejectUnauthorized: false, agent: false,
      headers: { host: documentedHost, ...alice.evidence(), 'content-type': 'application/octet-stream', 'content-length': bytes.length },
    });
    const reply = once(request, 'response') as Promise<[IncomingMessage]>;
    request.write(bytes.subarray(0, 8_000_000));
    const received = async (): Promise<number> => {
      const folders = await readdir(weir.dataPath, { recursive: true, withFileTypes: true });
      const sizes = await Promise.all(folders.filter((entry) => entry.isFile() && entry.parentPath.includes('uploads')).map((entry) => stat(path.join(entry.parentPath, entry.name)).then(({ size }) => size, () => 0)));
      return Math.max(0, ...sizes);
    };
    await expect.poll(received, { timeout: 10_000 }).toBeGreaterThan(4_000_000);
    request.end(bytes.subarray(8_000_000));
    const [response] = await reply;
    expect(response.statusCode).toBe(201);
    response.resume();
  });

  test('events come one by one, when they happen', async () => {
    const response = await opened('/api/v1/jobs/events', alice.evidence());
    expect([response.statusCode, response.headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8']);
    let text = '';
    response.setEncoding('utf8').on('data', (piece: string) => { text += piece; }).on('error', () => undefined);
    const cid = await upload(Buffer.from('film'));
    for (let count = 1; count <= 3; count += 1) {
      const before = text.length;
      const made = await through({ method: 'POST', target: '/api/v1/jobs', headers: { ...alice.evidence(), 'content-type': 'application/json' }, body: JSON.stringify({ recipe: 'probe', inputs: [{ cid }] }) });
      const { job_id: job } = JSON.parse(made.text) as { job_id: string };
      await expect.poll(() => text.slice(before).includes(job), { timeout: 2_000 }).toBe(true);
    }
    response.destroy();
  });

  test('a worker’s socket passes, is signed, and is refused to anyone else', async () => {
    const worker = await principal('encoder', 'worker');
    const target = '/api/v1/workers/connect';
    const connect = (headers: Record<string, string>): WebSocket => new WebSocket(`${proxy.url.replace(/^https/, 'wss')}${target}`, {
      headers: { host: documentedHost, ...headers }, agent: new https.Agent({ servername: documentedHost, rejectUnauthorized: false }),
    });
    const socket = connect(dffmpegSigned('encoder', worker.key, 'GET', target));
    await once(socket, 'open');
    const welcome = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(JSON.stringify({ type: 'hello', protocol: 1, version: 'test', capabilities: { ffmpeg: 'none', encoders: [], jail: 'none' }, slots: 1, classes: ['io'], labels: {}, active: [] }));
    expect(JSON.parse((await welcome)[0].toString())).toMatchObject({ type: 'welcome', worker: 'encoder' });
    socket.terminate();
    for (const headers of [{}, alice.evidence(), { ...dffmpegSigned('encoder', worker.key, 'GET', target), origin: 'https://evil.example' }]) {
      const refused = connect(headers);
      refused.on('error', () => undefined);
      const [, reply] = await once(refused, 'unexpected-response') as [unknown, IncomingMessage];
      expect([401, 403]).toContain(reply.statusCode);
      refused.terminate();
    }
  });

  test('a worker joins by an invitation, checks the certificate by its authority, and connects', async () => {
    const { link = '' } = await asAdmin('POST', '/api/v1/workers/invites', undefined);
    expect(link).toMatch(new RegExp(`^${origin}#[A-Za-z0-9_-]{43}$`));
    const here = link.replace(origin, proxy.url.replace('127.0.0.1', 'localhost'));
    const home = await privateFolder('weir-proxied-');
    await expect(joinWorker(here, 'stranger', home)).rejects.toMatchObject({ code: 'server.unreachable' });
    const { address, credentials, name: worker } = await readProfile(await joinWorker(here, 'attic', home, { caPem: proxy.certificate }));
    const [stop, said] = [new AbortController(), [] as string[]];
    const running = runWorker({
      ...address, caPem: proxy.certificate, name: worker, credentials, slots: 1, scratch: path.join(home, 'scratch'), capabilities: { ffmpeg: 'none', encoders: [], jail: 'none' },
      run: () => Promise.reject(new Error('not asked for')), onEvent: (line) => { said.push(line); },
    }, { drain: new AbortController().signal, stop: stop.signal });
    await expect.poll(() => said.join('\n'), { timeout: 20_000 }).toContain('Connected as attic.');
    stop.abort();
    await running;
  });

  test('a reading ends within a second when its grant is revoked, with no more than what sockets held', async () => {
    const bytes = randomBytes(60_000_000);
    const cid = await upload(bytes);
    const grant = JSON.parse((await through({ method: 'POST', target: '/api/v1/grants', headers: { ...alice.evidence(), 'content-type': 'application/json' }, body: JSON.stringify({ cid }) })).text) as { grant_id: string; url: string };
    const { pathname, search } = new URL(grant.url);
    const response = await opened(pathname + search, {});
    expect(response.statusCode).toBe(200);
    response.on('error', () => undefined);
    let taken = 0;
    // Read slowly at first: the server is ahead and waits.
    response.on('data', (piece: Buffer) => {
      taken += piece.length;
      response.pause();
      setTimeout(() => response.resume(), 10);
    });
    await expect.poll(() => taken, { timeout: 5_000 }).toBeGreaterThan(200_000);
    await wait(300);
    expect((await through({ method: 'DELETE', target: `/api/v1/grants/${grant.grant_id}`, headers: alice.evidence() })).status).toBe(204);
    const revokedAt = performance.now();
    const before = taken;
    response.removeAllListeners('data');
    response.on('data', (piece: Buffer) => { taken += piece.length; }).resume();
    await new Promise((resolve) => { response.once('close', resolve); });
    expect(performance.now() - revokedAt).toBeLessThan(1_500);
    expect(taken - before).toBeLessThan(mostInSockets);
    expect(taken).toBeLessThan(bytes.length);
    expect([401, 403]).toContain((await through({ target: pathname + search })).status);
  });
});

test('nginx signs people in and tells Weir who they are, as the page says; what a client writes there itself counts for nothing', async () => {
  const secret = randomBytes(24).toString('hex');
  const page = 'docs/how-to/sign-in-at-the-proxy.md';
  const [port, upstreamPort] = [await freePort(), await freePort()];
  await using proxy = await startDocumentedProxy('nginx', {
    port, upstreamPort, page,
    files: { '/etc/nginx/weir-users': 'alice:{PLAIN}opensesame\nbob:{PLAIN}swordfish\n', '/etc/nginx/weir-proxy-secret.conf': `proxy_set_header X-Weir-Proxy-Secret "${secret}";\n` },
  });
  await using server = await startWeir({
    environment: {
      WEIR_SERVER__PORT: String(upstreamPort), WEIR_SERVER__BEHIND_PROXY: 'true', WEIR_SERVER__TRUSTED_PROXIES: '127.0.0.1', WEIR_SERVER__PUBLIC_URL: origin, WEIR_FLEET__ENABLED: 'false',
      WEIR_PERMISSIONS__ROLE_HEADER: 'X-Weir-Role', WEIR_PERMISSIONS__USER_HEADER: 'X-Weir-User', WEIR_PERMISSIONS__PROXY_SECRET: secret,
    },
  });
  // The admin signs in on the machine itself: what the proxy says is no fresh proof of who somebody is.
  const local = (method: string, target: string, body: unknown, headers: Record<string, string> = {}): Promise<RawReply> => send(`http://127.0.0.1:${upstreamPort}`, {
    method, target, body: JSON.stringify(body), headers: { host: documentedHost, origin, 'content-type': 'application/json', 'x-forwarded-for': '127.0.0.1', ...headers },
  });
  const bySecret = { 'x-weir-proxy-secret': secret, 'x-weir-user': 'admin' };
  expect((await local('POST', '/api/v1/principals', { principal: 'alice', role: 'operator' }, bySecret)).status).toBe(403);
  const signedIn = await local('POST', '/auth/login', { secret: server.ready.signInLink?.split('#')[1] ?? '' });
  const session = { cookie: signedIn.headers['set-cookie']?.[0]?.split(';')[0] ?? '' };
  expect((await local('POST', '/api/v1/principals', { principal: 'alice', role: 'operator' }, session)).status).toBe(201);
  expect((await local('POST', '/api/v1/principals', { principal: 'bob', role: 'operator' }, session)).status).toBe(201);
  const agent = new https.Agent({ servername: documentedHost });
  const ask = async (user: string, given: Record<string, string> = {}): Promise<unknown> => {
    const authorization = `Basic ${Buffer.from(user).toString('base64')}`;
    const reply = await send(proxy.url, { target: '/api/v1/permissions', headers: { host: documentedHost, authorization, ...given }, agent });
    return reply.status === 200 ? JSON.parse(reply.text) : reply.status;
  };
  expect(await ask('alice:opensesame')).toMatchObject({ principal: 'alice', permissions: { write_samples: true } });
  expect(await ask('bob:swordfish')).toMatchObject({ principal: 'bob', permissions: { write_samples: false, list_samples: true } });
  expect(await ask('bob:swordfish', { 'x-weir-user': 'admin', 'x-weir-role': 'admin', 'x-weir-proxy-secret': 'x' })).toMatchObject({ principal: 'bob', permissions: { manage_users: false } });
  expect(await ask('alice:wrong')).toBe(401);
  expect((await send(proxy.url, { target: '/api/v1/permissions', headers: { host: documentedHost, 'x-weir-user': 'admin' }, agent })).status).toBe(401);
});
