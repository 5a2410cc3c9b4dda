import { createHmac, createPublicKey, createSecretKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { TokenCache } from '../src/token-cache.ts';
import { parseClaims, type ClaimsOf, type TokenPurpose } from '../src/token-claims.ts';
import { exportTokenKey, importTokenKey, newTokenKey, publicJwk, sharedSecretKey, type TokenKey } from '../src/token-keys.ts';
import { signToken, unverifiedKeyId, verifyToken, type TokenProfile } from '../src/tokens.ts';
import { mutations } from './mutations.ts';
import { runs } from './runs.ts';

const now = 1_800_000_000;
const edKey = newTokenKey('ed-1');
const macKey: TokenKey = { id: 'mac-1', algorithm: 'HS256', secret: createSecretKey(randomBytes(32)) };
const keys = new Map([edKey, macKey].map((key) => [key.id, key]));
const profile: TokenProfile<'access'> = { purpose: 'access', issuer: 'weir:one', audience: 'weir:one', keys };
const common = { iss: 'weir:one', aud: 'weir:one', sub: 'alice', iat: now, nbf: now, exp: now + 3_600, jti: '01J9ZZZZZZZZZZZZZZZZZZZZZZ' };
const access: ClaimsOf['access'] = { ...common, role: 'user', permissions: ['read_content'], cid_access: ['bafkfoo'], sid: 's1' };

const encode = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
/** A token correctly signed over whatever header and payload are given. */
function forge(header: unknown, payload: unknown, key: TokenKey = macKey): string {
  const signed = `${encode(header)}.${encode(payload)}`;
  const bytes = Buffer.from(signed);
  if (key.algorithm === 'HS256') return `${signed}.${createHmac('sha256', key.secret).update(bytes).digest('base64url')}`;
  if (key.private === undefined) throw new Error('a private key is needed');
  return `${signed}.${sign(null, bytes, key.private).toString('base64url')}`;
}
const header = { alg: 'HS256', kid: 'mac-1', typ: 'weir-access+jwt' };
const tokenOf = (jti: string): string => signToken('access', { ...access, jti }, macKey);
const reasonOf = (token: string, at = now): string => {
  const verdict = verifyToken(token, profile, at);
  return verdict.valid ? 'valid' : verdict.reason;
};

test('a token gives back its claims, frozen, under both algorithms', () => {
  for (const key of [edKey, macKey]) {
    const verdict = verifyToken(signToken('access', access, key), profile, now);
    expect(verdict).toMatchObject({ valid: true, claims: access });
    expect(verdict.valid && Object.isFrozen(verdict.claims) && Object.isFrozen(verdict.claims.permissions)).toBe(true);
  }
  expect(unverifiedKeyId(signToken('access', access, edKey))).toBe('ed-1');
});

test('each purpose has its own type and members, and none passes for another', () => {
  const samples: { [P in TokenPurpose]: ClaimsOf[P] } = {
    access,
    grant: { ...common, object: 'bafkfoo', verbs: ['read'] },
    job: { ...common, job: '01J', fence: 3, object: 'in:0', verbs: ['read'] },
    ticket: { ...common, action: 'stream.open', object: 'bafkfoo', sid: 's' },
    playlist: { ...common, object: 'bafkfoo' },
  };
  const purposes = ['access', 'grant', 'job', 'ticket', 'playlist'] as const;
  for (const made of purposes) {
    const token = signToken(made, samples[made], edKey);
    for (const asked of purposes) expect(verifyToken(token, { ...profile, purpose: asked }, now).valid, `${made} as ${asked}`).toBe(made === asked);
  }
  expect(reasonOf(forge(header, samples.grant))).toBe('claims');
});

test('a token holds from nbf, five seconds of clock difference allowed, until before exp', () => {
  const token = signToken('access', { ...access, nbf: now, exp: now + 60 }, edKey);
  expect([-6, -5, 0, 59, 59.9, 60, 61].map((offset) => reasonOf(token, now + offset))).toEqual(['early', 'valid', 'valid', 'valid', 'valid', 'expired', 'expired']);
});

test('issuer, audience and key must be those expected', () => {
  expect(reasonOf(forge(header, { ...access, iss: 'weir:two' }))).toBe('issuer');
  expect(reasonOf(forge(header, { ...access, aud: 'weir:two' }))).toBe('audience');
  expect(reasonOf(forge(header, { ...access, aud: ['weir:one'] }))).toBe('claims');
  expect(reasonOf(forge({ ...header, kid: 'mac-2' }, access))).toBe('key');
  expect(reasonOf(forge(header, access, { ...macKey, secret: createSecretKey(randomBytes(32)) }))).toBe('signature');
});

test('the key decides the algorithm: none, a swapped one, and a public key used as a secret are refused', () => {
  expect(reasonOf(`${encode({ ...header, alg: 'none' })}.${encode(access)}.`)).toBe('key');
  expect(reasonOf(forge({ ...header, alg: 'EdDSA' }, access))).toBe('key');
  if (edKey.algorithm !== 'EdDSA') throw new Error('an Ed25519 key is needed');
  const publicBytes = edKey.public.export({ type: 'spki', format: 'der' });
  const confused: TokenKey = { id: 'ed-1', algorithm: 'HS256', secret: createSecretKey(publicBytes) };
  expect(reasonOf(forge({ ...header, kid: 'ed-1' }, access, confused))).toBe('key');
  expect(reasonOf(forge({ ...header, kid: 'ed-1', alg: 'EdDSA' }, access, confused))).toBe('signature');
});

test('a header with anything but alg, kid and typ, or a member twice, is refused although it is signed', () => {
  for (const bad of [{ ...header, crit: ['b64'], b64: false }, { ...header, jwk: {} }, { ...header, x5u: 'https://evil' }, { alg: 'HS256', kid: 'mac-1' }, { ...header, typ: 'JWT' }, { ...header, kid: 1 }, [], 'x']) {
    expect(reasonOf(forge(bad, access)), JSON.stringify(bad)).toBe('malformed');
  }
  expect(reasonOf(forge('{"alg":"HS256","kid":"mac-1","typ":"weir-access+jwt","alg":"HS256"}', access))).toBe('malformed');
  expect(reasonOf(forge(header, `${JSON.stringify(access).slice(0, -1)},"role":"admin"}`))).toBe('claims');
});

test('claims are typed, bounded and closed', () => {
  const bad: Record<string, unknown>[] = [
    { admin: true }, { role: 'Admin' }, { role: ['user'] }, { permissions: { a: true } }, { permissions: Array(101).fill('a') }, { permissions: ['Read'] }, { permissions: [['a']] },
    { cid_access: ['a b'] }, { cid_access: Array(33).fill('a') }, { sub: '' }, { sub: 'a\nb' }, { sub: 'x'.repeat(257) }, { sub: null }, { exp: String(now) }, { exp: now + 0.5 }, { exp: 1e300 }, { exp: -1 },
    { exp: now + 400 * 86_400 }, { iat: now + 4_000 }, { nbf: now + 4_000 }, { jti: 'a/b' }, { sid: 7 }, { constructor: 1 }, { toString: 'x' }, { ['__proto__']: { role: 'admin' } },
  ];
  for (const change of bad) expect(reasonOf(forge(header, { ...access, ...change })), JSON.stringify(change)).toBe('claims');
  expect(reasonOf(forge(header, JSON.stringify(access).replace('{', '{"__proto__":{"role":"admin"},')))).toBe('claims');
  for (const name of Object.keys(common)) {
    const { [name as keyof typeof common]: _, ...rest } = access;
    expect(reasonOf(forge(header, rest)), name).toBe('claims');
  }
  for (const optional of ['role', 'permissions', 'cid_access', 'sid'] as const) {
    const { [optional]: _, ...rest } = access;
    expect(reasonOf(forge(header, rest)), optional).toBe('valid');
  }
});

test('a token has one spelling: no other base64, padding, part or end passes', () => {
  for (const key of [edKey, macKey]) {
    const token = signToken('access', access, key);
    const [head = '', payload = '', signature = ''] = token.split('.');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const sibling = `${signature.slice(0, -1)}${alphabet[alphabet.indexOf(signature.at(-1) ?? '') ^ 1]}`;
    const variants = [`${token}=`, `${token}.`, `${token}.x`, `.${token}`, `${head}.${payload}`, `${head}.${payload}.`, `${head}..${signature}`, `${head}.${payload}.${sibling}`,
      `${token}\n`, ` ${token}`, `${head}=.${payload}.${signature}`, token.toUpperCase(), `${token.replaceAll('-', '+').replaceAll('_', '/')}`, `${token}${' '.repeat(9_000)}`];
    for (const variant of variants) if (variant !== token) expect(verifyToken(variant, profile, now).valid, variant).toBe(false);
  }
});

test('a change of any character is refused', () => {
  const token = signToken('access', access, edKey);
  fc.assert(fc.property(fc.nat(token.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
    if (token[at] !== character) expect(reasonOf(token.slice(0, at) + character + token.slice(at + 1))).not.toBe('valid');
  }), { numRuns: runs(400) });
});

test('rubbish is refused without an error', () => {
  const samples = [signToken('access', access, macKey), forge(header, '{}'), encode(header), '..'];
  for (const text of mutations(samples, runs(3_000))) {
    const verdict = verifyToken(text, profile, now);
    expect(verdict.valid && !samples.includes(text)).toBe(false);
    expect(() => unverifiedKeyId(text)).not.toThrow();
  }
  for (const payload of mutations([JSON.stringify(access)], runs(2_000))) {
    const verdict = verifyToken(forge(header, payload), profile, now);
    if (verdict.valid) expect(verdict.claims.sub.length).toBeGreaterThan(0);
  }
});

test('signing refuses what verifying would', () => {
  const internal = expect.objectContaining({ code: 'internal' });
  expect(() => signToken('access', { ...access, role: 'No Role' }, edKey)).toThrow(internal);
  if (edKey.algorithm !== 'EdDSA') throw new Error('an Ed25519 key is needed');
  expect(() => signToken('access', access, { id: 'ed-1', algorithm: 'EdDSA', public: edKey.public })).toThrow(internal);
  expect(() => signToken('access', { ...access, cid_access: Array<string>(32).fill('b'.repeat(256)) }, edKey)).toThrow(expect.objectContaining({ code: 'request.too_large' }));
  signToken('access', access, edKey);
  expect(Object.isFrozen(access) || Object.isFrozen(access.permissions)).toBe(false);
});

test('a signing key survives storage, and its public half verifies its tokens', () => {
  const copy = importTokenKey('ed-1', exportTokenKey(edKey));
  const token = signToken('access', access, copy);
  expect(reasonOf(token)).toBe('valid');
  const jwk = publicJwk(edKey);
  const [head = '', payload = '', signature = ''] = token.split('.');
  const fromJwks = createPublicKey({ key: { ...jwk }, format: 'jwk' });
  expect(verify(null, Buffer.from(`${head}.${payload}`), fromJwks, Buffer.from(signature, 'base64url'))).toBe(true);
  expect(jwk).toEqual({ kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA', kid: 'ed-1', x: expect.stringMatching(/^[\w-]{43}$/) });
  expect(publicJwk(macKey)).toBeUndefined();
  expect(() => importTokenKey('x', randomBytes(48))).toThrow(expect.objectContaining({ code: 'keys.wrong' }));
});

test('only a key with a private half is stored, and only one of this kind comes back', () => {
  const publicHalf: TokenKey = { id: 'half', algorithm: 'EdDSA', public: generateKeyPairSync('ed25519').publicKey };
  for (const key of [publicHalf, macKey]) expect(() => exportTokenKey(key)).toThrow(expect.objectContaining({ code: 'internal', message: expect.stringContaining(`"${key.id}"`) }));
  for (const { privateKey } of [generateKeyPairSync('x25519'), generateKeyPairSync('ed448'), generateKeyPairSync('ec', { namedCurve: 'P-256' })]) {
    const stored = privateKey.export({ type: 'pkcs8', format: 'der' });
    expect(() => importTokenKey('other', stored)).toThrow(expect.objectContaining({ code: 'keys.wrong', message: expect.stringContaining('"other"'), cause: expect.any(Error) }));
  }
});

test('a shared secret is the bytes of its UTF-8, and of eight different ones at least', () => {
  const text = 'Schlüssel ☃ of the proxy and of us 42';
  const key = sharedSecretKey('shared', text, 'WEIR_SECRET');
  expect(key.algorithm === 'HS256' ? key.secret.export() : undefined).toEqual(Buffer.from(text));
  expect(sharedSecretKey('shared', 'qwertzui'.repeat(4), 'WEIR_SECRET').id).toBe('shared');
  for (const [secret, why] of [['qwertzu'.repeat(5), 'repeats'], ['qwertzuiopqwertzuiopqwertzuiopq', 'shorter than 32 bytes'], ['a-supersecret-qwertzuiopqwertzuiop', 'placeholder'], ['09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7', 'known to the public']] as const) {
    expect(() => sharedSecretKey('shared', secret, 'WEIR_SECRET'), secret).toThrow(expect.objectContaining({ message: expect.stringContaining(why), facts: { setting: 'WEIR_SECRET' } }));
  }
});

test('a shared secret that is short, a placeholder or public stops, names its setting and is not repeated', () => {
  const weak = [
    'YOUR_VERY_SECRET_KEY_HERE', 'your-256-bit-secret', 'a-string-secret-at-least-256-bits-long', 'change-me-change-me-change-me-change-me', 'x'.repeat(64), 'abab'.repeat(16),
    randomBytes(20).toString('base64'), '', 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T+1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==',
    '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7', 'YOUR_VERY_SECRET_KEY_HERE_YOUR_VERY_SECRET_KEY_HERE',
  ];
  for (const secret of weak) {
    expect(() => sharedSecretKey('shared', secret, 'WEIR_SECRET'), secret).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.stringContaining('WEIR_SECRET ') }));
    expect(() => sharedSecretKey('shared', secret, 'WEIR_SECRET')).toThrow(expect.objectContaining({ message: expect.not.stringContaining(secret || '(nothing)') }));
  }
  for (let at = 0; at < 100; at += 1) expect(sharedSecretKey('shared', randomBytes(32).toString('base64'), 'WEIR_SECRET').id).toBe('shared');
});

