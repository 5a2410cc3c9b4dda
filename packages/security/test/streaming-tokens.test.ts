/** Tokens beside a directory of principals: a token only narrows what its user may do now, and is worth nothing once its user is. */
import { hash, randomBytes } from 'node:crypto';
import { Policy } from '@weir/contracts/policies';
import { expect, test } from 'vitest';
import { contentId, parseCid, rawCodec } from '../src/content-id.ts';
import { KeyRing } from '../src/key-ring.ts';
import { newMasterKey } from '../src/master-keys.ts';
import { memoryStores } from '../src/memory-stores.ts';
import { compileNetworks, everywhere } from '../src/networks.ts';
import type { PrincipalRecord } from '../src/principals.ts';
import { builtinRoles } from '../src/roles.ts';
import { StreamingSecurityManager } from '../src/streaming-security-manager.ts';
import type { StreamingSecurityOptions } from '../src/streaming-options.ts';
import type { StreamingClaims, TokenOrder } from '../src/streaming-tokens.ts';
import { newTokenKey, sharedSecretKey, type TokenKey } from '../src/token-keys.ts';
import { signToken } from '../src/tokens.ts';

const secretKey = randomBytes(48).toString('base64');
const { cid } = contentId(rawCodec, randomBytes(32));
const startMs = Date.parse('2026-01-01T00:00:00.400Z');
const code = (name: string) => expect.objectContaining({ code: name });

const rightsOf = (role: string): ReadonlySet<string> => builtinRoles.get(role)?.permissions ?? new Set();
const record = (id: string, more: Partial<PrincipalRecord> = {}): PrincipalRecord =>
  ({ id, kind: 'user', role: 'user', rights: rightsOf(more.role ?? 'user'), scope: everywhere, disabled: false, tokensValidFromMs: 0, maxSkewSeconds: 30, keys: [], ...more });

/** A manager whose clock stands until it is moved, and whose directory a test changes. */
function manager(records: readonly PrincipalRecord[] | undefined, options: Partial<StreamingSecurityOptions> = {}) {
  const time = { nowMs: startMs };
  const clock = (): number => time.nowMs;
  const directory = new Map((records ?? []).map((one) => [one.id, one]));
  const principals = records === undefined ? {} : { principals: { principal: async (id: string) => directory.get(id) } };
  const stores = { ...memoryStores(clock), ...principals };
  const security = new StreamingSecurityManager({ ...(options.keyRing === undefined ? { secretKey } : {}), clock, stores, ...options });
  const set = (id: string, more: Partial<PrincipalRecord>): void => { directory.set(id, record(id, more)); };
  return { security, stores, time, directory, set };
}

const underRing = (): Partial<StreamingSecurityOptions> => ({ keyRing: new KeyRing({ current: 'one', keys: [newMasterKey('one')] }) });

async function claimsOf(security: StreamingSecurityManager, order: TokenOrder): Promise<StreamingClaims> {
  const check = await security.verifyToken(await security.createToken(order));
  if (!check.valid) throw new Error(check.reason);
  return check.claims;
}

// Making

test('with a directory a token is made for its principals alone, and carries no more than they have', async () => {
  const { security } = manager([record('ann'), record('vic', { role: 'viewer' }), record('kim', { rights: new Set([...rightsOf('user'), 'watch_reports']) })]);
  await expect(security.createToken({ userId: 'nobody' })).rejects.toThrow(code('principal.absent'));
  await expect(security.createToken({ userId: 'ann', role: 'curator' }), 'a role that nobody defined').rejects.toThrow(code('role.unknown'));
  await expect(security.createToken({ userId: 'vic', role: 'user' }), 'its role').rejects.toThrow(code('role.exceeds'));
  await expect(security.createToken({ userId: 'ann', permissions: ['read_content', 'watch_reports'] }), 'a permission').rejects.toThrow(expect.objectContaining({ code: 'role.exceeds', message: expect.stringMatching(/"ann".*watch_reports/) }));
  expect((await claimsOf(security, { userId: 'vic', role: 'viewer' })).permissions.toSorted()).toEqual([...rightsOf('viewer')].toSorted());
  expect((await claimsOf(security, { userId: 'ann', role: 'client', permissions: ['read_content'] })).permissions).toEqual(['read_content']);
  // The permission is its own, and what its role does not have a token that names the role leaves out.
  expect((await claimsOf(security, { userId: 'kim', role: 'user', permissions: ['read_content', 'watch_reports'] })).permissions).toEqual(['read_content']);
});

