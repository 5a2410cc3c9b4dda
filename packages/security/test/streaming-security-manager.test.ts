/** The streaming security of an application, as its users call it: every verb, every defect that the original had, and round trips of anything. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { newUlid } from '@weir/contracts/clock';
import fc from 'fast-check';
import { bases } from 'multiformats/basics';
import { expect, test, vi } from 'vitest';
import type { AuditEvent } from '../src/audit.ts';
import { cidBytes, contentId, dagPbCodec, rawCodec } from '../src/content-id.ts';
import { FrameReceiver } from '../src/frame-encryption.ts';
import { KeyRing } from '../src/key-ring.ts';
import { newMasterKey } from '../src/master-keys.ts';
import { MemoryAudit, memoryStores } from '../src/memory-stores.ts';
import { compileNetworks } from '../src/networks.ts';
import type { PrincipalRecord } from '../src/principals.ts';
import { builtinRoles } from '../src/roles.ts';
import type { PurposeKeys } from '../src/streaming-keys.ts';
import { newTokenKey, sharedSecretKey, type TokenKey } from '../src/token-keys.ts';
import { StreamingSecurityManager } from '../src/streaming-security-manager.ts';
import type { StreamingSecurityOptions } from '../src/streaming-options.ts';
import type { StreamingClaims } from '../src/streaming-tokens.ts';
import { signToken } from '../src/tokens.ts';
import { runs } from './runs.ts';
import { cid, code, digest, other, secretKey, startMs } from './small-content.ts';

/** A manager whose clock stands until it is moved. */
function manager(options: Partial<StreamingSecurityOptions> = {}) {
  const time = { nowMs: startMs };
  const clock = (): number => time.nowMs;
  const security = new StreamingSecurityManager({ ...(options.keyRing === undefined ? { secretKey } : {}), clock, ...options });
  return { security, time, clock };
}

const ring = (id = 'one'): KeyRing => new KeyRing({ current: id, keys: [newMasterKey(id)] });

async function claimsOf(security: StreamingSecurityManager, order: Parameters<StreamingSecurityManager['createToken']>[0]): Promise<StreamingClaims> {
  const check = await security.verifyToken(await security.createToken(order));
  if (!check.valid) throw new Error(check.reason);
  return check.claims;
}

const upgrade = (headers: Record<string, string>, url = '/live', remoteAddress = '192.0.2.1') =>
  ({ headers, url, socket: Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress }) });

// Tokens

test('any token that is made is verified as what it was made for, and no changed one is', async () => {
  const { security } = manager();
  const permission = fc.stringMatching(/^[a-z][a-z_]{0,20}$/).filter((name) => !name.startsWith('manage_'));
  await fc.assert(fc.asyncProperty(fc.stringMatching(/^[a-z0-9._-]{1,64}$/), fc.constantFrom('none', 'viewer', 'editor'), fc.uniqueArray(permission, { maxLength: 10 }), fc.nat(), async (userId, role, permissions, at) => {
    const token = await security.createToken({ userId, role, permissions, cidAccess: [cid] });
    const check = await security.verifyToken(token);
    expect(check).toMatchObject({ valid: true, claims: { userId, role, cidAccess: [cid] } });
    if (check.valid) expect(check.claims.permissions).toEqual(expect.arrayContaining(permissions));
    const place = at % token.length;
    const changed = `${token.slice(0, place)}${token[place] === 'A' ? 'B' : 'A'}${token.slice(place + 1)}`;
    expect((await security.verifyToken(changed)).valid).toBe(false);
  }), { numRuns: runs(200) });
});

test('rubbish is no token, and no error', async () => {
  const { security } = manager();
  await fc.assert(fc.asyncProperty(fc.string({ maxLength: 200 }), async (text) => { expect((await security.verifyToken(text)).valid).toBe(false); }), { numRuns: runs(500) });
});

test('a token holds from its beginning until its end', async () => {
  const { security, time } = manager({ tokenExpirySeconds: 100 });
  const token = await security.createToken({ userId: 'ann' });
  const later = await security.createToken({ userId: 'ann', notBefore: new Date(startMs + 50_000), expiresInSeconds: 60 });
  const claims = await claimsOf(security, { userId: 'ann' });
  expect(await security.verifyToken(later)).toMatchObject({ valid: false, reason: 'early' });
  time.nowMs += 99_000;
  expect((await security.verifyToken(token)).valid).toBe(true);
  expect(await security.verifyToken(later)).toMatchObject({ valid: false, reason: 'expired' });
  time.nowMs += 1_000;
  expect(await security.verifyToken(token)).toMatchObject({ valid: false, reason: 'expired' });
  await security.setContentPolicy(cid, { level: 'protected' });
  expect(await security.checkContentAccess(cid, claims)).toEqual({ allowed: false, reason: 'expired' });
});

test('a token for another audience is not accepted here', async () => {
  const { security } = manager();
  expect(await security.verifyToken(await security.createToken({ userId: 'ann', audience: 'elsewhere' }))).toMatchObject({ valid: false, reason: 'audience' });
});

test('an order that makes no sense is refused before anything is signed', async () => {
  const { security } = manager();
  const orders: object[] = [{ userId: 'Ann' }, { userId: '' }, { userId: 'ann', role: 'Über' }, { userId: 'ann', permissions: ['READ'] }, { userId: 'ann', expiresInSeconds: 0 }, { userId: 'ann', expiresInSeconds: 1e9 },
    { userId: 'ann', expiresInSeconds: Number.NaN }, { userId: 'ann', notBefore: new Date(Number.NaN) }, { userId: 'ann', audience: 'two words' }, { userId: 'ann', admin: true }];
  for (const order of orders) await expect(security.createToken(order as { userId: string }), JSON.stringify(order)).rejects.toThrow(code('request.invalid'));
  await expect(security.createToken({ userId: 'ann', cidAccess: ['rubbish'] })).rejects.toThrow(code('content.id'));
  await security.setContentPolicy(cid, { level: 'private' });
  for (const order of [{ uses: 0 }, { expiresInSeconds: -1 }, { networks: ['everywhere'] }, { userId: 'Ann' }]) await expect(security.generateContentKey(cid, order)).rejects.toThrow(code('request.invalid'));
});

test('a token under a shared secret never carries admin or a right that manages; under a key ring it may', async () => {
  const { security } = manager();
  await expect(security.createToken({ userId: 'ann', role: 'admin' })).rejects.toThrow(code('role.exceeds'));
  await expect(security.createToken({ userId: 'ann', permissions: ['manage_users'] })).rejects.toThrow(code('role.exceeds'));
  expect((await claimsOf(security, { userId: 'ann', role: 'user' })).permissions.filter((name) => name.startsWith('manage_'))).toEqual([]);
  const { security: own } = manager({ keyRing: ring() });
  expect((await claimsOf(own, { userId: 'ann', role: 'admin' })).permissions).toContain('manage_users');
});

