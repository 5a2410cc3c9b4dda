/** Who may use which content: shares and content keys beside policies, what is open by them, and what a refusal is called in the audit. */
import { setTimeout as wait } from 'node:timers/promises';
import { newUlid } from '@weir/contracts/clock';
import { expect, test } from 'vitest';
import { MemoryAudit, memoryStores } from '../src/memory-stores.ts';
import { everywhere } from '../src/networks.ts';
import type { PrincipalRecord } from '../src/principals.ts';
import { builtinRoles } from '../src/roles.ts';
import { StreamingSecurityManager } from '../src/streaming-security-manager.ts';
import type { StreamingStores } from '../src/streaming-stores.ts';
import type { StreamingClaims, TokenOrder } from '../src/streaming-tokens.ts';
import { cid, code, digest, other, secretKey, startMs } from './small-content.ts';

const record = (id: string, more: Partial<PrincipalRecord> = {}): PrincipalRecord =>
  ({ id, kind: 'user', role: 'user', rights: builtinRoles.get('user')?.permissions ?? new Set(), scope: everywhere, disabled: false, tokensValidFromMs: 0, maxSkewSeconds: 30, keys: [], ...more });

/** A manager whose clock stands until it is moved; with a directory where a test names principals. */
function manager(more: (stores: StreamingStores) => Partial<StreamingStores> = () => ({}), records?: readonly PrincipalRecord[]) {
  const time = { nowMs: startMs };
  const clock = (): number => time.nowMs;
  const directory = new Map((records ?? []).map((one) => [one.id, one]));
  const base = { ...memoryStores(clock), ...(records === undefined ? {} : { principals: { principal: async (id: string) => directory.get(id) } }) };
  const stores = { ...base, ...more(base) };
  return { security: new StreamingSecurityManager({ secretKey, clock, stores }), stores, time, directory };
}

async function claimsOf(security: StreamingSecurityManager, order: TokenOrder): Promise<StreamingClaims> {
  const check = await security.verifyToken(await security.createToken(order));
  if (!check.valid) throw new Error(check.reason);
  return check.claims;
}

const claimsIn = (token: string): Record<string, unknown> => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as Record<string, unknown>;
const grantId = (key: string): string => String(claimsIn(key)['jti']);

// Policies

test('a policy that makes no sense is refused with what is wrong in it, and changes nothing', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'public' });
  const message = (text: string) => expect.objectContaining({ code: 'request.invalid', message: expect.stringContaining(text) });
  await expect(security.setContentPolicy(cid, { level: 'private', allowedUsers: ['Ann'], networks: ['everywhere'] })).rejects.toThrow(message('allowed_users.0 '));
  await expect(security.setContentPolicy(cid, { level: 'private', allowedUsers: ['Ann'], networks: ['everywhere'] })).rejects.toThrow(message('networks.0 '));
  await expect(security.setContentPolicy(cid, { level: 'private', maxConcurrentPerPrincipal: 0 })).rejects.toThrow(message('max_concurrent_per_principal'));
  expect(await security.checkContentAccess(cid, undefined)).toEqual({ allowed: true, reason: 'public', level: 'public' });
});

test('whoever may read any content does, where somebody holds it, and each time is an event of the audit', async () => {
  const audit = new MemoryAudit();
  const { security } = manager(() => ({ audit }));
  const eve = await claimsOf(security, { userId: 'eve', role: 'none', permissions: ['read_any_content'] });
  expect(await security.checkContentAccess(cid, eve)).toEqual({ allowed: false, reason: 'no policy' });
  await security.setContentPolicy(cid, { level: 'encrypted', owner: 'ann' });
  for (let time = 0; time < 2; time += 1) expect(await security.checkContentAccess(cid, eve, { address: '192.0.2.1' })).toEqual({ allowed: true, reason: 'read_any_content', level: 'encrypted' });
  expect(audit.events).toMatchObject(Array.from({ length: 2 }, () => (
    { class: 'B', principal: 'eve', address: '192.0.2.1', action: 'content.read_any', object: `content:${digest.toString('hex')}`, decision: 'allowed', count: 1 })));
  expect(await security.checkContentAccess(cid, await claimsOf(security, { userId: 'bob', role: 'none', permissions: ['read_content'] }))).toEqual({ allowed: false, reason: 'who' });
  await security.setContentPolicy(cid, { level: 'private', owner: 'eve' });
  expect(await security.checkContentAccess(cid, eve), 'not used where it is not needed').toMatchObject({ allowed: true, reason: 'owner' });
  expect(audit.events).toHaveLength(2);
});