test('a repeated token gives the same claims object until it expires or its key leaves', () => {
  const own = new Map(keys);
  const cache = new TokenCache({ ...profile, keys: own });
  const token = signToken('access', access, edKey);
  const first = cache.verify(token, now);
  expect(cache.verify(token, now + 10)).toBe(first);
  own.set('ed-1', newTokenKey('ed-1'));
  expect(cache.verify(token, now)).toEqual({ valid: false, reason: 'signature' });
  own.set('ed-1', edKey);
  expect(cache.verify(token, now).valid).toBe(true);
  expect(cache.verify(token, now + 3_600)).toEqual({ valid: false, reason: 'expired' });
  expect(cache.size).toBe(0);
});

test('the cache stays within its bounds, keeps what is used, and keeps no refused token', () => {
  const most = 6;
  const cache = new TokenCache(profile, { maxBytes: most * 1_600 });
  const used = tokenOf('used');
  const first = cache.verify(used, now);
  for (let at = 0; at < 50; at += 1) {
    cache.verify(tokenOf(`other-${at}`), now);
    for (let junk = 0; junk < 20; junk += 1) expect(cache.verify(`${used.slice(0, -8)}${String(junk).padStart(8, 'A')}`, now).valid).toBe(false);
    expect(cache.verify(used, now)).toBe(first);
    expect(cache.size).toBeLessThanOrEqual(most);
  }
  expect(cache.size).toBeGreaterThan(1);
  expect(new TokenCache(profile, { maxBytes: 0 }).verify(used, now).valid).toBe(true);
});

