/** Weir inside a program: bytes go in and come out verified, for the principal that they are asked for, and the same rights hold at its doors. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, postgresMissing } from '../../data/test/support/private-postgres.ts';
import { createWeir, type Weir } from '../src/embed.ts';

const film = randomBytes(2_500_000);
const code = (name: string) => expect.objectContaining({ code: name });
let folder = '';
let weir: Weir;
let cid = '';
/** Of the admin, who has just signed in: managing users asks for that. */
let session: Record<string, string> = {};

const open = (config: Record<string, unknown> = {}, data = 'data'): Promise<Weir> => createWeir({
  config: { server: { port: 0 }, fleet: { enabled: false }, log: { level: 'silent' }, keys: { directory: path.join(folder, 'keys') }, ...config }, environment: {}, dataDirectory: path.join(folder, data),
});
async function* pieces(bytes: Uint8Array, size = 300_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function whole(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of stream) all.push(piece);
  return Buffer.concat(all);
}
const call = (method: string, target: string, evidence: string | Record<string, string>, body?: object): Promise<Response> => fetch(new URL(target, weir.url), {
  method, headers: { ...(typeof evidence === 'string' ? { authorization: `Bearer ${evidence}` } : evidence), ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
});

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'weir-embed-'));
  weir = await open();
  const login = await call('POST', '/auth/login', {}, { secret: weir.signInLink?.split('#')[1] ?? '' });
  session = { cookie: login.headers.get('set-cookie')?.split(';')[0] ?? '', origin: new URL(weir.url ?? '').origin };
  for (const principal of ['ann', 'bob']) expect((await call('POST', '/api/v1/principals', session, { principal, role: 'user' })).status).toBe(201);
  ({ cid } = await weir.streamToIpfs(pieces(film), { principal: 'ann', filename: 'film.bin' }));
});
afterAll(async () => {
  await weir[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('what goes in comes out, whole and in ranges with both ends included', async () => {
  const read = (options = {}, target = cid): Promise<Buffer> => whole(weir.streamMedia(target, { principal: 'ann', ...options }));
  expect((await read()).equals(film)).toBe(true);
  for (const target of [`/ipfs/${cid}`, `ipfs://${cid}`]) expect((await read({}, target)).equals(film)).toBe(true);
  for (const [startByte, endByte] of [[0, 0], [1, 1], [1_048_575, 1_048_576], [2_499_999, 2_499_999], [100, 9_999_999]] as const) {
    expect((await read({ startByte, endByte })).equals(film.subarray(startByte, endByte + 1)), `${startByte}-${endByte}`).toBe(true);
  }
  await expect(read({ startByte: 2_500_001 })).rejects.toThrow(code('content.range'));
  await expect(read({}, `/ipfs/${cid}/child`)).rejects.toThrow(code('content.id'));
});

test('who has no right gets nothing, and nobody’s name is a way around that', async () => {
  await expect(whole(weir.streamMedia(cid, { principal: 'bob' }))).rejects.toThrow(code('object.absent'));
  await expect(whole(weir.streamMedia(cid))).rejects.toThrow(code('object.absent'));
  await expect(whole(weir.streamMedia(cid, { principal: 'nobody' }))).rejects.toThrow(code('identity.required'));
  await expect(weir.streamToIpfs(pieces(film), { principal: 'nobody' })).rejects.toThrow(code('identity.required'));
});

test('a source that fails or exceeds stores nothing, and progress is told', async () => {
  const failing = async function* (): AsyncGenerator<Uint8Array> { yield film.subarray(0, 10); throw new Error('the line broke'); };
  await expect(weir.streamToIpfs(failing(), { principal: 'bob' })).rejects.toThrow(code('content.incomplete'));
  await expect(weir.streamToIpfs(pieces(film), { principal: 'bob', maxBytes: 1_000 })).rejects.toThrow(code('request.too_large'));
  const told: number[] = [];
  const stored = await weir.streamToIpfs([film.subarray(0, 5), film.subarray(5, 9)], { principal: 'bob', onProgress: (bytes) => told.push(bytes) });
  expect([stored.size, told]).toEqual([9, [5, 9]]);
});

test('its policies, tokens and content keys are those of the server’s doors', async () => {
  const { streamingSecurity: security } = weir;
  const token = await security.createToken({ userId: 'bob' });
  const at = `/api/v1/content/${cid}`;
  expect((await call('GET', at, token)).status).toBe(404);
  await security.setContentPolicy(cid, { owner: 'ann', level: 'private', allowedUsers: ['bob'] });
  expect(Buffer.from(await (await call('GET', at, token)).arrayBuffer()).equals(film)).toBe(true);
  expect((await whole(weir.streamMedia(cid, { principal: 'bob' }))).equals(film)).toBe(true);
  const key = await security.generateContentKey(cid, { owner: 'ann', uses: 2 });
  expect((await fetch(new URL(`${at}?grant=${key}`, weir.url))).status).toBe(200);
  expect((await security.verifyContentKey(key, cid)).allowed).toBe(true);
  expect(await security.verifyContentKey(key, cid)).toMatchObject({ allowed: false });
  const check = await security.verifyToken(token);
  expect(check).toMatchObject({ valid: true, claims: { userId: 'bob', role: 'user' } });
  await security.revokeToken(token);
  expect((await call('GET', at, token)).status).toBe(401);
  expect((await security.verifyToken(token)).valid).toBe(false);
  await expect(security.createToken({ userId: 'bob', permissions: ['manage_users'] })).rejects.toThrow(code('role.exceeds'));
  await expect(security.setContentPolicy(cid, { owner: 'bob', level: 'public' })).rejects.toThrow(code('object.absent'));
});

test('a token that shares a content opens it at the doors and here, as long as its issuer shares it', async () => {
  const { streamingSecurity: security } = weir;
  await security.setContentPolicy(cid, { owner: 'ann', level: 'private' });
  const token = await security.createToken({ userId: 'bob', cidAccess: [cid], issuer: 'ann' });
  expect((await call('GET', `/api/v1/content/${cid}`, token)).status).toBe(200);
  const check = await security.verifyToken(token);
  expect(check.valid && (await security.checkContentAccess(cid, check.claims)).allowed).toBe(true);
  await expect(security.createToken({ userId: 'ann', cidAccess: [cid], issuer: 'bob' })).rejects.toThrow(expect.objectContaining({ name: 'WeirError' }));
});

test('a running stream ends when its right does', async () => {
  await weir.streamingSecurity.setContentPolicy(cid, { owner: 'ann', level: 'private', allowedUsers: ['bob'] });
  const stream = weir.streamMedia(cid, { principal: 'bob' })[Symbol.asyncIterator]();
  expect((await stream.next()).done).toBe(false);
  await weir.streamingSecurity.setContentPolicy(cid, { owner: 'ann', level: 'private' });
  await expect((async () => { for (;;) if ((await stream.next()).done === true) return; })()).rejects.toThrow(code('policy.refused'));
});

test('what the program does is in the audit trail', async () => {
  const seen = async (): Promise<string[]> => {
    const { items } = await (await call('GET', '/api/v1/audit?limit=500', session)).json() as { items: { action: string }[] };
    return items.map(({ action }) => action);
  };
  // Openings are written together, once a second.
  await expect.poll(seen, { timeout: 5_000 }).toEqual(expect.arrayContaining(['token.issue', 'token.revoke', 'policy.write', 'grant.create', 'content.read']));
});

test('without a port it works all the same, and what was stored is there the next time', async () => {
  {
    await using embedded = await open({ api: { enabled: false } }, 'quiet');
    expect(embedded.url).toBeUndefined();
    ({ cid } = await embedded.streamToIpfs([Buffer.from('a film')]));
  }
  await using again = await open({ api: { enabled: false }, streaming_security: { encryption: { key_scope: 'user', default_key_bits: 128 } } }, 'quiet');
  expect((await whole(again.streamMedia(cid))).toString()).toBe('a film');
  const other = await again.streamToIpfs([Buffer.from('another film')]);
  expect((await whole(again.streamMedia(other.cid))).toString()).toBe('another film');
});

test('on PostgreSQL the same holds', async (context) => {
  const missing = postgresMissing();
  if (missing !== undefined && process.env['CI'] !== 'true') return context.skip(missing);
  if (missing !== undefined) throw new Error(missing);
  await using embedded = await open({ api: { enabled: false }, database: { url: await createDatabase() } }, 'postgres');
  const { streamingSecurity: security } = embedded;
  const content = await embedded.streamToIpfs([Buffer.from('a film')]);
  await security.setContentPolicy(content.cid, { owner: 'admin', level: 'protected' });
  const token = await security.createToken({ userId: 'admin', role: 'viewer', cidAccess: [content.cid], issuer: 'admin' });
  const check = await security.verifyToken(token);
  expect(check.valid && (await security.checkContentAccess(content.cid, check.claims)).allowed).toBe(true);
  const key = await security.generateContentKey(content.cid, { owner: 'admin', uses: 1 });
  expect([(await security.verifyContentKey(key, content.cid)).allowed, (await security.verifyContentKey(key, content.cid)).allowed]).toEqual([true, false]);
  for (let time = 0; time < 2; time += 1) await security.revokeToken('01J0000000000000000000NONE');
  await security.revokeToken(token);
  expect((await security.verifyToken(token)).valid).toBe(false);
  await security.revokeAllUserTokens('admin');
  expect((await security.verifyToken(await security.createToken({ userId: 'admin' }))).valid).toBe(true);
});

test('a configuration that is refused says where', async () => {
  await expect(open({ streaming_security: { secret_key: 'YOUR_VERY_SECRET_KEY_HERE' } }, 'refused')).rejects.toThrow(/secret_key: it is a placeholder/);
});