test('a holding without a policy is its owner’s alone, and private', async () => {
  const { security } = manager(() => ({ policies: { holdingsOf: async () => [{ id: 'h', owner: 'ann', policy: undefined, ceilings: [] }], setPolicy: async () => undefined } }));
  expect(await security.checkContentAccess(cid, await claimsOf(security, { userId: 'ann' }))).toEqual({ allowed: true, reason: 'owner', level: 'private' });
  expect(await security.checkContentAccess(cid, await claimsOf(security, { userId: 'bob' }))).toEqual({ allowed: false, reason: 'who' });
  expect(await security.checkContentAccess(cid, undefined)).toEqual({ allowed: false, reason: 'authentication' });
});

// Shares

test('cid_access counts as long as its issuer may share', async () => {
  const { security, directory } = manager(undefined, [record('ann'), record('guest', { role: 'viewer' })]);
  await security.setContentPolicy(cid, { level: 'private', owner: 'ann' });
  const guest = await claimsOf(security, { userId: 'guest', role: 'none', cidAccess: [cid], issuer: 'ann' });
  const allowed = async (): Promise<boolean> => (await security.checkContentAccess(cid, guest)).allowed;
  expect(await allowed()).toBe(true);
  for (const [name, now] of [['disabled', { disabled: true }], ['without the right to share', { rights: new Set(['read_content']) }]] as const) {
    directory.set('ann', record('ann', now));
    expect(await allowed(), name).toBe(false);
    directory.set('ann', record('ann'));
    expect(await allowed(), `not ${name} any more`).toBe(true);
  }
  directory.delete('ann');
  expect(await allowed(), 'gone').toBe(false);
});

test('what the application itself shares needs nobody in the directory', async () => {
  const { security } = manager(undefined, [record('guest')]);
  await security.setContentPolicy(cid, { level: 'private' });
  expect(await security.checkContentAccess(cid, await claimsOf(security, { userId: 'guest', cidAccess: [cid] }))).toMatchObject({ allowed: true, reason: 'grant' });
  const key = await security.generateContentKey(cid);
  expect(await security.verifyContentKey(key, cid)).toMatchObject({ allowed: true, reason: 'grant' });
});

test('cid_access of a token that was not issued here shares nothing', async () => {
  const { security } = manager();
  const token = await manager().security.createToken({ userId: 'guest', cidAccess: [cid] });
  await security.setContentPolicy(cid, { level: 'private' });
  const check = await security.verifyToken(token);
  expect(check).toMatchObject({ valid: true, claims: { cidAccess: [cid] } });
  if (check.valid) expect((await security.checkContentAccess(cid, check.claims)).allowed).toBe(false);
});

// Content keys

test('a content key is a grant of whose content it is, to read it, in its networks and its time', async () => {
  const { security, stores, time } = manager();
  await security.setContentPolicy(cid, { level: 'private', owner: 'ann' });
  await expect(security.generateContentKey(cid), 'the application holds none').rejects.toThrow(code('object.absent'));
  const key = await security.generateContentKey(cid, { owner: 'ann', userId: 'bob', networks: ['192.0.2.0/24'], expiresInSeconds: 60, uses: 3 });
  const [holding] = await stores.policies.holdingsOf(digest.toString('hex'));
  expect(claimsIn(key)).toMatchObject({ sub: 'bob', object: `holding:${holding?.id}`, verbs: ['read'], iat: startMs / 1_000, nbf: startMs / 1_000, exp: startMs / 1_000 + 60 });
  expect(JSON.parse(Buffer.from(key.split('.')[0] ?? '', 'base64url').toString('utf8'))).toMatchObject({ kid: 'grant-secret', typ: 'weir-grant+jwt' });
  expect(await stores.grants.grant(grantId(key))).toMatchObject({
    issuer: 'ann', holding: holding?.id, verbs: ['read'], principal: 'bob', validFromMs: startMs, expiresAtMs: startMs + 60_000, usesLeft: 3, revoked: false,
  });
  expect(claimsIn(await security.generateContentKey(cid, { owner: 'ann' }))).toMatchObject({ sub: 'anyone', exp: startMs / 1_000 + 3_600 });
  const bob = await claimsOf(security, { userId: 'bob' });
  const decide = async (caller: Parameters<StreamingSecurityManager['verifyContentKey']>[2]) => security.verifyContentKey(key, cid, caller);
  expect(await decide({ claims: bob, address: '192.0.2.9' })).toEqual({ allowed: true, reason: 'grant', level: 'private' });
  for (const caller of [{ claims: bob, address: '198.51.100.1' }, { claims: bob }]) expect(await decide(caller)).toEqual({ allowed: false, reason: 'network' });
  for (const caller of [{ address: '192.0.2.9' }, { address: '192.0.2.9', claims: await claimsOf(security, { userId: 'eve' }) }]) expect(await decide(caller)).toEqual({ allowed: false, reason: 'who' });
  time.nowMs += 60_000;
  expect(await decide({ address: '192.0.2.9' })).toEqual({ allowed: false, reason: 'expired' });
});

