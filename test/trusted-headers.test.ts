/** Role and name of a caller from a reverse proxy: believed from the proxy that was named, with its proof, and from nobody else. */
import { mkdir, chown, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send, type RawReply } from './support/raw-http.ts';
import { StoredState } from './support/state.ts';
import { privateFolder, startWeir, testUser, type Client, type TestWeir } from './support/weir.ts';

const secret = 'the-proxy-and-the-server-know-this-alone';
const proof = { 'x-weir-proxy-secret': secret };
const headers = { WEIR_PERMISSIONS__ROLE_HEADER: 'X-StreamKit-Role', WEIR_PERMISSIONS__USER_HEADER: 'X-Weir-User' };
let weir: TestWeir;
let alice: Client;
let admin: Client;
let socketPath = '';

beforeAll(async () => {
  const folder = await privateFolder('weir-socket-');
  socketPath = path.join(folder, 'weir.sock');
  weir = await startWeir({ environment: { ...headers, WEIR_SERVER__TRUSTED_PROXIES: '127.0.0.1', WEIR_PERMISSIONS__PROXY_SECRET: secret, WEIR_SERVER__SOCKET_PATH: socketPath, WEIR_FLEET__ENABLED: 'false' } });
  admin = await weir.admin();
  alice = await weir.principal('alice', 'operator');
});
afterAll(() => weir[Symbol.asyncDispose]());

type Headers = Record<string, string>;
const who = async (given: Headers, server = weir): Promise<{ status: number; principal: string | null; role: string; may: string[] }> => {
  const reply = await send(server.url, { target: '/api/v1/permissions', headers: given });
  const { principal = null, role = '', permissions = {} } = JSON.parse(reply.text) as { principal?: string; role?: string; permissions?: Record<string, boolean> };
  return { status: reply.status, principal, role, may: Object.entries(permissions).flatMap(([name, held]) => (held ? [name] : [])) };
};
const refusals = async (server = weir): Promise<string[]> => {
  const { items } = await (await server.admin()).json<{ items: { reason: string; decision: string }[] }>('GET', '/api/v1/audit?limit=200');
  return items.filter(({ decision }) => decision !== 'allowed').map(({ reason }) => reason);
};

test('a role is the principal that everyone with it shares, and holds what the role holds', async () => {
  expect(await who({ ...proof, 'x-streamkit-role': 'viewer' })).toMatchObject({ status: 200, principal: 'proxy:viewer', role: 'viewer' });
  expect((await who({ ...proof, 'X-StreamKit-Role': 'admin' })).may).toContain('manage_users');
  expect((await who({ ...proof, 'x-streamkit-role': 'none' })).may).toEqual([]);
  const upload = await send(weir.url, { method: 'POST', target: '/api/v1/content', headers: { ...proof, 'x-streamkit-role': 'user', 'content-type': 'application/octet-stream' }, body: 'shared' });
  expect(upload.status).toBe(201);
  const { cid } = JSON.parse(upload.text) as { cid: string };
  const library = await send(weir.url, { target: '/api/v1/library', headers: { ...proof, 'x-streamkit-role': 'user' } });
  expect(JSON.parse(library.text)).toMatchObject({ items: [{ cid, owner: 'proxy:user' }] });
  expect((await send(weir.url, { target: `/api/v1/content/${cid}`, headers: alice.evidence() })).status).toBe(404);
});