test('claims that were not verified here are no evidence', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'protected' });
  const claims = await claimsOf(security, { userId: 'ann' });
  expect((await security.checkContentAccess(cid, claims)).allowed).toBe(true);
  expect((await security.checkContentAccess(cid, { ...claims })).allowed).toBe(false);
  expect((await manager().security.checkContentAccess(cid, claims)).allowed).toBe(false);
});

test('ipfs-kit §1.5 #8: one token and all of a user are revoked, stay so after a restart, and new ones work at once', async () => {
  const { clock } = manager();
  const stores = memoryStores(clock);
  const { security } = manager({ stores, clock });
  const [first, second] = [await security.createToken({ userId: 'ann' }), await security.createToken({ userId: 'ann' })];
  await security.revokeToken(first);
  expect(await security.verifyToken(first)).toMatchObject({ valid: false, reason: 'revoked' });
  expect((await security.verifyToken(second)).valid).toBe(true);
  await security.revokeAllUserTokens('ann');
  expect((await security.verifyToken(second)).valid).toBe(false);
  const third = await security.createToken({ userId: 'ann' });
  const { security: restarted } = manager({ stores, clock });
  expect((await restarted.verifyToken(first)).valid).toBe(false);
  expect((await restarted.verifyToken(second)).valid).toBe(false);
  expect((await restarted.verifyToken(third)).valid).toBe(true);
});

test('ipfs-kit §1.5 #8: where no more revocations fit, older tokens end, and none comes back', async () => {
  const { clock, security: plain } = manager();
  const { security } = manager({ stores: memoryStores(clock, { tokens: 10 }), clock });
  const tokens = await Promise.all(Array.from({ length: 30 }, (_, index) => security.createToken({ userId: `user${index}` })));
  for (const token of tokens.slice(0, 25)) await security.revokeToken(token);
  for (const token of tokens.slice(0, 25)) expect((await security.verifyToken(token)).valid).toBe(false);
  await expect(plain.revokeToken('a.b.c')).rejects.toThrow(code('request.invalid'));
});

test('ipfs-kit §1.5 #8: the keys outlive the process, and a token of another key of the ring outlives a rotation', async () => {
  const token = await manager().security.createToken({ userId: 'ann' });
  expect((await manager().security.verifyToken(token)).valid).toBe(true);
  const [one, two] = [newMasterKey('one'), newMasterKey('two')];
  const before = manager({ keyRing: new KeyRing({ current: 'one', keys: [one] }) }).security;
  const after = manager({ keyRing: new KeyRing({ current: 'two', keys: [one, two] }) }).security;
  expect((await after.verifyToken(await before.createToken({ userId: 'ann' }))).valid).toBe(true);
  expect((await before.verifyToken(await after.createToken({ userId: 'ann' }))).valid).toBe(false);
});

// Policies

test('ipfs-kit §1.5 #1: without a policy nobody is admitted', async () => {
  const { security } = manager();
  expect(await security.checkContentAccess(cid, undefined)).toEqual({ allowed: false, reason: 'no policy' });
  expect((await security.checkContentAccess(cid, await claimsOf(security, { userId: 'ann' }))).allowed).toBe(false);
});

test('ipfs-kit §1.5 #2: every spelling of a content has the same policy', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'private', allowedUsers: ['ann'] });
  const [ann, bob] = [await claimsOf(security, { userId: 'ann' }), await claimsOf(security, { userId: 'bob' })];
  const bytes = [cidBytes(rawCodec, digest), cidBytes(dagPbCodec, digest)];
  const spellings = [...bytes.flatMap((form) => Object.values(bases).filter(({ name }) => name !== 'identity').map((base) => base.encode(form))), bases.base58btc.encode(Buffer.concat([Buffer.of(0x12, 32), digest])).slice(1)].filter((text) => text.length <= 200);
  expect(spellings.length).toBeGreaterThan(30);
  for (const spelling of spellings) {
    expect((await security.checkContentAccess(spelling, ann)).allowed, spelling).toBe(true);
    expect((await security.checkContentAccess(spelling, bob)).allowed, spelling).toBe(false);
  }
  await expect(security.checkContentAccess(`${cid}/child`, ann)).rejects.toThrow(code('content.id'));
});

test('a policy decides by level, user, role, permission, network and time', async () => {
  const { security, time } = manager();
  const [ann, bob] = [await claimsOf(security, { userId: 'ann', role: 'editor', permissions: ['read_reports'] }), await claimsOf(security, { userId: 'bob', role: 'viewer' })];
  const decide = async (policy: Parameters<StreamingSecurityManager['setContentPolicy']>[1], claims: StreamingClaims | undefined, address?: string): Promise<boolean> => {
    await security.setContentPolicy(cid, policy);
    return (await security.checkContentAccess(cid, claims, { address })).allowed;
  };
  expect(await decide({ level: 'public' }, undefined)).toBe(true);
  expect(await decide({ level: 'protected' }, undefined)).toBe(false);
  expect(await decide({ level: 'protected' }, bob)).toBe(true);
  expect(await decide({ level: 'private' }, ann)).toBe(false);
  expect(await decide({ level: 'private', owner: 'ann' }, ann)).toBe(true);
  await security.setContentPolicy(cid, { level: 'private', owner: 'ann', validUntil: new Date(0) });
  expect(await decide({ level: 'private', allowedRoles: ['editor'] }, ann)).toBe(true);
  expect(await decide({ level: 'private', allowedRoles: ['editor'] }, bob)).toBe(false);
  expect(await decide({ level: 'protected', requiredPermissions: ['read_reports'] }, ann)).toBe(true);
  expect(await decide({ level: 'protected', requiredPermissions: ['read_reports'] }, bob)).toBe(false);
  expect(await decide({ level: 'protected', networks: ['192.0.2.0/24'] }, ann, '192.0.2.9')).toBe(true);
  expect(await decide({ level: 'protected', networks: ['192.0.2.0/24'] }, ann, '198.51.100.1')).toBe(false);
  expect(await decide({ level: 'protected', networks: ['192.0.2.0/24'] }, ann)).toBe(false);
  expect(await decide({ level: 'protected', validFrom: new Date(startMs + 1_000) }, ann)).toBe(false);
  time.nowMs += 1_000;
  expect((await security.checkContentAccess(cid, ann)).allowed).toBe(true);
});

