/** A program with a key: its SDK signs what it asks, and believes only answers that the server signed for that very request. */
import { createPublicKey, hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { InstanceDocument } from '../packages/contracts/src/instance.ts';
import { parseDffmpegKey } from '../packages/security/src/request-signing/dffmpeg.ts';
import { newNonce, readResponseSignature, signRequest, verifySignature, type MessageHeaders, type MessageKey } from '../packages/security/src/request-signing/http-message.ts';
import * as auth from '../packages/sdk/src/auth.ts';
import { createClient, type Client as SdkClient, type SignerOptions } from '../packages/sdk/src/client.ts';
import * as content from '../packages/sdk/src/content.ts';
import * as grants from '../packages/sdk/src/grants.ts';
import * as policies from '../packages/sdk/src/policies.ts';
import * as tokens from '../packages/sdk/src/tokens.ts';
import { send, type RawReply } from './support/raw-http.ts';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let alice: Client & { key: string };
let instance: InstanceDocument;
let cid: string;

beforeAll(async () => {
  weir = await startWeir();
  alice = await weir.principal('alice', 'user');
  instance = InstanceDocument.parse(await weir.anonymous.json('GET', '/.well-known/weir-instance'));
  cid = await alice.upload(Buffer.from('film'));
});
afterAll(() => weir[Symbol.asyncDispose]());

const secretOf = (key: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(key, 'base64'));
const byMessage = (server?: InstanceDocument): SignerOptions =>
  ({ principal: 'alice', key: { algorithm: 'hmac-sha256', secret: secretOf(alice.key) }, ...(server === undefined ? {} : { server }) });
const byDffmpeg = (): SignerOptions => ({ profile: 'dffmpeg', principal: 'alice', secret: secretOf(alice.key) });
const client = (signer: SignerOptions, baseUrl = weir.url): SdkClient => createClient({ baseUrl, signer });

/** A request signed by the server's own code, and what came back. */
async function asked(method: string, target: string, body?: string, at = Date.now()): Promise<{ reply: RawReply; request: { 'signature-input': string; signature: string } }> {
  const headers: Record<string, string> = body === undefined ? {} : {
    'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), 'content-digest': `sha-256=:${hash('sha256', body, 'base64')}:`,
  };
  const request = signRequest({ method, target, headers }, { id: 'alice', algorithm: 'hmac-sha256', secret: parseDffmpegKey(alice.key) },
    { instance: instance.instance, createdSeconds: Math.floor(at / 1_000), nonce: newNonce() });
  return { request, reply: await send(weir.url, { method, target, headers: { ...headers, ...request }, ...(body === undefined ? {} : { body }) }) };
}

function isSignedFor({ status, headers, body }: RawReply, request: { 'signature-input': string; signature: string }): boolean {
  const covered: MessageHeaders = Object.fromEntries(['content-type', 'content-digest', 'signature', 'signature-input'].map((name) => [name, headers[name]]));
  const read = readResponseSignature({ status, headers: covered }, request, instance.instance);
  const key = instance.keys.find(({ kid }) => kid === read?.keyId);
  if (read === undefined || key === undefined) return false;
  const known: MessageKey = { id: key.kid, algorithm: 'ed25519', public: createPublicKey({ key: { kty: key.kty, crv: key.crv, x: key.x }, format: 'jwk' }) };
  const isWhole = body.length === 0 || read.contentDigest?.equals(hash('sha256', body, 'buffer')) === true;
  return isWhole && verifySignature(read, known, Math.floor(Date.now() / 1_000));
}

test('every short answer to a signed request is signed for it: good ones, refusals, and those without a body', async () => {
  const cases = [
    ['GET', '/api/v1/permissions', undefined, 200], ['GET', '/api/v1/library?limit=1', undefined, 200], ['POST', '/api/v1/tokens', '{"expires_in":60}', 201],
    ['GET', '/api/v1/principals', undefined, 403], ['GET', '/api/v1/jobs/01J00000000000000000000000', undefined, 404], ['GET', '/api/v1/library?limit=x', undefined, 400],
  ] as const;
  for (const [method, target, body, status] of cases) {
    const { reply, request } = await asked(method, target, body);
    expect([target, reply.status]).toEqual([target, status]);
    expect(isSignedFor(reply, request), target).toBe(true);
    // Not for another request of the same caller, nor with another status or body.
    const other = await asked('GET', '/api/v1/permissions');
    expect(isSignedFor(reply, other.request)).toBe(false);
    expect(isSignedFor({ ...reply, status: reply.status === 200 ? 201 : 200 }, request)).toBe(false);
    expect(isSignedFor({ ...reply, body: Buffer.from('{}') }, request)).toBe(false);
  }
  const { reply } = await asked('GET', `/api/v1/content/${cid}`);
  expect([reply.status, reply.text, reply.headers['signature']]).toEqual([200, 'film', undefined]);
});

test('nothing is signed for whoever did not sign: strangers, other evidence, wrong signatures', async () => {
  const unsigned = [{}, alice.evidence(), { signature: 'weir=:AAAA:', 'signature-input': 'weir=()' }];
  for (const headers of unsigned) expect((await send(weir.url, { target: '/api/v1/permissions', headers })).headers['signature']).toBeUndefined();
  const good = signRequest({ method: 'GET', target: '/api/v1/permissions', headers: {} }, { id: 'alice', algorithm: 'hmac-sha256', secret: parseDffmpegKey(randomBytes(32).toString('base64')) },
    { instance: instance.instance, createdSeconds: Math.floor(Date.now() / 1_000), nonce: newNonce() });
  expect((await send(weir.url, { target: '/api/v1/permissions', headers: good })).headers['signature']).toBeUndefined();
});

test.each([['http-message', () => byMessage()], ['http-message, pinned', () => byMessage(instance)], ['dffmpeg', () => byDffmpeg()]] as const)('the SDK does everything with a signature: %s', async (_name, signer) => {
  const signing = client(signer());
  expect((await auth.permissions(signing)).principal).toBe('alice');
  const bytes = randomBytes(300_000);
  const { cid: uploaded } = await content.upload(signing, new Blob([bytes]), { filename: 'a.bin' });
  expect(Buffer.from(await (await content.download(signing, uploaded)).arrayBuffer()).equals(bytes)).toBe(true);
  expect((await (await content.download(signing, uploaded, { range: { start: 5, end: 9 } })).arrayBuffer()).byteLength).toBe(5);
  await policies.set(signing, uploaded, { level: 'protected' });
  // Twice the same change within a second is two changes.
  const made = await Promise.all([grants.create(signing, { cid: uploaded }), grants.create(signing, { cid: uploaded }), grants.create(signing, { cid: uploaded })]);
  expect(new Set(made.map(({ grant_id: id }) => id)).size).toBe(3);
  await content.remove(signing, uploaded);
  await expect(content.download(signing, uploaded)).rejects.toMatchObject({ status: 404 });
});

test('a wrong key, name or pin is refused', async () => {
  await expect(auth.permissions(client({ principal: 'alice', key: { algorithm: 'hmac-sha256', secret: randomBytes(32) } }))).rejects.toMatchObject({ code: 'identity.required' });
  await expect(auth.permissions(client({ ...byMessage(), principal: 'bob' }))).rejects.toMatchObject({ code: 'identity.required' });
  const [key] = instance.keys;
  const stranger = { ...instance, keys: [{ ...key, kty: 'OKP', crv: 'Ed25519', kid: key?.kid ?? '', x: randomBytes(32).toString('base64url') } as const] };
  await expect(auth.permissions(client(byMessage(stranger)))).rejects.toMatchObject({ code: 'server.unverified' });
  await expect(auth.permissions(client(byMessage({ ...instance, instance: 'weir-other' })))).rejects.toMatchObject({ code: 'identity.required' });
});

/** Someone between the program and the server, who may change what goes by. */
async function between(change: (answer: { status: number; headers: Record<string, string | string[] | undefined>; body: Buffer }, request: IncomingMessage) => void): Promise<{ url: string } & AsyncDisposable> {
  const server = http.createServer((incoming: IncomingMessage, response: ServerResponse) => {
    const { port } = new URL(weir.url);
    const onward = http.request({ host: '127.0.0.1', port, path: incoming.url, method: incoming.method, headers: { ...incoming.headers, host: `127.0.0.1:${port}` } }, (reply) => {
      const pieces: Buffer[] = [];
      reply.on('data', (piece: Buffer) => pieces.push(piece)).once('end', () => {
        const answer = { status: reply.statusCode ?? 0, headers: { ...reply.headers }, body: Buffer.concat(pieces) };
        change(answer, incoming);
        delete answer.headers['content-length'];
        response.writeHead(answer.status, answer.headers).end(answer.body);
      });
    });
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

test('an answer that was changed, taken from another request, or stripped of its signature is not believed', async () => {
  /** The signed answer of the change before, for the same question. */
  let earlier: { headers: Record<string, unknown>; body: Buffer } | undefined;
  const changes: readonly ((answer: { status: number; headers: Record<string, string | string[] | undefined>; body: Buffer }) => void)[] = [
    (answer) => { answer.body = Buffer.from(answer.body.toString().replace('"alice"', '"admin"')); },
    (answer) => { answer.status = 201; },
    (answer) => { delete answer.headers['signature']; },
    (answer) => { delete answer.headers['content-digest']; },
    (answer) => { answer.headers['content-type'] = 'text/html'; },
    (answer) => { Object.assign(answer.headers, earlier?.headers); answer.body = earlier?.body ?? answer.body; },
    (answer) => {
      answer.body = Buffer.from(answer.body.toString().replace('"alice"', '"admin"'));
      answer.headers['content-digest'] = `sha-256=:${hash('sha256', answer.body, 'base64')}:`;
    },
  ];
  for (const [index, change] of changes.entries()) {
    await using proxy = await between((answer) => {
      if (!('signature' in answer.headers)) return;
      const { signature, 'signature-input': input, 'content-digest': digest } = answer.headers;
      const kept = { headers: { signature, 'signature-input': input, 'content-digest': digest }, body: answer.body };
      change(answer);
      earlier = kept;
    });
    const signing = client(byMessage(), proxy.url);
    expect(await auth.permissions(signing).catch((error: unknown) => error), `change ${index}`).toMatchObject({ code: 'server.unverified' });
  }
  await using honest = await between(() => undefined);
  expect((await auth.permissions(client(byMessage(), honest.url))).principal).toBe('alice');
});

test.each([['http-message', () => byMessage()], ['dffmpeg', () => byDffmpeg()]] as const)('a program whose clock is wrong is told the time by its signature, sets it right once, and goes on: %s', async (_name, signer) => {
  for (const hours of [-5, 5]) {
    const real = Date.now;
    let requests = 0;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => real() + hours * 3_600_000);
    try {
      const signing = createClient({ baseUrl: weir.url, signer: signer(), fetch: (...order) => { requests += 1; return fetch(...order); } });
      expect((await auth.permissions(signing)).principal).toBe('alice');
      const atFirst = requests;
      expect((await tokens.issue(signing, { expires_in: 60 + hours })).principal).toBe('alice');
      expect(requests - atFirst).toBe(1);
    } finally {
      clock.mockRestore();
    }
  }
});

test('a clock is not set by an answer that the server did not sign', async () => {
  await using liar = await between((answer) => {
    if (answer.status !== 401) return;
    answer.body = Buffer.from(answer.body.toString().replace(/"server_time":"[^"]*"/, '"server_time":"2040-01-01T00:00:00.000Z"'));
  });
  const real = Date.now;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => real() - 3_600_000);
  try {
    const signing = client(byMessage(), liar.url);
    await expect(auth.permissions(signing)).rejects.toMatchObject({ status: 401 });
    expect(signing.clock.aheadMs).toBe(0);
  } finally {
    clock.mockRestore();
  }
});

test('strangers hear nothing of the server’s clock', async () => {
  for (const at of [Date.now() - 3_600_000, Date.now() + 3_600_000]) {
    const { reply, request } = await asked('GET', '/api/v1/permissions', undefined, at);
    expect([reply.status, isSignedFor(reply, request)]).toEqual([401, true]);
    expect(JSON.parse(reply.text)).toMatchObject({ error: { code: 'identity.clock', server_time: expect.any(String) } });
    const forged = { ...request, signature: request.signature.replace(/:(.)/, (_, first: string) => `:${first === 'A' ? 'B' : 'A'}`) };
    const refused = await send(weir.url, { target: '/api/v1/permissions', headers: forged });
    expect(JSON.parse(refused.text)).toMatchObject({ error: { code: 'identity.required' } });
    expect([refused.text.includes('server_time'), refused.headers['signature']]).toEqual([false, undefined]);
  }
});

test('an instance key that is replaced is found again by programs that did not pin it', async () => {
  const signing = client(byMessage());
  await auth.permissions(signing);
  await (await weir.admin()).json('POST', '/api/v1/keys/rotate', { purpose: 'instance', compromised: true });
  expect((await auth.permissions(signing)).principal).toBe('alice');
  await expect(auth.permissions(client(byMessage(instance)))).rejects.toMatchObject({ code: 'server.unverified' });
});
