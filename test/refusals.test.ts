/** Every refusal of a right leaves an audit event that says who, from where, what and why, wherever it was decided. */
import { hash, randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent } from '../packages/contracts/src/audit.ts';
import { newNonce, signRequest } from '../packages/security/src/request-signing/http-message.ts';
import { parseDffmpegKey } from '../packages/security/src/request-signing/dffmpeg.ts';
import { contentDigest } from '../packages/security/src/request-signing/content-digest.ts';
import { send, sendBytes } from './support/raw-http.ts';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let admin: Client;
let alice: Client & { key: string };
let bob: Client & { key: string };
let cid: string;

beforeAll(async () => {
  weir = await startWeir();
  admin = await weir.admin();
  alice = await weir.principal('alice', 'user');
  bob = await weir.principal('bob', 'user');
  cid = await alice.upload(randomBytes(64));
}, 60_000);
afterAll(() => weir[Symbol.asyncDispose]());

async function refusalOf(reply: { status: number; text(): Promise<string> }): Promise<AuditEvent> {
  const { error: { request_id: id } } = JSON.parse(await reply.text()) as { error: { request_id: string } };
  return eventOf(id);
}

async function eventOf(requestId: string): Promise<AuditEvent> {
  for (let tries = 0; tries < 120; tries += 1) {
    const { items } = await admin.json<{ items: AuditEvent[] }>('GET', '/api/v1/audit?limit=200');
    const found = items.find((event) => event.request_id === requestId);
    if (found !== undefined) return found;
    await wait(50);
  }
  throw new Error(`nothing in the audit of ${requestId}`);
}

const link = async (more: Record<string, unknown> = {}): Promise<{ grant_id: string; token: string }> => alice.json('POST', '/api/v1/grants', { cid, ...more });
const use = ({ token }: { token: string }, who: Client = weir.anonymous): Promise<Response> => who.fetch(`/api/v1/content/${cid}?grant=${token}`);

test('a link that ended, is used up, is for elsewhere or for somebody else', async () => {
  const revoked = await link();
  await alice.send('DELETE', `/api/v1/grants/${revoked.grant_id}`);
  expect(await refusalOf(await use(revoked))).toMatchObject({ class: 'C', principal: '', address: '127.0.0.1', action: 'content.read', decision: 'refused', reason: 'The right that this link gave was withdrawn.' });
  const once = await link({ uses: 1 });
  expect((await use(once)).status).toBe(200);
  expect(await refusalOf(await use(once))).toMatchObject({ decision: 'refused', reason: 'This link has been used as often as it may be.' });
  expect(await refusalOf(await use(await link({ networks: ['192.0.2.0/24'] })))).toMatchObject({ reason: 'This link does not work from your network.' });
  expect(await refusalOf(await use(await link({ principal: 'bob' }), alice))).toMatchObject({ reason: 'This link is for somebody else' });
});

test('a link or a token that would be more than what it comes of', async () => {
  const { token: grant } = await link();
  const wider = await weir.anonymous.send('POST', '/api/v1/grants/narrow', { grant, expires_in: 31_536_000 });
  expect(await refusalOf(wider)).toMatchObject({ action: 'grant.narrow', decision: 'refused', reason: expect.stringContaining('can only be narrowed') as string });
  const more = await alice.send('POST', '/api/v1/tokens', { permissions: ['manage_users'] });
  expect(more.status).toBe(403);
  expect(await refusalOf(more)).toMatchObject({ principal: 'alice', action: 'token.issue_own', decision: 'refused', reason: expect.stringContaining('has no manage_users') as string });
});

test('a foreign origin and a foreign host name', async () => {
  const reply = await alice.fetch('/api/v1/tokens', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', origin: 'https://evil.example' } });
  expect(reply.status).toBe(403);
  expect(await refusalOf(reply)).toMatchObject({ action: 'token.issue_own', address: '127.0.0.1', reason: 'Requests from this origin are not allowed' });
  for (const target of ['/api/v1/status', '/library']) {
    const rebound = await send(weir.url, { target, headers: { host: 'evil.example' } });
    expect(rebound.status).toBe(421);
    expect(await refusalOf({ status: rebound.status, text: async () => rebound.text })).toMatchObject({ address: '127.0.0.1', decision: 'refused', reason: 'This server does not answer to that host name' });
  }
});

test('a body that is not the one that was signed', async () => {
  const headers = { 'content-type': 'application/json', 'content-length': '17', 'content-digest': contentDigest(hash('sha256', '{"expires_in":60}', 'buffer')) };
  const signed = signRequest({ method: 'POST', target: '/api/v1/tokens', headers }, { id: 'alice', algorithm: 'hmac-sha256', secret: parseDffmpegKey(alice.key) },
    { instance: weir.ready.instance, createdSeconds: Math.floor(Date.now() / 1_000), nonce: newNonce() });
  const reply = await weir.anonymous.fetch('/api/v1/tokens', { method: 'POST', body: '{"expires_in":61}', headers: { ...headers, ...signed } });
  expect(reply.status).toBe(401);
  expect(await refusalOf(reply)).toMatchObject({ principal: 'alice', decision: 'refused', reason: 'body is not the one that was signed' });
});

test('evidence of two principals names the one that was verified first', async () => {
  const { token } = await bob.json<{ token: string }>('POST', '/api/v1/tokens', {});
  const reply = await admin.fetch('/api/v1/tokens', { headers: { authorization: `Bearer ${token}` } });
  expect(reply.status).toBe(401);
  expect(await refusalOf(reply)).toMatchObject({ principal: 'bob', reason: 'evidence names two principals' });
});

test('a refused socket says which request it was, and the audit tells of it', async () => {
  const upgrade = (target: string, more = ''): Promise<string> =>
    sendBytes(weir.url, `GET ${target} HTTP/1.1\r\nhost: ${new URL(weir.url).host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n${more}\r\n`);
  const refused = await upgrade('/api/v1/workers/connect', 'origin: https://evil.example\r\n');
  expect(refused).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
  const [, id = ''] = /"request_id":"([^"]+)"/.exec(refused) ?? [];
  expect(await eventOf(id)).toMatchObject({ action: 'worker.connect', decision: 'refused', reason: 'Requests from this origin are not allowed' });
});

test('each refusal is counted once', async () => {
  const reply = await bob.send('POST', '/api/v1/tokens', { principal: 'alice' });
  expect(reply.status).toBe(403);
  expect(await refusalOf(reply)).toMatchObject({ principal: 'bob', count: 1 });
  await wait(1_200);
  const { items } = await admin.json<{ items: AuditEvent[] }>('GET', '/api/v1/audit?principal=bob&decision=refused&action=token.issue');
  expect(items).toHaveLength(1);
});

test('an opening by a link says which link', async () => {
  const made = await link();
  expect((await use(made)).status).toBe(200);
  for (let tries = 0; ; tries += 1) {
    const { items } = await admin.json<{ items: AuditEvent[] }>('GET', `/api/v1/audit?text=${made.grant_id}&action=content.read`);
    if (items.length > 0 || tries > 60) {
      expect(items[0]).toMatchObject({ class: 'B', decision: 'allowed', reason: `grant ${made.grant_id}` });
      return;
    }
    await wait(50);
  }
});

test('a client that offers another protocol beside HTTP/1.1 is served in this one', async () => {
  const reply = await send(weir.url, { target: '/api/v1/permissions', headers: { ...alice.evidence(), connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQCAAAAAAIAAAAA' } });
  expect({ status: reply.status, principal: (JSON.parse(reply.text) as { principal: string }).principal }).toEqual({ status: 200, principal: 'alice' });
});