test('the cache says what the verifier says, whatever the order', () => {
  const tokens = [...Array(6).keys()].map((at) => signToken('access', { ...access, jti: `t${at}`, exp: now + 10 * at + 1 }, at % 2 === 0 ? edKey : macKey));
  const steps = fc.array(fc.record({ pick: fc.nat(6), at: fc.integer({ min: now - 8, max: now + 70 }) }), { maxLength: 30 });
  fc.assert(fc.property(steps, (each) => {
    const cache = new TokenCache(profile, { maxBytes: 4_500 });
    let latest = 0;
    for (const { pick, at } of each) {
      latest = Math.max(latest, at);
      const token = tokens[pick] ?? 'x.y.z';
      expect(cache.verify(token, latest)).toEqual(verifyToken(token, profile, latest));
    }
  }), { numRuns: runs(40) });
});

test('errors of signing are WeirErrors', () => {
  expect(() => signToken('access', access, { ...macKey, id: 'a b' })).toThrow(WeirError);
});

test('a token and its header are read up to their bounds', () => {
  const padded = (value: object, length: number): string => JSON.stringify(value).padEnd(length);
  const headerOf = (length: number): string => forge(padded(header, length), access);
  expect([headerOf(384).indexOf('.'), headerOf(385).indexOf('.')]).toEqual([512, 514]);
  expect([reasonOf(headerOf(384)), reasonOf(headerOf(385))]).toEqual(['valid', 'malformed']);
  const overhead = forge(header, '').length;
  const payload = (length: number): string => forge(header, padded(access, length));
  const fits = Math.floor((8_192 - overhead) * 3 / 4);
  expect(payload(fits).length).toBeLessThanOrEqual(8_192);
  expect([reasonOf(payload(fits)), reasonOf(payload(fits + 3))]).toEqual(['valid', 'malformed']);
  expect(reasonOf(forge({ ...header, alg: ['HS256'] }, access))).toBe('malformed');
});