test('a content key that holds anywhere is asked for no address', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'private' });
  expect((await security.verifyContentKey(await security.generateContentKey(cid), cid)).allowed).toBe(true);
});

test('a content key opens what its owner holds, and nothing that others hold of the same content', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'private', owner: 'ann' });
  await security.setContentPolicy(cid, { level: 'encrypted', owner: 'bob' });
  expect(await security.verifyContentKey(await security.generateContentKey(cid, { owner: 'bob' }), cid)).toMatchObject({ allowed: true, level: 'encrypted' });
  const key = await security.generateContentKey(cid, { owner: 'ann' });
  expect(await security.verifyContentKey(key, cid)).toMatchObject({ allowed: true, level: 'private' });
  await security.setContentPolicy(cid, { level: 'private', owner: 'ann', networks: ['192.0.2.0/24'] });
  expect((await security.verifyContentKey(key, cid)).allowed).toBe(false);
});

test('a content key ends with the right of its issuer to share, and comes back with it', async () => {
  const { security, directory } = manager(undefined, [record('ann')]);
  await security.setContentPolicy(cid, { level: 'private', owner: 'ann' });
  const key = await security.generateContentKey(cid, { owner: 'ann' });
  expect(await security.verifyContentKey(key, cid)).toMatchObject({ allowed: true });
  directory.set('ann', record('ann', { rights: new Set() }));
  expect(await security.verifyContentKey(key, cid)).toEqual({ allowed: false, reason: 'issuer' });
  directory.set('ann', record('ann'));
  expect(await security.verifyContentKey(key, cid)).toMatchObject({ allowed: true });
});

test('a use is counted when a key was needed and opened something, and not otherwise', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'public' });
  const key = await security.generateContentKey(cid, { uses: 1 });
  const open = async () => security.verifyContentKey(key, cid, { address: '192.0.2.1' });
  expect(await open()).toEqual({ allowed: true, reason: 'public', level: 'public' });
  await security.setContentPolicy(cid, { level: 'private', networks: ['198.51.100.0/24'] });
  expect(await open()).toEqual({ allowed: false, reason: 'network' });
  await security.setContentPolicy(cid, { level: 'private' });
  expect(await open()).toMatchObject({ allowed: true, reason: 'grant' });
  expect(await open()).toEqual({ allowed: false, reason: 'used up' });
});

test('a key of which two openings race opens once', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'private' });
  const key = await security.generateContentKey(cid, { uses: 3 });
  const verdicts = await Promise.all(Array.from({ length: 9 }, () => security.verifyContentKey(key, cid)));
  expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(3);
});