test('streamkit §2.10 #7: what a role may not read it may not change, list or delete either', async () => {
  using state = new StoredState(weir.dataPath);
  const as = (role: string, method: string, target: string, body?: string): Promise<RawReply> =>
    send(weir.url, { method, target, headers: { ...proof, 'x-streamkit-role': role, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body }) });
  const upload = await send(weir.url, { method: 'POST', target: '/api/v1/content', headers: { ...proof, 'x-streamkit-role': 'user', 'content-type': 'application/octet-stream' }, body: 'of the role user' });
  const { cid } = JSON.parse(upload.text) as { cid: string };
  const before = state.digest();
  for (const [method, target, body] of [
    ['GET', `/api/v1/content/${cid}`], ['HEAD', `/api/v1/content/${cid}`], ['DELETE', `/api/v1/content/${cid}`], ['GET', `/api/v1/policies/${cid}`], ['PUT', `/api/v1/policies/${cid}`, '{"level":"public"}'],
    ['POST', '/api/v1/grants', JSON.stringify({ cid })],
  ] as const) expect([(await as('operator', method, target, body)).status, method, target]).toEqual([404, method, target]);
  expect((await as('operator', 'GET', '/api/v1/library')).text).not.toContain(cid);
  for (const [method, target, body] of [['DELETE', `/api/v1/content/${cid}`], ['PUT', `/api/v1/policies/${cid}`, '{"level":"public"}'], ['POST', '/api/v1/grants', JSON.stringify({ cid })]] as const) {
    expect([(await as('viewer', method, target, body)).status, method, target]).toEqual([403, method, target]);
  }
  expect(state.digest()).toBe(before);
});

test('a name is a principal that exists, narrowed by the role', async () => {
  expect(await who({ ...proof, 'x-weir-user': 'alice' })).toMatchObject({ status: 200, principal: 'alice', role: 'operator' });
  const narrowed = await who({ ...proof, 'x-weir-user': 'alice', 'x-streamkit-role': 'viewer' });
  expect(narrowed).toMatchObject({ status: 200, principal: 'alice' });
  expect(narrowed.may).not.toContain('write_content');
  // Nothing that the proxy says gives more than the principal has.
  expect((await who({ ...proof, 'x-weir-user': 'alice', 'x-streamkit-role': 'admin' })).may).not.toContain('manage_users');
  for (const name of ['nobody', 'Alice', 'proxy:admin', 'anonymous', '', 'alice,admin', 'a'.repeat(65), 'alice '.repeat(2)]) expect([(await who({ ...proof, 'x-weir-user': name })).status, name]).toEqual([401, name]);
});

test('a value that is no role is refused and audited (streamkit §2.1)', async () => {
  for (const role of ['superuser', 'Admin', '', 'admin, viewer', 'constructor', '__proto__', 'admin viewer']) expect([(await who({ ...proof, 'x-streamkit-role': role })).status, role]).toEqual([401, role]);
  const twice = await new Promise<number | undefined>((resolve, reject) => {
    const { hostname, port } = new URL(weir.url);
    const request = http.request({ hostname, port, path: '/api/v1/permissions', headers: [...Object.entries(proof).flat(), 'host', `${hostname}:${port}`, 'x-streamkit-role', 'viewer', 'x-streamkit-role', 'admin'] });
    request.on('error', reject).on('response', (response) => { response.resume(); resolve(response.statusCode); }).end();
  });
  expect(twice).toBe(401);
  await expect.poll(() => refusals(), { timeout: 5_000 }).toContain('the proxy names a role that there is not');
});

test('without the proof, or with another one, the headers are refused and audited', async () => {
  for (const given of [{}, { 'x-weir-proxy-secret': '' }, { 'x-weir-proxy-secret': secret.slice(1) }, { 'x-weir-proxy-secret': `${secret}x` }, { 'x-weir-proxy-secret': secret.toUpperCase() }] as Headers[]) {
    for (const claim of [{ 'x-streamkit-role': 'admin' }, { 'x-weir-user': 'alice' }, { 'x-streamkit-role': '', ...alice.evidence() }] as Headers[]) expect((await who({ ...given, ...claim })).status).toBe(401);
  }
  await expect.poll(() => refusals(), { timeout: 5_000 }).toContain('role or user header without the proof of the proxy');
  // Without a header nothing changes, and the proof alone is none.
  expect(await who(proof)).toMatchObject({ status: 200, principal: null, role: 'none' });
  expect(await who(alice.evidence())).toMatchObject({ principal: 'alice' });
});