test('what no token is made of is named', async () => {
  const { security } = manager(undefined);
  const message = (text: string) => expect.objectContaining({ code: 'request.invalid', message: expect.stringContaining(text) });
  await expect(security.createToken({ userId: 'Ann', expiresInSeconds: 0 })).rejects.toThrow(message('userId: '));
  await expect(security.createToken({ userId: 'Ann', expiresInSeconds: 0 })).rejects.toThrow(message('expiresInSeconds: '));
  await expect(security.createToken({ userId: 'ann', permissions: ['READ'] })).rejects.toThrow(message('permissions.0: '));
});

test('a token says when it was made and when it ends; its issuer and its contents are kept, and it names none when it shares none', async () => {
  const { security, stores } = manager(undefined);
  const token = await security.createToken({ userId: 'ann', expiresInSeconds: 60, cidAccess: [cid], issuer: 'bob' });
  const iat = Math.floor(startMs / 1_000);
  const check = await security.verifyToken(token);
  expect(check).toMatchObject({ valid: true, claims: { issuedAtMs: iat * 1_000, expiresAtMs: (iat + 60) * 1_000, cidAccess: [cid] } });
  const payload = (of: string): unknown => JSON.parse(Buffer.from(of.split('.')[1] ?? '', 'base64url').toString('utf8'));
  expect(payload(token)).toMatchObject({ iat, nbf: iat, exp: iat + 60, cid_access: [cid] });
  expect(payload(await security.createToken({ userId: 'ann' }))).not.toHaveProperty('cid_access');
  if (check.valid) expect(await stores.tokens.issuerOf(check.claims.tokenId)).toBe('bob');
});

test('the memory of who issued a token lasts as long as the token', async () => {
  const { security, stores, time } = manager(undefined, {});
  const small = memoryStores(() => time.nowMs, { tokens: 2 });
  const held = new StreamingSecurityManager({ secretKey, clock: () => time.nowMs, stores: { ...stores, tokens: small.tokens } });
  const long = await claimsOf(held, { userId: 'ann', expiresInSeconds: 600 });
  const short = await claimsOf(held, { userId: 'ann', expiresInSeconds: 1 });
  time.nowMs += 2_000;
  const more = await claimsOf(held, { userId: 'ann' });
  expect([await small.tokens.issuerOf(long.tokenId), await small.tokens.issuerOf(short.tokenId), await small.tokens.issuerOf(more.tokenId)]).toEqual(['', undefined, '']);
  await security[Symbol.asyncDispose]();
});

// Ending

test('all tokens of a user are ended twice within one second: those that were made between are ended too, and new ones work at once', async () => {
  const { security } = manager(undefined);
  const made: string[] = [];
  for (let round = 0; round < 10; round += 1) {
    made.push(await security.createToken({ userId: 'ann' }), await security.createToken({ userId: 'ann', expiresInSeconds: 20 }));
    for (const token of made.slice(-2)) expect(await security.verifyToken(token)).toMatchObject({ valid: true });
    await security.revokeAllUserTokens('ann');
    for (const token of made) expect(await security.verifyToken(token)).toMatchObject({ valid: false, reason: 'all tokens of the user were ended' });
  }
  expect((await security.verifyToken(await security.createToken({ userId: 'bob' }))).valid).toBe(true);
});

test('where no more revocations fit, a token that was made after an earlier end is not revived', async () => {
  const { time } = manager(undefined);
  const clock = (): number => time.nowMs;
  const security = new StreamingSecurityManager({ secretKey, clock, stores: memoryStores(clock, { tokens: 2 }) });
  await security.revokeAllUserTokens('ann');
  const tokens = await Promise.all(Array.from({ length: 9 }, () => security.createToken({ userId: 'ann' })));
  for (const [index, token] of tokens.entries()) {
    await security.revokeToken(token);
    for (const gone of tokens.slice(0, index + 1)) expect((await security.verifyToken(gone)).valid).toBe(false);
  }
});

test('a token is revoked by its id for as long as any token can last, unseen', async () => {
  const { security, time } = manager(undefined);
  const claims = await claimsOf(security, { userId: 'ann', expiresInSeconds: 31_536_000 });
  const clock = (): number => time.nowMs;
  const small = memoryStores(clock, { tokens: 1 });
  const elsewhere = new StreamingSecurityManager({ secretKey, clock, stores: small });
  await elsewhere.revokeToken(claims.tokenId);
  time.nowMs += 31_000_000_000;
  await elsewhere.revokeToken('another');
  // No revocation had ended, so that no room was made by forgetting one.
  expect(await small.tokens.validFromMs('ann')).toBeGreaterThan(claims.issuedAtMs);
});