test('cid_access opens what its issuer shares, for that content, and skips no network', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'private' });
  const guest = await claimsOf(security, { userId: 'guest', cidAccess: [cid] });
  expect((await security.checkContentAccess(cid, guest)).allowed).toBe(true);
  await security.setContentPolicy(other, { level: 'private' });
  expect((await security.checkContentAccess(other, guest)).allowed).toBe(false);
  await security.setContentPolicy(cid, { level: 'private', networks: ['192.0.2.0/24'] });
  expect((await security.checkContentAccess(cid, guest, { address: '198.51.100.1' })).allowed).toBe(false);
  await security.setContentPolicy(other, { level: 'private', owner: 'ann' });
  const forged = await claimsOf(security, { userId: 'guest', cidAccess: [other], issuer: 'bob' });
  expect((await security.checkContentAccess(other, forged)).allowed).toBe(false);
  const shared = await claimsOf(security, { userId: 'guest', cidAccess: [other], issuer: 'ann' });
  expect((await security.checkContentAccess(other, shared)).allowed).toBe(true);
});

// Content keys

test('ipfs-kit §1.5 #9: a content key opens its content, for its user, until it ends; uses are counted, and it can be taken back', async () => {
  const { security, time } = manager();
  await security.setContentPolicy(cid, { level: 'private' });
  await security.setContentPolicy(other, { level: 'private' });
  const [ann, bob] = [await claimsOf(security, { userId: 'ann' }), await claimsOf(security, { userId: 'bob' })];
  const allowed = async (key: string, content = cid, claims?: StreamingClaims): Promise<boolean> => (await security.verifyContentKey(key, content, claims === undefined ? {} : { claims })).allowed;
  const bearer = await security.generateContentKey(cid);
  expect([await allowed(bearer), await allowed(bearer, other)]).toEqual([true, false]);
  const bound = await security.generateContentKey(cid, { userId: 'ann' });
  expect([await allowed(bound), await allowed(bound, cid, bob), await allowed(bound, cid, ann)]).toEqual([false, false, true]);
  const once = await security.generateContentKey(cid, { uses: 1 });
  expect([await allowed(once), await allowed(once)]).toEqual([true, false]);
  await security.revokeContentKey(bearer);
  expect(await allowed(bearer)).toBe(false);
  const short = await security.generateContentKey(cid, { expiresInSeconds: 60 });
  time.nowMs += 60_000;
  expect(await allowed(short)).toBe(false);
  await expect(security.generateContentKey(contentId(rawCodec, randomBytes(32)).cid)).rejects.toThrow(code('object.absent'));
});

test('ipfs-kit §1.5 #9: token, content key, signature and frame have keys of their own, and none passes as another', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'protected' });
  const [token, key] = [await security.createToken({ userId: 'ann' }), await security.generateContentKey(cid)];
  expect((await security.verifyToken(key)).valid).toBe(false);
  expect((await security.verifyContentKey(token, cid)).allowed).toBe(false);
  const [signed, signature] = [token.slice(0, token.lastIndexOf('.')), token.slice(token.lastIndexOf('.') + 1)];
  expect(security.createHmacSignature(signed).split('.')[1]).not.toBe(signature);
  const now = Math.floor(startMs / 1_000);
  // Whoever knows the secret itself has no key of any purpose with it.
  const forged = signToken('access', { iss: 'weir-streaming', aud: 'weir-streaming', sub: 'ann', iat: now, nbf: now, exp: now + 60, jti: newUlid() }, sharedSecretKey('access-secret', secretKey, 'secret'));
  expect((await security.verifyToken(forged)).valid).toBe(false);
});

test('content keys of any content round trip and open no other', async () => {
  const { security } = manager();
  await fc.assert(fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(), async (bytes, at) => {
    const content = contentId(rawCodec, bytes).cid;
    await security.setContentPolicy(content, { level: 'private' });
    const key = await security.generateContentKey(content);
    expect((await security.verifyContentKey(key, content)).allowed).toBe(true);
    expect((await security.verifyContentKey(key, cid)).allowed).toBe(false);
    const place = at % key.length;
    expect((await security.verifyContentKey(`${key.slice(0, place)}${key[place] === 'A' ? 'B' : 'A'}${key.slice(place + 1)}`, content)).allowed).toBe(false);
  }), { numRuns: runs(100) });
});

// Encryption

const pieces = async function* (all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> { yield* all; };
async function whole(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of stream) all.push(piece);
  return Buffer.concat(all);
}

test('ipfs-kit §1.5 #3: any content is encrypted and decrypted, as bytes and as a stream, with 256 and 128 bits', async () => {
  const { security } = manager();
  const cut = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 5 });
  await fc.assert(fc.asyncProperty(fc.constantFrom(0, 1, 16_383, 16_384, 16_385, 32_768, 50_000), cut, fc.constantFrom(128 as const, 256 as const), async (size, cuts, bits) => {
    const plain = randomBytes(size);
    const key = security.generateEncryptionKey({ bits });
    const ends = [...cuts.filter((at) => at < size).toSorted((a, b) => a - b), size];
    const streamed = await whole(security.encryptContent(pieces(ends.map((end, index) => plain.subarray(ends[index - 1] ?? 0, end))), { key, context: 'clip' }));
    expect(await security.decryptContent(streamed, { context: 'clip' })).toEqual(plain);
    const sealed = await security.encryptContent(plain, { key, context: 'clip' });
    expect(await whole(security.decryptContent(pieces([sealed.subarray(0, size / 3), sealed.subarray(size / 3)]), { context: 'clip' }))).toEqual(plain);
    await expect(security.decryptContent(sealed, { context: 'another clip' })).rejects.toThrow(code('content.damaged'));
  }), { numRuns: runs(40) });
});