test('numbers and times of claims are bounded on both sides', () => {
  const job = { ...common, job: 'j', object: 'o', verbs: ['read'] };
  const fence = (value: number): boolean => parseClaims('job', { ...job, fence: value }) !== undefined;
  expect([fence(0), fence(Number.MAX_SAFE_INTEGER), fence(-1), fence(0.5), fence(Number.MAX_SAFE_INTEGER + 1)]).toEqual([true, true, false, false, false]);
  const end = (value: number): boolean => parseClaims('playlist', { ...common, object: 'o', end: value }) !== undefined;
  expect([end(253_402_300_799), end(253_402_300_800), end(0), end(-1)]).toEqual([true, false, true, false]);
  const times = (iat: number, nbf: number, exp: number): boolean => parseClaims('access', { ...common, iat, nbf, exp }) !== undefined;
  const year = 31_622_400;
  expect([times(now, now, now), times(now, now, now - 1), times(now + 1, now, now), times(now, now + 1, now)]).toEqual([true, false, false, false]);
  expect([times(now, now, now + year), times(now, now, now + year + 1), times(now - 1, now, now + year), times(now, now - 1, now + year)]).toEqual([true, false, false, false]);
});

test('what can not be signed is refused in words', () => {
  if (edKey.algorithm !== 'EdDSA') throw new Error('an Ed25519 key is needed');
  expect(() => signToken('access', access, { id: 'ed-1', algorithm: 'EdDSA', public: edKey.public })).toThrow(/"ed-1" only verifies/);
  expect(() => signToken('access', access, { ...macKey, id: 'a b' })).toThrow(expect.objectContaining({ code: 'internal', message: expect.stringContaining('id') }));
  expect(() => signToken('access', { ...access, role: 'No Role' }, edKey)).toThrow(/for access/);
});
