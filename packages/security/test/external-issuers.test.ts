/** Tokens of other issuers: what is read of them, what is refused and why, what is remembered, and the role that the map gives. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { expect, test } from 'vitest';
import { ExternalIssuers, roleOf, type ExternalIssuer, type ExternalSubject } from '../src/external-issuers.ts';
import { EvidenceRefused } from '../src/identity.ts';
import { IssuerKeys } from '../src/issuer-keys.ts';

const now = 1_800_000_000;
const [issuerUrl, audience] = ['https://idp.example', 'weir'];
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const another = generateKeyPairSync('ed25519');
const part = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token of these words, whatever they are, signed as it stands; what is undefined is left out. */
function token({ header = {}, claims = {}, key = privateKey }: Readonly<{ header?: object | string; claims?: object | string; key?: KeyObject }> = {}): string {
  const whole = typeof header === 'string' ? header : { alg: 'EdDSA', kid: 'k', typ: 'at+jwt', ...header };
  const said = typeof claims === 'string' ? claims : { iss: issuerUrl, aud: audience, sub: 'ann', iat: now, exp: now + 60, roles: ['staff'], ...claims };
  const signed = `${part(whole)}.${part(said)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}

/** One issuer whose set, rule and answer a test changes, and whose questions are kept. */
function issuers(rule: Partial<ExternalIssuer> = {}) {
  const state = { asked: [] as ExternalSubject[], principal: 'u-ann' as string | undefined, clockMs: now * 1_000, set: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] as object[] };
  const keys = new IssuerKeys({ clock: () => state.clockMs, onError: (error) => { throw error; }, read: async () => ({ text: JSON.stringify({ keys: state.set }) }) });
  const external = new ExternalIssuers(
    [{ issuer: issuerUrl, audience, keys, algorithms: ['EdDSA'], roleClaim: 'roles', roles: new Map([['boss', 'admin'], ['staff', 'user']]), create: false, ...rule }],
    async (subject) => { state.asked.push(subject); return state.principal; },
  );
  const refusal = async (text: string, atSeconds = now): Promise<string> => {
    try {
      await external.identify(text, atSeconds);
      return 'admitted';
    } catch (error) {
      if (error instanceof EvidenceRefused) return error.reason;
      throw error;
    }
  };
  return { external, state, refusal };
}

test('a good token is its subject, in the mapped role, between its times', async () => {
  const { external, state } = issuers({ create: true });
  expect(await external.identify(token(), now)).toEqual({ principal: 'u-ann', role: 'user', issuedAtMs: now * 1_000, expiresAtMs: (now + 60) * 1_000 });
  expect(state.asked).toEqual([{ issuer: issuerUrl, subject: 'ann', role: 'user', create: true, issuedAtMs: now * 1_000 }]);
  const { state: closed, refusal } = issuers();
  closed.principal = undefined;
  expect(await refusal(token())).toBe('external subject unknown');
  expect(closed.asked).toMatchObject([{ create: false }]);
});

test.each<[string, object]>([
  ['a type with the whole media type', { typ: 'application/at+jwt' }], ['the plain type in capitals', { typ: 'JWT' }], ['the name of a certificate', { x5t: 'a', 'x5t#S256': 'b' }],
])('a header with %s is read', async (_, header) => { expect(await issuers().refusal(token({ header }))).toBe('admitted'); });

test.each<[string, object | string, string]>([
  ['no key id', { kid: undefined }, 'external header'], ['a key id that is no text', { kid: 1 }, 'external header'], ['no algorithm', { alg: undefined }, 'external header'],
  ['no type', { typ: undefined }, 'external header'], ['the type of an ID token', { typ: 'id+jwt' }, 'external token type'], ['the type of our own tokens', { typ: 'weir-access+jwt' }, 'external token type'],
  ['a key of its own', { jwk: {} }, 'external header'], ['an address of keys', { jku: 'https://evil.example' }, 'external header'], ['a critical extension', { crit: ['b64'] }, 'external header'],
  ['another algorithm', { alg: 'ES256' }, 'external algorithm'], ['no signature', { alg: 'none' }, 'external algorithm'], ['a key that is not in the set', { kid: 'other' }, 'external key unknown'],
  ['a member twice', '{"alg":"EdDSA","kid":"k","kid":"k","typ":"at+jwt"}', 'external token malformed'], ['a list', '[]', 'external token malformed'], ['no JSON', '{', 'external token malformed'],
])('a header with %s is refused', async (_, header, reason) => {
  const { refusal, state } = issuers();
  expect(await refusal(token({ header }))).toBe(reason);
  expect(state.asked).toEqual([]);
});

const life = 31_622_400;
test.each<[string, object | string, string]>([
  ['of an issuer that nobody configured', { iss: 'https://other.example' }, 'external issuer unknown'], ['without an issuer', { iss: undefined }, 'external claims'],
  ['without a subject', { sub: undefined }, 'external claims'], ['whose subject is a number', { sub: 7 }, 'external claims'], ['with an empty subject', { sub: '' }, 'external subject'],
  ['whose subject is too long', { sub: 'a'.repeat(256) }, 'external subject'], ['whose subject has a line break', { sub: 'ann\n' }, 'external subject'], ['whose subject begins with a null', { sub: '\0ann' }, 'external subject'],
  ['without a beginning', { iat: undefined }, 'external claims'], ['without an end', { exp: undefined }, 'external claims'], ['whose beginning is text', { iat: String(now) }, 'external claims'],
  ['from before time', { iat: -1 }, 'external claims'], ['that ends after the year 9999', { exp: 253_402_300_800 }, 'external claims'],
  ['for nobody', { aud: undefined }, 'external token: ERR_JWT_CLAIM_VALIDATION_FAILED'], ['for somebody else', { aud: 'other' }, 'external token: ERR_JWT_CLAIM_VALIDATION_FAILED'],
  ['for others as well', { aud: [audience, 'other'] }, 'external audience'], ['for the same one twice', { aud: [audience, audience] }, 'external audience'],
  ['that is over', { iat: now - 100, exp: now - 5 }, 'external token: ERR_JWT_EXPIRED'], ['that has not begun', { nbf: now + 6 }, 'external token: ERR_JWT_CLAIM_VALIDATION_FAILED'],
  ['issued in the future', { iat: now + 6 }, 'external token life'], ['that lives for more than a year and a day', { exp: now + life + 1 }, 'external token life'],
  ...['nonce', 'at_hash', 'c_hash', 's_hash', 'cnf', 'events'].map((name): [string, object, string] => [`that is not plain, by ${name}`, { [name]: null }, 'external token is no plain access token']),
  ['that is for the sign-in', { token_use: 'id' }, 'external token is no plain access token'], ['that says it is an ID token', { typ: 'ID' }, 'external token is no plain access token'],
  ['without a role', { roles: undefined }, 'external role not mapped'], ['with a role that is not mapped', { roles: ['admin'] }, 'external role not mapped'],
  ['with a claim twice', `{"iss":"${issuerUrl}","aud":"weir","sub":"ann","sub":"ann","iat":${now},"exp":${now + 60},"roles":["staff"]}`, 'external token malformed'],
  ['that nests too deep', { deep: [[[[[[[[[]]]]]]]]] }, 'external token malformed'], ['that is no object', '"ann"', 'external token malformed'],
])('a token %s is refused', async (_, claims, reason) => {
  const { refusal, state } = issuers();
  expect(await refusal(token({ claims }))).toBe(reason);
  expect(state.asked).toEqual([]);
});

test.each<[string, object]>([
  ['for a list of one', { aud: [audience] }], ['of the longest life', { exp: now + life }], ['issued within the leeway', { iat: now + 5 }], ['over within the leeway', { exp: now - 4 }],
  ['that begins within the leeway', { nbf: now + 5 }], ['that says it is for access', { token_use: 'access', typ: 'Bearer' }], ['of the longest subject', { sub: 'a'.repeat(255) }],
  ['whose subject is not English', { sub: 'Jürgen|東京' }], ['from the beginning of time until within a year', { iat: now - life + 60 }], ['whose role is text', { roles: 'staff' }],
])('a token %s is good', async (_, claims) => { expect(await issuers().refusal(token({ claims }))).toBe('admitted'); });

test('what is spelled in another way, cut, too long or signed by somebody else is refused', async () => {
  const { refusal } = issuers();
  const good = token();
  const [header = '', claims = '', signature = ''] = good.split('.');
  for (const bad of ['', '.', '..', `${header}.${claims}`, `${good}.`, `${good}.${signature}`, `${header}.${claims}.`, `${header}=.${claims}.${signature}`, `${header}.${claims}.${signature}=`, `${header}.${claims}.${signature.slice(0, -1)}!`, ` ${good}`]) {
    expect(await refusal(bad), bad).toMatch(/^external token(?: malformed|: ERR_JWS_SIGNATURE_VERIFICATION_FAILED)$/);
  }
  for (const twice of [`${header}=.${claims}.${signature}`, `${header}.${claims}=.${signature}`, `${header}.${claims}.${signature}=`]) expect(await refusal(twice), 'one spelling').toBe('external token malformed');
  expect(await refusal(token({ key: another.privateKey }))).toBe('external token: ERR_JWS_SIGNATURE_VERIFICATION_FAILED');
  const fill = (length: number): string => token({ claims: { fill: 'x'.repeat(length) } });
  const overhead = fill(0).length;
  const longest = Math.floor((8_192 - overhead) * 3 / 4);
  expect(fill(longest - 2).length).toBeLessThanOrEqual(8_192);
  expect(await refusal(fill(longest - 2))).toBe('admitted');
  expect(await refusal(fill(longest + 3))).toBe('external token malformed');
});

test('a token may have 8 192 characters, and its times all that a calendar has', async () => {
  const { refusal, state } = issuers();
  const ofSize = (header: number, claims: number): string => token({ header: { x5t: 'x'.repeat(header) }, claims: { fill: 'x'.repeat(claims) } });
  const near = Math.floor((8_192 - ofSize(0, 0).length) * 3 / 4);
  const lengths = new Set<number>();
  for (let more = 0; more < 9; more += 1) {
    const text = ofSize(more % 3, near - 1 + Math.floor(more / 3));
    lengths.add(text.length);
    expect(await refusal(text), String(text.length)).toBe(text.length <= 8_192 ? 'admitted' : 'external token malformed');
  }
  expect([...lengths]).toEqual(expect.arrayContaining([8_192, 8_193]));
  state.clockMs = 0;
  expect(await refusal(token({ claims: { iat: 0, exp: 60 } }), 10)).toBe('admitted');
  const last = 253_402_300_799;
  expect(await refusal(token({ claims: { iat: last - 60, exp: last } }), last - 30)).toBe('admitted');
});

test('a token that was verified is remembered until it ends, its key goes, or somebody’s link moves', async () => {
  const { external, state, refusal } = issuers();
  const text = token();
  const first = await external.identify(text, now);
  expect(external.identify(text, now + 59), 'at once, and the same').toBe(first);
  expect(state.asked).toHaveLength(1);
  external.forget();
  state.principal = 'u-other';
  expect(await external.identify(text, now)).toMatchObject({ principal: 'u-other' });
  expect(state.asked).toHaveLength(2);
  // At its end it is asked about again, and the leeway is what it has then.
  expect(external.identify(text, now + 60)).toBeInstanceOf(Promise);
  expect(await refusal(text, now + 64)).toBe('admitted');
  expect(await refusal(text, now + 65)).toBe('external token: ERR_JWT_EXPIRED');
  await external.identify(text, now);
  state.set = [];
  state.clockMs += 600_000;
  expect(await refusal(text), 'the key was withdrawn').toBe('external key unknown');
});

test('what was found while somebody’s link moved is not remembered', async () => {
  const { state } = issuers();
  const release: (() => void)[] = [];
  const keys = new IssuerKeys({ clock: () => state.clockMs, onError: () => undefined, read: async () => ({ text: JSON.stringify({ keys: state.set }) }) });
  const external = new ExternalIssuers([{ issuer: issuerUrl, audience, keys, algorithms: ['EdDSA'], roleClaim: 'roles', roles: new Map([['*', 'viewer']]), create: false }], () => new Promise((resolve) => { release.push(() => resolve('u-ann')); }));
  const text = token();
  const asked = external.identify(text, now);
  await expect.poll(() => release.length).toBe(1);
  external.forget();
  release[0]?.();
  expect(await asked).toMatchObject({ principal: 'u-ann', role: 'viewer' });
  const again = external.identify(text, now);
  expect(again).toBeInstanceOf(Promise);
  await expect.poll(() => release.length).toBe(2);
  release[1]?.();
  await again;
});

test('a role is the first line of the map that the token has, by a name or by a path to it', () => {
  const roles = new Map([['boss', 'admin'], ['staff', 'user'], ['*', 'viewer']]);
  const role = (claims: Record<string, unknown>, roleClaim = 'roles', map = roles): string | undefined => roleOf(claims, { roleClaim, roles: map });
  expect([role({ roles: ['staff', 'boss'] }), role({ roles: 'staff' }), role({ roles: ['nobody'] }), role({})]).toEqual(['admin', 'user', 'viewer', 'viewer']);
  const named = new Map([['staff', 'user']]);
  expect(role({ realm_access: { roles: ['staff'] } }, 'realm_access.roles', named)).toBe('user');
  expect(role({ 'realm_access.roles': 'staff', realm_access: { roles: [] } }, 'realm_access.roles', named), 'a member of that very name comes first').toBe('user');
  for (const roleClaim of ['realm_access.groups', 'realm_access', 'realm_access.roles.0', 'constructor.name', '__proto__', 'roles.length', 'nothing.roles']) {
    expect(role({ realm_access: { roles: ['staff'] }, roles: 'staff' }, roleClaim, named), roleClaim).toBeUndefined();
  }
  for (const roles of [{ staff: true }, [['staff']], 7, null, true, ['*'], '*']) expect(role({ roles }, 'roles', named), JSON.stringify(roles)).toBeUndefined();
});