test('content that was changed, cut off or cut at a chunk does not open', async () => {
  const { security } = manager();
  const sealed = await security.encryptContent(randomBytes(40_000));
  for (const length of [0, 3, 60, sealed.length - 1, sealed.length - (40_000 % 16_384) - 16, sealed.length - (40_000 % 16_384) - 32 - 16_384]) {
    await expect(security.decryptContent(sealed.subarray(0, length)), String(length)).rejects.toThrow(expect.objectContaining({ name: 'WeirError' }));
  }
  for (const at of [0, 1, 5, 80, 20_000, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expect(security.decryptContent(changed), String(at)).rejects.toThrow(expect.objectContaining({ name: 'WeirError' }));
  }
  await expect(manager({ keyRing: ring() }).security.decryptContent(sealed)).rejects.toThrow(code('keys.wrong'));
});

test('ipfs-kit §1.5 #10: content opens after a restart, with what it carries and the secret alone', async () => {
  const sealed = await manager().security.encryptContent(Buffer.from('a film'));
  expect((await manager().security.decryptContent(sealed)).toString()).toBe('a film');
});

test('ipfs-kit §1.5 #11: no two chunks and no two messages share a nonce: equal plaintext never gives equal ciphertext', async () => {
  const { security } = manager();
  const key = security.generateEncryptionKey();
  const seen = new Set<string>();
  let chunks = 0;
  for (let message = 0; message < 4; message += 1) {
    const sealed = await security.encryptContent(Buffer.alloc(8 * 16_384), { key });
    const body = sealed.subarray(sealed.length - 8 * 16_400 - 16);
    for (let at = 0; at + 16_400 <= body.length; at += 16_400, chunks += 1) seen.add(body.toString('latin1', at, at + 32));
  }
  expect(seen.size).toBe(chunks);
});

test('what a detached key sealed opens with that key alone, so that destroying it erases', async () => {
  const { security } = manager();
  const [ann, bob] = [security.generateEncryptionKey({ detached: true }), security.generateEncryptionKey({ detached: true, bits: 128 })];
  const sealed = await security.encryptContent(Buffer.from('a film'), { key: ann });
  expect((await manager().security.decryptContent(sealed, { key: ann })).toString()).toBe('a film');
  expect(sealed.includes(Buffer.from(ann.wrapped, 'base64url'))).toBe(false);
  for (const options of [{}, { key: bob }, { key: { ...ann, wrapped: '' } }, { key: security.generateEncryptionKey({ detached: true }) }]) {
    await expect(security.decryptContent(sealed, options)).rejects.toThrow(expect.objectContaining({ name: 'WeirError' }));
  }
});

test('encryption that is switched off refuses; it passes nothing on in the clear', () => {
  const { security } = manager({ encryption: { enabled: false } });
  expect(() => security.encryptContent(Buffer.from('a film'))).toThrow(code('config.invalid'));
});

// Signatures

test('any message is verified by its signature, another or a changed one is not', () => {
  const { security } = manager();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (message, another) => {
    const signature = security.createHmacSignature(message);
    expect(security.verifyHmacSignature(message, signature)).toBe(true);
    expect(security.verifyHmacSignature(another, signature)).toBe(Buffer.from(message).equals(another));
    expect(security.verifyHmacSignature(message, `${signature}=`)).toBe(false);
  }), { numRuns: runs(300) });
  for (const rubbish of ['', '.', 'secret.', 'secret', 'other.AAAA', '__proto__.AAAA', 'a.b.c']) expect(security.verifyHmacSignature('message', rubbish), rubbish).toBe(false);
});

// Origins

test('ipfs-kit §1.5 #6: no list is no page, a star is refused, and a pattern keeps scheme and port', () => {
  const { security } = manager({ allowedOrigins: [] });
  expect(security.checkOrigin('https://app.example.com')).toBe(false);
  expect(security.checkOrigin(undefined)).toBe(true);
  expect(security.checkOrigin(undefined, 'cookie')).toBe(false);
  expect(() => manager({ allowedOrigins: ['*'] })).toThrow(code('config.invalid'));
  expect(() => manager({ allowedOrigins: ['*.example.com'] })).toThrow(code('config.invalid'));
  const { security: listed } = manager({ allowedOrigins: ['https://*.example.com', 'http://localhost:*'], ownOrigins: ['https://media.test'] });
  for (const good of ['https://app.example.com', 'http://localhost:3000', 'https://media.test']) expect(listed.checkOrigin(good), good).toBe(true);
  for (const bad of ['http://app.example.com', 'ftp://app.example.com', 'https://app.example.com:8443', 'https://evilexample.com', 'https://example.com', 'null', 'https://localhost:3000', 'https://app.example.com/']) expect(listed.checkOrigin(bad), bad).toBe(false);
});

test('an origin passes exactly when its scheme, host and port are listed', () => {
  const origin = fc.tuple(fc.constantFrom('http', 'https'), fc.stringMatching(/^[a-z]{1,8}$/), fc.integer({ min: 1, max: 65_535 })).map(([scheme, host, port]) => new URL(`${scheme}://${host}.test:${port}`).origin);
  fc.assert(fc.property(origin, origin, (listed, asked) => {
    expect(manager({ allowedOrigins: [listed] }).security.checkOrigin(asked)).toBe(listed === asked);
  }), { numRuns: runs(100) });
});

// Sockets

test('ipfs-kit §1.5 #5: without a token a socket meets the same origin check and limit, and is not opened', async () => {
  const { security } = manager({ allowedOrigins: ['https://app.test'], rateLimits: { auth_failures: { limit: 3, period: 60 } } });
  await expect(security.authenticateWebSocket(upgrade({ origin: 'https://evil.test' }))).rejects.toThrow(code('origin.refused'));
  for (let attempt = 0; attempt < 3; attempt += 1) await expect(security.authenticateWebSocket(upgrade({ origin: 'https://app.test' }))).rejects.toThrow(code('identity.required'));
  await expect(security.authenticateWebSocket(upgrade({ origin: 'https://app.test' }))).rejects.toThrow(code('rate.exceeded'));
  const token = await security.createToken({ userId: 'ann' });
  expect((await security.authenticateWebSocket(upgrade({ authorization: `Bearer ${token}` }))).claims.userId).toBe('ann');
  await expect(security.authenticateWebSocket(upgrade({ authorization: `Bearer ${token}`, origin: 'https://evil.test' }))).rejects.toThrow(code('origin.refused'));
});

test('ipfs-kit §1.5 #7: a token in an address is refused unless that was asked for, and so are two tokens', async () => {
  const { security } = manager();
  const token = await security.createToken({ userId: 'ann' });
  await expect(security.authenticateWebSocket(upgrade({}, `/live?token=${token}`))).rejects.toThrow(code('identity.required'));
  const { security: open } = manager({ allowQueryTokens: true });
  expect((await open.authenticateWebSocket(upgrade({}, `/live?token=${token}`))).claims.userId).toBe('ann');
  await expect(open.authenticateWebSocket(upgrade({ authorization: `Bearer ${token}` }, `/live?token=${token}`))).rejects.toThrow(code('identity.required'));
});

test('a cookie counts only with an origin that is allowed', async () => {
  const { security } = manager({ cookieName: 'session', ownOrigins: ['https://media.test'] });
  const cookie = `a=b; session=${await security.createToken({ userId: 'ann' })}`;
  expect((await security.authenticateWebSocket(upgrade({ cookie, origin: 'https://media.test' }))).claims.userId).toBe('ann');
  await expect(security.authenticateWebSocket(upgrade({ cookie }))).rejects.toThrow(code('origin.refused'));
  await expect(security.authenticateWebSocket(upgrade({ cookie, origin: 'https://evil.test' }))).rejects.toThrow(code('origin.refused'));
});