test('evidence that names somebody else beside the headers is refused; the same principal is narrowed by both', async () => {
  expect((await who({ ...proof, ...alice.evidence(), 'x-weir-user': 'admin' })).status).toBe(401);
  expect((await who({ ...proof, ...alice.evidence(), 'x-streamkit-role': 'operator' })).status).toBe(401);
  expect((await who({ ...proof, ...admin.evidence(), 'x-weir-user': 'alice' })).status).toBe(401);
  const both = await who({ ...proof, ...alice.evidence(), 'x-weir-user': 'alice', 'x-streamkit-role': 'viewer' });
  expect(both).toMatchObject({ status: 200, principal: 'alice' });
  expect(both.may).not.toContain('write_content');
});

test('a page of another site can not use what the proxy says of its visitor', async () => {
  using state = new StoredState(weir.dataPath);
  const change = async (given: Headers): Promise<number> =>
    (await send(weir.url, { method: 'POST', target: '/api/v1/tokens', headers: { ...proof, 'x-weir-user': 'alice', 'content-type': 'application/json', ...given }, body: '{"expires_in":60}' })).status;
  const before = state.digest();
  for (const given of [{ origin: 'https://evil.example' }, { origin: 'null' }]) expect(await change(given)).toBe(403);
  for (const given of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'none' }] as Headers[]) expect(await change(given)).toBe(401);
  expect(state.digest()).toBe(before);
  expect(await who({ ...proof, 'x-weir-user': 'alice', 'sec-fetch-site': 'cross-site' })).toMatchObject({ principal: null });
  expect(await change({ origin: weir.url, 'sec-fetch-site': 'same-origin' })).toBe(201);
  expect(await change({})).toBe(201);
});

test('nobody can be added under the name of a shared principal, and it signs nothing', async () => {
  for (const name of ['proxy:viewer', 'proxy:x', 'proxy:']) expect((await admin.send('POST', '/api/v1/principals', { principal: name, role: 'user' })).status).toBe(400);
  expect((await admin.send('PATCH', '/api/v1/principals/proxy:operator', { disabled: true })).status).toBe(200);
  expect((await who({ ...proof, 'x-streamkit-role': 'operator' })).status).toBe(401);
  // It does not count as somebody who could manage users.
  expect((await admin.send('PATCH', '/api/v1/principals/admin', { disabled: true })).status).toBe(409);
});

test('by the Unix socket the file is the proof; the address comes from X-Forwarded-For', async () => {
  const ask = (given: Headers): Promise<RawReply> => new Promise((resolve, reject) => {
    const request = http.request({ socketPath, path: '/api/v1/permissions', headers: { host: 'localhost', ...given } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => { text += piece; }).on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: Buffer.from(text), complete: true }));
    });
    request.on('error', reject).end();
  });
  expect((await stat(socketPath)).mode & 0o777).toBe(0o660);
  const reply = await ask({ 'x-streamkit-role': 'viewer', 'x-forwarded-for': '198.51.100.7' });
  expect([reply.status, JSON.parse(reply.text)]).toEqual([200, expect.objectContaining({ principal: 'proxy:viewer' })]);
  expect((await ask({ 'x-streamkit-role': 'viewer' })).status).toBe(400);
  expect((await ask({ 'x-forwarded-for': 'nonsense' })).status).toBe(400);
  expect((await ask({ 'x-streamkit-role': 'chef', 'x-forwarded-for': '198.51.100.7' })).status).toBe(401);
  const scoped = await weir.principal('scoped', 'user', { networks: ['198.51.100.0/24'] });
  expect((await ask({ ...scoped.evidence(), 'x-forwarded-for': '198.51.100.7' })).status).toBe(200);
  expect((await ask({ ...scoped.evidence(), 'x-forwarded-for': '203.0.113.7' })).status).toBe(401);
  // A socket that a killed server left is replaced.
  await weir.kill('SIGKILL');
  await weir.start();
  expect((await ask({ 'x-streamkit-role': 'viewer', 'x-forwarded-for': '198.51.100.7' })).status).toBe(200);
});