test('what the store says of a grant counts beside what the key says', async () => {
  const { security, stores, time } = manager();
  await security.setContentPolicy(cid, { level: 'private' });
  const key = await security.generateContentKey(cid);
  const grant = await stores.grants.grant(grantId(key));
  if (grant === undefined) throw new Error('no grant');
  await stores.grants.addGrant({ ...grant, networks: [], expiresAtMs: startMs + 10_000 });
  expect((await security.verifyContentKey(key, cid)).allowed).toBe(true);
  time.nowMs += 10_000;
  expect(await security.verifyContentKey(key, cid)).toEqual({ allowed: false, reason: 'revoked' });
  // A key that another node made, of a grant that the store does not know: revoked for good.
  expect(await manager().security.verifyContentKey(key, cid)).toEqual({ allowed: false, reason: 'revoked' });
  const narrowed = manager(({ grants }) => ({ grants: {
    addGrant: (given) => grants.addGrant(given), useGrant: (id) => grants.useGrant(id), revokeGrant: (id) => grants.revokeGrant(id),
    grant: async (id) => { const found = await grants.grant(id); return found === undefined ? undefined : { ...found, parent: newUlid() }; },
  } })).security;
  await narrowed.setContentPolicy(cid, { level: 'private' });
  expect(await narrowed.verifyContentKey(await narrowed.generateContentKey(cid), cid)).toEqual({ allowed: false, reason: 'narrowed' });
});

test('a revoked content key is refused under that name, and what is none can not be revoked', async () => {
  const { security, time } = manager();
  await security.setContentPolicy(cid, { level: 'private' });
  const key = await security.generateContentKey(cid);
  await security.revokeContentKey(key);
  expect(await security.verifyContentKey(key, cid)).toEqual({ allowed: false, reason: 'revoked' });
  for (const none of ['', 'a.b.c', await security.createToken({ userId: 'ann' })]) await expect(security.revokeContentKey(none)).rejects.toThrow(code('request.invalid'));
  time.nowMs += 3_600_000;
  await expect(security.revokeContentKey(key), 'expired').rejects.toThrow(code('request.invalid'));
});

test('what no content key is made of is named', async () => {
  const { security } = manager();
  await security.setContentPolicy(cid, { level: 'private' });
  const message = (text: string) => expect.objectContaining({ code: 'request.invalid', message: expect.stringContaining(text) });
  await expect(security.generateContentKey(cid, { uses: 0, networks: ['everywhere'] })).rejects.toThrow(message('uses: '));
  await expect(security.generateContentKey(cid, { uses: 0, networks: ['everywhere'] })).rejects.toThrow(message('networks.0: '));
});

// What is open

test('a content key does not raise how much one user may have open', async () => {
  await using security = new StreamingSecurityManager({ secretKey });
  await security.setContentPolicy(cid, { level: 'protected', maxConcurrentPerPrincipal: 1 });
  const [ann, key] = [await claimsOf(security, { userId: 'ann' }), await security.generateContentKey(cid, { uses: 1 })];
  const opened = security.watch(ann, () => undefined, { cid });
  expect(await security.verifyContentKey(key, cid, { claims: ann })).toEqual({ allowed: false, reason: 'concurrency' });
  opened[Symbol.dispose]();
  expect(await security.verifyContentKey(key, cid, { claims: ann })).toMatchObject({ allowed: true, reason: 'grant' });
});

test('each opening counts until it is closed, once; an opening of something else, or of nothing, does not', async () => {
  await using security = new StreamingSecurityManager({ secretKey });
  for (const content of [cid, other]) await security.setContentPolicy(content, { level: 'protected', maxConcurrentPerPrincipal: 2 });
  const ann = await claimsOf(security, { userId: 'ann' });
  const allowed = async (): Promise<boolean> => (await security.checkContentAccess(cid, ann)).allowed;
  security.watch(ann, () => undefined);
  security.watch(ann, () => undefined, { cid: other });
  const first = security.watch(ann, () => undefined, { cid });
  expect(await allowed()).toBe(true);
  const second = security.watch(ann, () => undefined, { cid });
  expect(await allowed()).toBe(false);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  expect(await allowed()).toBe(true);
  const third = security.watch(ann, () => undefined, { cid });
  expect(await allowed(), 'closed twice is closed once').toBe(false);
  second[Symbol.dispose]();
  third[Symbol.dispose]();
  security.watch(ann, () => undefined, { cid });
  expect(await allowed()).toBe(true);
});

test('openings of callers without a token count together, apart from those of users', async () => {
  await using security = new StreamingSecurityManager({ secretKey });
  await security.setContentPolicy(cid, { level: 'public', maxConcurrentPerPrincipal: 1 });
  const ann = await claimsOf(security, { userId: 'ann' });
  using _opened = security.watch(undefined, () => undefined, { cid });
  expect(await security.checkContentAccess(cid, undefined)).toEqual({ allowed: false, reason: 'concurrency' });
  expect((await security.checkContentAccess(cid, ann)).allowed).toBe(true);
});