test('what is open is told once when its token, its user or its policy ends', async () => {
  await using security = new StreamingSecurityManager({ secretKey });
  await security.setContentPolicy(cid, { level: 'protected' });
  const [ann, bob, eve] = [await claimsOf(security, { userId: 'ann' }), await claimsOf(security, { userId: 'bob' }), await claimsOf(security, { userId: 'eve', expiresInSeconds: 1 })];
  const told: string[] = [];
  const ends = (name: string) => () => { told.push(name); };
  using _a = security.watch(ann, ends('ann'), { cid });
  using _b = security.watch(bob, ends('bob'));
  using _c = security.watch(bob, ends('bob’s content'), { cid });
  using _e = security.watch(eve, ends('eve'));
  await security.revokeToken(ann.tokenId);
  await expect.poll(() => told, { timeout: 1_000 }).toContain('ann');
  await security.setContentPolicy(cid, { level: 'private' });
  await expect.poll(() => told, { timeout: 1_000 }).toContain('bob’s content');
  await expect.poll(() => told, { timeout: 3_000 }).toContain('eve');
  expect(told).not.toContain('bob');
  await security.revokeAllUserTokens('bob');
  await expect.poll(() => told, { timeout: 1_000 }).toEqual(['ann', 'bob’s content', 'eve', 'bob']);
});

test('a right that ended before it was watched is told as well', async () => {
  await using security = new StreamingSecurityManager({ secretKey });
  const ann = await claimsOf(security, { userId: 'ann' });
  await security.revokeAllUserTokens('ann');
  await expect(new Promise((resolve) => { security.watch(ann, resolve); })).resolves.toContain('ended');
});

test('a policy bounds how much one user opens at once', async () => {
  await using security = new StreamingSecurityManager({ secretKey });
  await security.setContentPolicy(cid, { level: 'protected', maxConcurrentPerPrincipal: 1 });
  const [ann, bob] = [await claimsOf(security, { userId: 'ann' }), await claimsOf(security, { userId: 'bob' })];
  const opened = security.watch(ann, () => undefined, { cid });
  expect(await security.checkContentAccess(cid, ann)).toEqual({ allowed: false, reason: 'concurrency' });
  expect((await security.checkContentAccess(cid, bob)).allowed).toBe(true);
  opened[Symbol.dispose]();
  expect((await security.checkContentAccess(cid, ann)).allowed).toBe(true);
});

// Limits

test('ipfs-kit §1.5 #12: limits count by user or client address behind a proxy, not twice at an edge, in a bounded table, under names that exist', async () => {
  const { security } = manager({ rateLimits: { socket: { limit: 3, period: 60 }, auth_failures: { limit: 1, period: 60 } }, trustedProxies: ['127.0.0.1'] });
  const take = (): boolean[] => Array.from({ length: 4 }, () => security.checkRateLimit('ann', 'socket').allowed);
  expect(take()).toEqual([true, true, true, false]);
  expect(take()).toEqual([false, false, false, false]);
  expect(security.checkRateLimit('bob', 'socket')).toMatchObject({ allowed: true, limit: 3, remaining: 2 });
  expect(() => security.checkRateLimit('ann', 'websocket')).toThrow(code('config.invalid'));
  const failing = (client: string) => security.authenticateWebSocket(upgrade({ 'x-forwarded-for': client }, '/live', '127.0.0.1'));
  await expect(failing('192.0.2.1')).rejects.toThrow(code('identity.required'));
  await expect(failing('192.0.2.1')).rejects.toThrow(code('rate.exceeded'));
  await expect(failing('192.0.2.2')).rejects.toThrow(code('identity.required'));
  for (let client = 0; client < 150_000; client += 1) security.checkRateLimit(`stranger ${client}`, 'socket');
  // Strangers beyond the table share one allowance; whoever was counted before keeps an own one.
  expect(security.checkRateLimit('one stranger more', 'socket').allowed).toBe(false);
  expect(security.checkRateLimit('bob', 'socket').allowed).toBe(true);
});

// Frames

test('ipfs-kit §1.5 #10: frames of encrypted content open for admitted viewers, and a revoked one has no key of the next', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'encrypted', allowedUsers: ['ann', 'bob'] });
  const [ann, bob] = [await claimsOf(security, { userId: 'ann' }), await claimsOf(security, { userId: 'bob' })];
  await expect(security.secureStreamingOffer(cid, undefined)).rejects.toThrow(code('policy.refused'));
  const receive = async (claims: StreamingClaims) => {
    const { frames } = await security.secureStreamingOffer(cid, claims);
    if (frames === undefined) throw new Error('no key');
    const receiver = new FrameReceiver();
    receiver.addKey(BigInt(frames.keyId), Buffer.from(frames.baseKey, 'base64url'), frames.suite);
    return receiver;
  };
  const [annReceiver, bobReceiver] = [await receive(ann), await receive(bob)];
  const frame = security.secureFrame({ cid, data: Buffer.from('frame') });
  expect(frame.includes('frame')).toBe(false);
  expect([annReceiver.open(frame).toString(), bobReceiver.open(frame).toString()]).toEqual(['frame', 'frame']);
  await security.revokeToken(bob.tokenId);
  const next = security.secureFrame({ cid, data: Buffer.from('next') });
  expect(() => bobReceiver.open(next)).toThrow(code('frame.refused'));
  await expect(security.secureStreamingOffer(cid, bob)).rejects.toThrow(code('policy.refused'));
  expect((await receive(ann)).open(next).toString()).toBe('next');
  await security.setContentPolicy(other, { level: 'protected' });
  expect(await security.secureStreamingOffer(other, ann)).toEqual({ cid: other, level: 'protected' });
});

test('a right that another node ends closes what is open here, and frames get a key that it does not know', async () => {
  const stores = memoryStores();
  await using here = new StreamingSecurityManager({ secretKey, stores });
  await using there = new StreamingSecurityManager({ secretKey, stores });
  await here.setContentPolicy(cid, { level: 'encrypted', allowedUsers: ['ann'] });
  const ann = await claimsOf(here, { userId: 'ann' });
  const keyOf = async (): Promise<unknown> => (await here.secureStreamingOffer(cid, await claimsOf(here, { userId: 'ann' }))).frames?.baseKey;
  const known = await keyOf();
  expect(await keyOf()).toBe(known);
  const ended = new Promise((resolve) => { here.watch(ann, resolve, { cid }); });
  const startedAt = performance.now();
  await there.revokeToken(ann.tokenId);
  expect(await ended).toBe('revoked');
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(await keyOf()).not.toBe(known);
});

// Audit