test('from who is no trusted proxy the headers are refused, whatever else is right', async () => {
  await using other = await startWeir({ environment: { ...headers, WEIR_SERVER__TRUSTED_PROXIES: '192.0.2.1', WEIR_PERMISSIONS__PROXY_SECRET: secret, WEIR_FLEET__ENABLED: 'false' } });
  const bob = await other.principal('bob', 'user');
  for (const given of [{ 'x-streamkit-role': 'viewer' }, { 'x-weir-user': 'bob' }, { 'x-weir-user': 'bob', ...bob.evidence() }] as Headers[]) {
    expect((await who({ ...proof, ...given }, other)).status).toBe(401);
    expect((await who({ ...proof, ...given, 'x-forwarded-for': '192.0.2.1' }, other)).status).toBe(401);
  }
  expect(await who(bob.evidence(), other)).toMatchObject({ principal: 'bob' });
  await expect.poll(() => refusals(other), { timeout: 5_000 }).toContain('role or user header from who is no trusted proxy');
});

test('when the setting goes, so do the shared principals with everything that was issued to them', async () => {
  const settings: Record<string, string> = { ...headers, WEIR_SERVER__TRUSTED_PROXIES: '127.0.0.1', WEIR_PERMISSIONS__PROXY_SECRET: secret, WEIR_FLEET__ENABLED: 'false' };
  await using server = await startWeir({ environment: settings });
  // Tokens are dated in whole seconds.
  await wait(1_100);
  const { token } = JSON.parse((await send(server.url, { method: 'POST', target: '/api/v1/tokens', headers: { ...proof, 'x-streamkit-role': 'viewer', 'content-type': 'application/json' }, body: '{"expires_in":3600}' })).text) as { token: string };
  const bearer = { authorization: `Bearer ${token}` };
  expect(await who(bearer, server)).toMatchObject({ principal: 'proxy:viewer' });
  const again = async (change: Record<string, string>): Promise<void> => {
    await server.kill('SIGTERM');
    for (const name of Object.keys(headers)) delete settings[name];
    Object.assign(settings, change);
    await server.start();
  };
  await again({});
  expect((await who(bearer, server)).status).toBe(401);
  expect(await who({ ...proof, 'x-streamkit-role': 'viewer' }, server)).toMatchObject({ principal: null });
  await again(headers);
  expect(await who({ ...proof, 'x-streamkit-role': 'viewer' }, server)).toMatchObject({ principal: 'proxy:viewer' });
  expect((await who(bearer, server)).status).toBe(401);
});

test('a client certificate is the proof where its authority is named', async () => {
  const folder = await privateFolder('weir-mtls-');
  const certificate = (name: string, ca?: { key: string; cert: string }) => generate([{ name: 'commonName', value: name }], {
    keyType: 'ec', curve: 'P-256', algorithm: 'sha256', ...(ca === undefined ? { extensions: [{ name: 'basicConstraints', cA: true }] } : { ca }),
  });
  const authority = await certificate('Proxies');
  const own = await certificate('nginx', { key: authority.private, cert: authority.cert });
  const stranger = await certificate('nginx');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'ca.pem'), authority.cert);
  if (process.getuid?.() === 0) await chown(path.join(folder, 'ca.pem'), testUser, testUser);
  await using server = await startWeir({ environment: { ...headers, WEIR_SERVER__TLS: 'true', WEIR_SERVER__CLIENT_CA_PATH: path.join(folder, 'ca.pem'), WEIR_SERVER__TRUSTED_PROXIES: '127.0.0.1', WEIR_FLEET__ENABLED: 'false' } });
  const ask = (given: Headers, shown: { cert?: string; key?: string }): Promise<RawReply> =>
    send(server.url, { target: '/api/v1/permissions', headers: given, agent: new https.Agent({ ...shown, rejectUnauthorized: false }) });
  const role = { 'x-streamkit-role': 'viewer' };
  expect((await ask(role, { cert: own.cert, key: own.private })).status).toBe(200);
  expect((await ask(role, { cert: stranger.cert, key: stranger.private })).status).toBe(401);
  expect((await ask(role, {})).status).toBe(401);
  expect((await ask({}, {})).status).toBe(200);
});