test('an expired token is as good as revoked; one of somebody else is refused', async () => {
  const { security, time, stores } = manager(undefined);
  const token = await security.createToken({ userId: 'ann', expiresInSeconds: 1 });
  time.nowMs += 1_000;
  await expect(security.revokeToken(token)).resolves.toBeUndefined();
  expect(await stores.epochs.since(0)).toEqual({ sequence: 0, subjects: [] });
  const { security: other } = manager(undefined, { secretKey: randomBytes(48).toString('base64') });
  await expect(security.revokeToken(await other.createToken({ userId: 'ann' }))).rejects.toThrow(code('request.invalid'));
});

// Standing

test('a token of a principal who is disabled, gone or elsewhere is worth nothing, and again when that is over', async () => {
  const { security, set, directory } = manager([record('ann')]);
  const token = await security.createToken({ userId: 'ann' });
  const reason = async (address?: string): Promise<string> => {
    const check = await security.verifyToken(token, { address });
    return check.valid ? 'valid' : check.reason;
  };
  expect(await reason()).toBe('valid');
  set('ann', { disabled: true });
  expect(await reason()).toBe('user unknown or disabled');
  set('ann', { scope: compileNetworks(['192.0.2.0/24', '2001:db8::/32']) });
  expect([await reason('192.0.2.7'), await reason('2001:db8::7'), await reason('198.51.100.7'), await reason()]).toEqual(['valid', 'valid', 'network scope', 'network scope']);
  directory.delete('ann');
  expect(await reason()).toBe('user unknown or disabled');
  set('ann', {});
  expect(await reason()).toBe('valid');
});

test('claims that were verified are worth what their user is now', async () => {
  const { security, set } = manager([record('ann')]);
  await security.setContentPolicy(cid, { level: 'protected', requiredPermissions: ['read_content'] });
  const claims = await claimsOf(security, { userId: 'ann' });
  const decide = async () => security.checkContentAccess(cid, claims);
  expect(await decide()).toMatchObject({ allowed: true });
  set('ann', { rights: new Set(['use_account']) });
  expect(await decide()).toEqual({ allowed: false, reason: 'permission' });
  set('ann', { disabled: true });
  expect(await decide()).toEqual({ allowed: false, reason: 'user unknown or disabled' });
});

test('a role that is listed must be the principal’s own, and the one that its token narrows to as well', async () => {
  const { security, set } = manager([record('ann', { role: 'operator' })]);
  await security.setContentPolicy(cid, { level: 'private', allowedRoles: ['operator'] });
  expect((await security.checkContentAccess(cid, await claimsOf(security, { userId: 'ann', role: 'operator' }))).allowed).toBe(true);
  expect((await security.checkContentAccess(cid, await claimsOf(security, { userId: 'ann', role: 'user' }))).allowed).toBe(false);
  const claims = await claimsOf(security, { userId: 'ann', role: 'operator' });
  expect(claims.role).toBe('operator');
  set('ann', { role: 'user', rights: rightsOf('operator') });
  expect((await security.checkContentAccess(cid, claims)).allowed).toBe(false);
});

test('under a shared secret the rights to manage stay out, and a principal who is an admin has no token at all', async () => {
  const managing = new Set([...rightsOf('user'), 'manage_users']);
  const { security, set } = manager([record('ann', { rights: managing })]);
  const { permissions } = await claimsOf(security, { userId: 'ann' });
  expect(permissions).toContain('read_content');
  expect(permissions.filter((name) => name.startsWith('manage_'))).toEqual([]);
  const token = await security.createToken({ userId: 'ann' });
  set('ann', { role: 'admin' });
  expect(await security.verifyToken(token)).toEqual({ valid: false, reason: 'more than a shared secret carries' });
  const { security: own } = manager([record('ann', { role: 'admin' })], underRing());
  expect((await claimsOf(own, { userId: 'ann', role: 'admin' })).permissions).toContain('manage_users');
  expect((await claimsOf(own, { userId: 'ann', permissions: ['manage_users'], role: 'admin' })).permissions).toEqual(['manage_users']);
});

/** A token as another program makes it, with the keys that both have. */
async function foreign(claims: Readonly<{ role?: string; permissions?: readonly string[] }>, key: TokenKey, records?: readonly PrincipalRecord[]) {
  const keys = { signing: () => key, all: new Map([[key.id, key]]) };
  const { security } = manager(records, { tokenKeys: { access: keys, grant: keys } });
  const iat = Math.floor(startMs / 1_000);
  const token = signToken('access', { iss: 'weir-streaming', aud: 'weir-streaming', sub: 'ann', iat, nbf: iat, exp: iat + 60, jti: 'made-elsewhere', ...claims }, key);
  return { security, token, check: await security.verifyToken(token) };
}

test('a token that another program made with the shared secret carries neither admin nor a right to manage', async () => {
  const key = sharedSecretKey('shared', secretKey, 'secret');
  for (const claims of [{ role: 'admin' }, { permissions: ['read_content', 'manage_users'] }]) {
    expect((await foreign(claims, key)).check, JSON.stringify(claims)).toEqual({ valid: false, reason: 'more than a shared secret carries' });
    expect((await foreign(claims, newTokenKey('own'))).check, 'under a key of its own').toMatchObject({ valid: true });
  }
});