test('ipfs-kit §1.5 #13: openings and refusals are events of a chain, with the reason, and a changed, removed or moved one is found', async () => {
  const audit = new MemoryAudit();
  const { security } = manager({ stores: { audit } });
  await security.setContentPolicy(cid, { level: 'private', allowedUsers: ['ann'] });
  const [ann, bob] = [await claimsOf(security, { userId: 'ann' }), await claimsOf(security, { userId: 'bob' })];
  await security.checkContentAccess(cid, ann);
  await security.logStreamingAccess({ cid, claims: ann, accessType: 'stream.open', address: '192.0.2.1' });
  for (let attempt = 0; attempt < 5; attempt += 1) await security.checkContentAccess(cid, bob);
  await security[Symbol.asyncDispose]();
  const { events } = audit;
  expect(events).toMatchObject([
    { class: 'B', principal: 'ann', action: 'stream.open', object: `content:${digest.toString('hex')}`, decision: 'allowed' },
    { class: 'C', principal: 'bob', action: 'content.read', decision: 'refused', reason: 'who', count: 5 },
  ]);
  for (let index = 0; index < 3; index += 1) await security.logStreamingAccess({ cid, claims: ann, accessType: 'stream.open' });
  expect(MemoryAudit.verify(events)).toBeUndefined();
  expect(MemoryAudit.verify(events.slice(2))).toBeUndefined();
  expect(MemoryAudit.verify(events.map((event, index) => (index === 1 ? { ...event, reason: 'allowed' } : event)))?.reason).toContain('changed');
  expect(MemoryAudit.verify(events.filter((_, index) => index !== 1))).toBeDefined();
  expect(MemoryAudit.verify(events.toReversed())).toBeDefined();
});

// Configuration

const seed = (more: object = {}) => ({
  streaming_security: {
    enabled: true, secret_key: secretKey, token_expiry_seconds: 3600,
    rate_limits: { default: { limit: 100, period: 60 }, signaling: { limit: 20, period: 60 } },
    allowed_origins: ['http://localhost:3000', 'https://your-frontend-app.com'],
    encryption: { enabled: true, default_key_bits: 256 }, ...more,
  },
  api: { enabled: true, host: '0.0.0.0', port: 8080 },
});

test('ipfs-kit §1.5 #4: a configuration is taken as it stands, and says what to change where it is not', async () => {
  const security = StreamingSecurityManager.fromSeedConfig(seed());
  expect(security.checkOrigin('https://your-frontend-app.com')).toBe(true);
  expect(security.checkRateLimit('ann', 'signaling').limit).toBe(20);
  await security.setContentPolicy(cid, { level: 'protected', requiredPermissions: ['watch'] });
  expect((await security.checkContentAccess(cid, await claimsOf(security, { userId: 'ann', permissions: ['watch'] }))).allowed).toBe(true);
  const refusals: [object, RegExp][] = [
    [{ secret_key: 'YOUR_VERY_SECRET_KEY_HERE' }, /WEIR_STREAMING_SECURITY__SECRET_KEY.*_FILE.*placeholder/],
    [{ secret_key: 'short' }, /WEIR_STREAMING_SECURITY__SECRET_KEY.*shorter than 32/],
    [{ secret_key: '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7' }, /known to the public/],
    [{ allowed_origins: ['*'] }, /"\*" is no origin/],
    [{ encryption: { default_key_bits: 192 } }, /encryption\.default_key_bits: write 256 or 128/],
    [{ token_expire_seconds: 1 }, /token_expire_seconds/],
  ];
  for (const [change, sentence] of refusals) expect(() => StreamingSecurityManager.fromSeedConfig(seed(change))).toThrow(sentence);
});

// Setting up

test('one key is given, a secret or a ring; bits that no suite has stop the start', () => {
  for (const none of [{}, { secretKey, keyRing: ring() }]) expect(() => new StreamingSecurityManager(none)).toThrow(code('config.invalid'));
  const defaultKeyBits = 192 as 256;
  expect(() => manager({ encryption: { defaultKeyBits } })).toThrow(code('config.invalid'));
  expect(() => manager().security.generateEncryptionKey({ bits: defaultKeyBits })).toThrow(code('config.invalid'));
  expect(manager({ encryption: { defaultKeyBits: 128 } }).security.generateEncryptionKey()).toMatchObject({ bits: 128, detached: false });
  expect(manager({ encryption: {} }).security.generateEncryptionKey()).toMatchObject({ bits: 256 });
});