/** Rights that are watched, how often each was asked about, and what was told. */
async function watching() {
  const asked: string[] = [];
  const base = memoryStores();
  const { tokens } = base;
  const security = new StreamingSecurityManager({ secretKey, stores: { ...base, tokens: {
    issued: (token) => tokens.issued(token), issuerOf: (jti) => tokens.issuerOf(jti), isRevoked: (jti) => { asked.push(jti); return tokens.isRevoked(jti); },
    revoke: (jti, endMs) => tokens.revoke(jti, endMs), validFromMs: (user) => tokens.validFromMs(user), endAll: (user, fromMs) => tokens.endAll(user, fromMs),
  } } });
  const told: string[] = [];
  await security.setContentPolicy(cid, { level: 'protected', maxConcurrentPerPrincipal: 1 });
  /** Until what was just watched has been asked about. */
  const settled = async (count = 1): Promise<void> => {
    await expect.poll(() => asked.length).toBeGreaterThanOrEqual(count);
    await wait(10);
    asked.length = 0;
  };
  return { security, asked, told, settled, ends: (name: string) => (reason: string) => { told.push(`${name}: ${reason}`); }, async [Symbol.asyncDispose]() { await security[Symbol.asyncDispose](); } };
}

test('what is open is asked about when its own token, its user or a policy moves, and not when another’s does', async () => {
  await using it = await watching();
  const [ann, bob, eve] = [await claimsOf(it.security, { userId: 'ann' }), await claimsOf(it.security, { userId: 'bob' }), await claimsOf(it.security, { userId: 'eve' })];
  it.security.watch(ann, it.ends('ann'));
  it.security.watch(bob, it.ends('bob'), { cid });
  it.security.watch(undefined, it.ends('nobody'));
  await it.settled(2);
  await it.security.revokeToken(eve.tokenId);
  await it.security.revokeAllUserTokens('eve');
  await it.security.setContentPolicy(other, { level: 'private' });
  await it.security.revokeContentKey(await it.security.generateContentKey(cid));
  await wait(30);
  await expect.poll(() => it.asked, { message: 'bob, because of the policy: it may be of the content that he has open' }).toEqual([bob.tokenId]);
  await it.security.revokeToken(ann.tokenId);
  await expect.poll(() => it.told).toEqual(['ann: revoked']);
  await it.security.revokeAllUserTokens('bob');
  await expect.poll(() => it.told.at(-1)).toBe('bob: all tokens of the user were ended');
  expect(it.told).toHaveLength(2);
});

test('what has ended is not open any more: its place is free before whoever opened it is told', async () => {
  await using it = await watching();
  const ann = async () => claimsOf(it.security, { userId: 'ann' });
  const [first, next] = [await ann(), await ann()];
  let free: Promise<boolean> | undefined;
  it.security.watch(first, () => { free = it.security.checkContentAccess(cid, next).then(({ allowed }) => allowed); }, { cid });
  await it.settled();
  expect((await it.security.checkContentAccess(cid, next)).reason).toBe('concurrency');
  await it.security.revokeToken(first.tokenId);
  await expect.poll(() => free).toBe(true);
});

test('an opening is not in its own way, however many others there are of it', async () => {
  await using it = await watching();
  const ann = await claimsOf(it.security, { userId: 'ann' });
  it.security.watch(ann, it.ends('ann'), { cid });
  await it.settled();
  await it.security.setContentPolicy(cid, { level: 'protected', maxConcurrentPerPrincipal: 1, validUntil: new Date(Date.now() + 60_000) });
  await it.settled();
  expect(it.told).toEqual([]);
  await it.security.setContentPolicy(cid, { level: 'private' });
  await expect.poll(() => it.told).toEqual(['ann: who']);
});

test('what callers without a token have open ends with the policy that let them in', async () => {
  await using it = await watching();
  await it.security.setContentPolicy(cid, { level: 'public' });
  it.security.watch(undefined, it.ends('nobody'), { cid });
  await it.security.setContentPolicy(cid, { level: 'protected' });
  await expect.poll(() => it.told).toEqual(['nobody: authentication']);
});