test('a token that names no role: without a directory it is what it lists, with one what its user has', async () => {
  const key = newTokenKey('own');
  expect((await foreign({ permissions: ['watch_reports'] }, key)).check).toMatchObject({ valid: true, claims: { role: 'none', permissions: ['watch_reports'] } });
  expect((await foreign({}, key)).check).toMatchObject({ valid: true, claims: { role: 'none', permissions: [] } });
  const kim = record('ann', { role: 'viewer', rights: new Set(['read_content', 'view_streams']) });
  expect((await foreign({}, key, [kim])).check).toMatchObject({ valid: true, claims: { role: 'viewer', permissions: ['read_content', 'view_streams'] } });
  expect((await foreign({ permissions: ['view_streams', 'manage_users'] }, key, [kim])).check).toMatchObject({ valid: true, claims: { permissions: ['view_streams'] } });
});

test('a role that is not defined is a name without rights; with a directory it is no role, and its token is refused', async () => {
  const key = newTokenKey('own');
  expect((await foreign({ role: 'curator', permissions: ['watch_reports'] }, key)).check).toMatchObject({ valid: true, claims: { role: 'curator', permissions: ['watch_reports'] } });
  expect((await foreign({ role: 'curator' }, key)).check).toMatchObject({ valid: true, claims: { permissions: [] } });
  expect((await foreign({ role: 'curator' }, key, [record('ann')])).check).toEqual({ valid: false, reason: 'role unknown' });
  expect((await foreign({ role: 'viewer' }, key, [record('ann', { rights: new Set(['submit_jobs', 'read_content']) })])).check).toMatchObject({ valid: true, claims: { permissions: ['read_content'] } });
});

test('who has no token is anonymous, from wherever; a copy of claims is nobody’s', async () => {
  const { security, stores } = manager(undefined);
  await stores.policies.setPolicy(parseCid(cid).digest, 'ann', Policy.parse({ level: 'public', networks: ['192.0.2.0/24'] }));
  expect(await security.checkContentAccess(cid, undefined, { address: '192.0.2.1' })).toEqual({ allowed: true, reason: 'public', level: 'public' });
  for (const where of [{ address: '198.51.100.1' }, {}]) expect(await security.checkContentAccess(cid, undefined, where)).toEqual({ allowed: false, reason: 'network' });
  await stores.policies.setPolicy(parseCid(cid).digest, 'ann', Policy.parse({ level: 'protected' }));
  expect(await security.checkContentAccess(cid, undefined)).toEqual({ allowed: false, reason: 'authentication' });
  expect(await security.checkContentAccess(cid, { ...await claimsOf(security, { userId: 'bob' }) })).toEqual({ allowed: false, reason: 'not verified here' });
});

// Keys

const fixedSecret = hash('sha256', 'the secret of a test', 'base64');

test('what an earlier version made with a secret still holds: its tokens, signatures and sealed content', async () => {
  const { security } = manager(undefined, { secretKey: fixedSecret });
  const encode = (text: string): string => Buffer.from(text).toString('base64url');
  const header = '{"alg":"HS256","kid":"access-secret","typ":"weir-access+jwt"}';
  const payload = '{"iss":"weir-streaming","aud":"weir-streaming","sub":"ann","role":"user","iat":1767225600,"nbf":1767225600,"exp":1767229200,"jti":"01KDVDNA00YJKJQ34MQNNF8NJ1","permissions":["watch"]}';
  expect(await security.verifyToken(`${encode(header)}.${encode(payload)}.yFsUoSqjWV4H6x_2JmA0GZTmYNHAF7mJbc3V_C7WiuI`)).toMatchObject({ valid: true, claims: { userId: 'ann' } });
  expect(security.createHmacSignature('a message')).toBe('secret.VP-CKQ8jNzaX8o0bNfF219T-R1eaqaefc2eDL_gOAyA');
  const sealed = 'AQIARAEGc2VjcmV0zN3Ev5R+c9WDeGLUXY+CH22WalM/CVR+Gr4/w3GTlGHbo+wPyPwPlXdSHOPjHu4GEvYtr3todpm4vxQnACNcT907n/LrGR1UfBghiRlcS0jJTf7lREYEtyPvI0UzWTaRiiY9mB/d+C7inGjpMqCQrt9dwDR+tqaxU7mDzKB2m3NcTcXcdJJr6lzA';
  expect((await security.decryptContent(Buffer.from(sealed, 'base64'))).toString()).toBe('a film');
});