test('keys that are kept elsewhere sign and verify in place of derived ones, each its own purpose', async () => {
  const [access, grant] = [newTokenKey('kept-access'), newTokenKey('kept-grant')];
  const kept = (key: TokenKey): PurposeKeys => ({ signing: () => key, all: new Map([[key.id, key]]) });
  const { security } = manager({ tokenKeys: { access: kept(access), grant: kept(grant) } });
  await security.setContentPolicy(cid, { level: 'private' });
  const kid = (token: string): unknown => (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8')) as { kid: unknown }).kid;
  const [token, key] = [await security.createToken({ userId: 'ann', role: 'admin' }), await security.generateContentKey(cid)];
  expect([kid(token), kid(key)]).toEqual(['kept-access', 'kept-grant']);
  expect([(await security.verifyToken(token)).valid, (await security.verifyContentKey(key, cid)).allowed]).toEqual([true, true]);
});

test('rules of origins are taken as an application has them', () => {
  const { security } = manager({ ownOrigins: { allows: (origin) => origin === 'app://films' }, allowedOrigins: ['https://app.test'] });
  expect(['app://films', 'https://app.test', 'https://evil.test'].map((origin) => security.checkOrigin(origin))).toEqual([true, true, false]);
});

test('a limit that nobody configured is refused with those that are', () => {
  const { security } = manager({ rateLimits: { talk: { limit: 1, period: 1 } } });
  expect(() => security.checkRateLimit('ann', 'tlak')).toThrow(/"tlak".*signaling, .*talk/);
  expect([security.hasRateLimit('talk'), security.hasRateLimit('tlak')]).toEqual([true, false]);
});

test('a signature with more behind it is none', () => {
  const { security } = manager();
  const signature = security.createHmacSignature('message');
  for (const more of ['.', '.x', `.${signature}`]) expect(security.verifyHmacSignature('message', `${signature}${more}`), more).toBe(false);
});

// Requests

test('a request without a token is somebody unknown; one with a bad token is nobody', async () => {
  const { security, time } = manager({ rateLimits: { auth_failures: { limit: 100, period: 1 } } });
  expect(await security.authenticate(upgrade({}), { acts: false })).toEqual({ claims: undefined, address: '192.0.2.1' });
  const token = await security.createToken({ userId: 'ann', expiresInSeconds: 1 });
  expect(await security.authenticate(upgrade({ authorization: `Bearer ${token}` }), { acts: false })).toMatchObject({ claims: { userId: 'ann' } });
  time.nowMs += 1_000;
  for (const authorization of [`Bearer ${token}`, 'Bearer a.b.c', 'Basic YTpi']) await expect(security.authenticate(upgrade({ authorization }), { acts: false }), authorization).rejects.toThrow(code('identity.required'));
});

test('a page of any origin may read with a token, and act only from a listed one', async () => {
  const { security } = manager({ allowedOrigins: ['https://app.test'], cookieName: 'session' });
  const token = await security.createToken({ userId: 'ann' });
  const ask = (headers: Record<string, string>, acts: boolean) => security.authenticate(upgrade(headers), { acts });
  for (const headers of [{ authorization: `Bearer ${token}` }, { cookie: `session=${token}` }]) {
    expect(await ask({ ...headers, origin: 'https://evil.test' }, false)).toMatchObject({ claims: { userId: 'ann' } });
    await expect(ask({ ...headers, origin: 'https://evil.test' }, true)).rejects.toThrow(code('origin.refused'));
    expect(await ask({ ...headers, origin: 'https://app.test' }, true)).toMatchObject({ claims: { userId: 'ann' } });
  }
});

test('who comes from outside the networks of a principal is not that principal', async () => {
  const scope = compileNetworks(['192.0.2.0/24']);
  const ann: PrincipalRecord = { id: 'ann', kind: 'user', role: 'user', rights: builtinRoles.get('user')?.permissions ?? new Set(), scope, disabled: false, tokensValidFromMs: 0, maxSkewSeconds: 30, keys: [] };
  const { security } = manager({ stores: { principals: { principal: async (id) => (id === 'ann' ? ann : undefined) } } });
  const authorization = `Bearer ${await security.createToken({ userId: 'ann' })}`;
  expect(await security.authenticateWebSocket(upgrade({ authorization }))).toMatchObject({ claims: { userId: 'ann' }, address: '192.0.2.1' });
  await expect(security.authenticateWebSocket(upgrade({ authorization }, '/live', '198.51.100.1'))).rejects.toThrow(code('identity.required'));
  await security.setContentPolicy(cid, { level: 'protected' });
  const { claims } = await security.authenticateWebSocket(upgrade({ authorization }));
  expect(await security.secureStreamingOffer(cid, claims, { address: '192.0.2.1' })).toEqual({ cid, level: 'protected' });
  await expect(security.secureStreamingOffer(cid, claims, { address: '198.51.100.1' })).rejects.toThrow(code('policy.refused'));
});

test('a proxy speaks for others, and for itself where it names nobody; a connection without an address is refused', async () => {
  const { security } = manager({ trustedProxies: ['127.0.0.1'] });
  const addressOf = async (remote: string, headers: Record<string, string> = {}): Promise<string> => (await security.authenticate(upgrade(headers, '/', remote), { acts: false })).address;
  expect([await addressOf('127.0.0.1'), await addressOf('127.0.0.1', { 'x-forwarded-for': '192.0.2.9' }), await addressOf('192.0.2.1', { 'x-forwarded-for': '192.0.2.9' })]).toEqual(['127.0.0.1', '192.0.2.9', '192.0.2.1']);
  await expect(addressOf('', {})).rejects.toThrow(code('request.invalid'));
  await expect(security.authenticate({ headers: {}, url: '/', socket: new Socket() }, { acts: false })).rejects.toThrow(code('request.invalid'));
});

test('a user opens sockets and streams as often as the limits say, whoever else comes from the same address', async () => {
  const { security } = manager({ rateLimits: { signaling: { limit: 2, period: 3_600 }, streaming: { limit: 2, period: 3_600 } } });
  const open = async (userId: string) => security.authenticateWebSocket(upgrade({ authorization: `Bearer ${await security.createToken({ userId })}` }));
  for (let time = 0; time < 2; time += 1) await open('ann');
  await expect(open('ann')).rejects.toThrow(code('rate.exceeded'));
  await open('bob');
  await security.setContentPolicy(cid, { level: 'public' });
  const offer = (claims: StreamingClaims | undefined, address?: string) => security.secureStreamingOffer(cid, claims, { address });
  const [ann, bob] = [await claimsOf(security, { userId: 'ann' }), await claimsOf(security, { userId: 'bob' })];
  for (const [claims, ...addresses] of [[ann, '192.0.2.1', '192.0.2.2', '192.0.2.3'], [undefined, '2001:db8::1', '2001:db8::2', '2001:db8::3'], [undefined, undefined, undefined, undefined]] as const) {
    const [first, second, third] = addresses;
    await offer(claims, first);
    await offer(claims, second);
    await expect(offer(claims, third), String(first)).rejects.toThrow(code('rate.exceeded'));
  }
  expect(await offer(bob, '192.0.2.1')).toEqual({ cid, level: 'public' });
  expect(await offer(undefined, '2001:db8:0:1::1')).toEqual({ cid, level: 'public' });
});

test('every change of a policy gives frames a new key, and of a thousand contents at once the oldest', async () => {
  const { security } = manager({ rateLimits: { streaming: { limit: 10_000, period: 1 } } });
  const policy = { level: 'encrypted', allowedUsers: ['ann'] } as const;
  const ann = await claimsOf(security, { userId: 'ann' });
  const keyOf = async (content: string): Promise<string> => (await security.secureStreamingOffer(content, ann)).frames?.baseKey ?? 'none';
  for (const content of [cid, other]) await security.setContentPolicy(content, policy);
  const [first, unchanged] = [await keyOf(cid), await keyOf(other)];
  await security.setContentPolicy(cid, policy);
  const second = await keyOf(cid);
  expect([second === first, await keyOf(cid) === second, await keyOf(other) === unchanged]).toEqual([false, true, true]);
  for (let content = 0; content < 998; content += 1) security.secureFrame({ cid: contentId(rawCodec, randomBytes(32)).cid, data: Buffer.alloc(1) });
  expect([await keyOf(cid) === second, await keyOf(other) === unchanged], 'a thousand').toEqual([true, true]);
  security.secureFrame({ cid: contentId(rawCodec, randomBytes(32)).cid, data: Buffer.alloc(1) });
  expect([await keyOf(cid) === second, await keyOf(other) === unchanged], 'the other was there before its policy changed').toEqual([true, false]);
});

test('who loses the right while an offer is made gets no offer, and above all not the key of after', async () => {
  const stores = memoryStores();
  let gate = Promise.resolve();
  let asked = (): void => undefined;
  const security = new StreamingSecurityManager({ secretKey, stores: { policies: {
    setPolicy: (...given) => stores.policies.setPolicy(...given),
    holdingsOf: async (of) => { const found = await stores.policies.holdingsOf(of); asked(); await gate; return found; },
  } } });
  const [bob, eve] = [await claimsOf(security, { userId: 'bob' }), await claimsOf(security, { userId: 'eve' })];
  const endings = [() => security.setContentPolicy(cid, { level: 'encrypted', allowedUsers: ['eve'] }), () => security.revokeToken(bob.tokenId)];
  for (const end of endings) {
    await security.setContentPolicy(cid, { level: 'encrypted', allowedUsers: ['bob', 'eve'] });
    const [{ promise, resolve }, reached] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    [gate, asked] = [promise, reached.resolve];
    const offer = security.secureStreamingOffer(cid, bob);
    await reached.promise;
    await end();
    resolve();
    await expect(offer).rejects.toThrow(code('policy.refused'));
    expect((await security.secureStreamingOffer(cid, eve)).frames).toBeDefined();
  }
});

// Refusals

test('what was refused is written with who, from where, what and why, within a second and without being asked to', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const audit = new MemoryAudit(() => startMs);
    const { security, time } = manager({ stores: { audit }, cookieName: 'session', rateLimits: { signaling: { limit: 1, period: 3_600 }, auth_failures: { limit: 100, period: 60 } } });
    await security.setContentPolicy(cid, { level: 'private' });
    const [ann, short] = [await claimsOf(security, { userId: 'ann' }), await security.createToken({ userId: 'ann', expiresInSeconds: 1 })];
    const authorization = `Bearer ${await security.createToken({ userId: 'ann' })}`;
    await security.checkContentAccess(cid, ann, { address: '2001:db8:1:2:3:4:5:6' });
    await security.checkContentAccess(cid, undefined);
    await security.authenticateWebSocket(upgrade({ authorization }));
    await expect(security.authenticateWebSocket(upgrade({ authorization }))).rejects.toThrow(code('rate.exceeded'));
    await expect(security.authenticateWebSocket(upgrade({}))).rejects.toThrow(code('identity.required'));
    await expect(security.authenticateWebSocket(upgrade({ origin: 'https://evil.test' }))).rejects.toThrow(code('origin.refused'));
    await expect(security.authenticateWebSocket(upgrade({ authorization: 'Basic x' }))).rejects.toThrow(code('identity.required'));
    time.nowMs += 1_000;
    for (let attempt = 0; attempt < 2; attempt += 1) await expect(security.authenticateWebSocket(upgrade({ authorization: `Bearer ${short}` }))).rejects.toThrow(code('identity.required'));
    await vi.advanceTimersByTimeAsync(999);
    expect(audit.events).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    const content = `content:${digest.toString('hex')}`;
    const event = { class: 'C', principal: '', address: '192.0.2.1', action: 'request', object: '', decision: 'refused', requestId: '', count: 1 };
    const plain = ({ id: _id, writer: _writer, sequence: _sequence, atMs: _at, previousHash: _previous, hash: _hash, ...rest }: AuditEvent): object => rest;
    expect(audit.events.map(plain)).toEqual([
      { ...event, principal: 'ann', address: '2001:db8:1:2::/64', action: 'content.read', object: content, reason: 'who' },
      { ...event, address: '', action: 'content.read', object: content, reason: 'authentication' },
      { ...event, principal: 'ann', action: 'socket', reason: 'rate limit' },
      { ...event, reason: 'no token' },
      { ...event, reason: 'origin.refused' },
      { ...event, reason: 'authorization header' },
      { ...event, reason: 'token expired', count: 2 },
    ]);
    await security.checkContentAccess(cid, ann);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(audit.events, 'and again').toHaveLength(8);
    await security.checkContentAccess(cid, ann);
    await security[Symbol.asyncDispose]();
    expect([audit.events.length, vi.getTimerCount()], 'nothing is left to be written at the end').toEqual([9, 0]);
  } finally {
    vi.useRealTimers();
  }
});

test('an opening that is logged says what it is told, and nothing else', async () => {
  const audit = new MemoryAudit(() => startMs);
  const { security } = manager({ stores: { audit } });
  await security.logStreamingAccess({ cid, accessType: 'stream.open' });
  await security.logStreamingAccess({ cid, accessType: 'stream.open', claims: await claimsOf(security, { userId: 'ann' }), address: '192.0.2.1', reason: 'grant', requestId: 'r1' });
  const event = { class: 'B', action: 'stream.open', object: `content:${digest.toString('hex')}`, decision: 'allowed', count: 1 };
  expect(audit.events).toMatchObject([{ ...event, principal: '', address: '', reason: 'allowed', requestId: '' }, { ...event, principal: 'ann', address: '192.0.2.1', reason: 'grant', requestId: 'r1' }]);
});

test('an audit trail that can not be written is told, and refuses nobody more', async () => {
  const stores = { audit: { append: async () => { throw new Error('the disk is full'); } } };
  const errors: unknown[] = [];
  const { security } = manager({ stores, onError: (error) => errors.push(error) });
  expect(await security.checkContentAccess(cid, undefined)).toEqual({ allowed: false, reason: 'no policy' });
  await security[Symbol.asyncDispose]();
  expect(errors).toEqual([expect.objectContaining({ message: 'the disk is full' })]);
  const { security: plain } = manager({ stores });
  await plain.checkContentAccess(cid, undefined);
  const warned = once(process, 'warning') as Promise<[Error]>;
  await plain[Symbol.asyncDispose]();
  expect((await warned)[0]).toMatchObject({ name: 'WeirStreamingSecurity', message: expect.stringContaining('the disk is full') });
});

test('at its end all that was refused has been written, also what was being written', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const written: string[] = [];
    const { security } = manager({ stores: { audit: { append: async ({ action }) => { if (action === 'content.read') await wait(50); written.push(action); } } } });
    await security.checkContentAccess(cid, undefined);
    vi.advanceTimersByTime(1_000);
    await expect(security.authenticateWebSocket(upgrade({}))).rejects.toThrow(code('identity.required'));
    expect(written, 'it is being written').toEqual([]);
    await security[Symbol.asyncDispose]();
    expect(written).toEqual(['content.read', 'request']);
  } finally {
    vi.useRealTimers();
  }
});

test('after its end nothing is watched any more', async () => {
  const stores = memoryStores();
  const [ended, other] = [new StreamingSecurityManager({ secretKey, stores }), new StreamingSecurityManager({ secretKey, stores })];
  const told: string[] = [];
  const ann = await claimsOf(ended, { userId: 'ann' });
  ended.watch(ann, (reason) => { told.push(reason); });
  await wait(20);
  await ended[Symbol.asyncDispose]();
  await other.revokeToken(ann.tokenId);
  await wait(350);
  expect(told).toEqual([]);
});

test('a condition of a policy that is spelled otherwise is refused, and opens nothing', async () => {
  const { security } = manager();
  const claims = await claimsOf(security, { userId: 'eve' });
  for (const strange of [{ allowed_users: ['ann'] }, { alowedUsers: ['ann'] }, { required_permissions: ['view_audit'] }, { valid_until: new Date(startMs) }]) {
    await expect(security.setContentPolicy(cid, Object.assign({ level: 'protected' as const }, strange)), JSON.stringify(strange)).rejects.toThrow('allowedUsers');
    expect(await security.checkContentAccess(cid, claims)).toMatchObject({ allowed: false, reason: 'no policy' });
  }
});

test('an option that is spelled otherwise is refused, and the way of a configuration is named', () => {
  for (const strange of ['token_expiry_seconds', 'allowed_origins', 'tokenExpirySecond']) {
    expect(() => new StreamingSecurityManager(Object.assign({ secretKey }, { [strange]: 60 })), strange).toThrow('fromSeedConfig');
  }
});
