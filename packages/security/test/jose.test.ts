/** Attacks on JSON Web Signatures as collections of them hold (RFC 7515, RFC 7519, RFC 7797, RFC 8725), on our own tokens and on those of other issuers alike. */
import { createHmac, createPrivateKey, createSecretKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { expect, test } from 'vitest';
import { ExternalIssuers } from '../src/external-issuers.ts';
import { EvidenceRefused } from '../src/identity.ts';
import { IssuerKeys } from '../src/issuer-keys.ts';
import type { TokenKey } from '../src/token-keys.ts';
import { verifyToken } from '../src/tokens.ts';

const now = 1_800_000_000;
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const jwk = publicKey.export({ format: 'jwk' });
const x = Buffer.from(jwk.x ?? '', 'base64url');
const attacker = generateKeyPairSync('ed25519');

/** A verifier, a token's good header and claims for it, and whether it takes a token. */
type Verifier = Readonly<{ name: string; header: Readonly<Record<string, unknown>>; claims: Readonly<Record<string, unknown>>; accepts(token: string): Promise<boolean> }>;
const keys = new Map<string, TokenKey>([['k', { id: 'k', algorithm: 'EdDSA', public: publicKey }]]);
const own: Verifier = {
  name: 'our own', header: { alg: 'EdDSA', kid: 'k', typ: 'weir-access+jwt' }, claims: { iss: 'https://a', aud: 'weir', sub: 'ann', iat: now, nbf: now, exp: now + 60, jti: 'j' },
  accepts: async (token) => verifyToken(token, { purpose: 'access', issuer: 'https://a', audience: 'weir', keys }, now).valid,
};
const issuerKeys = new IssuerKeys({ read: async () => ({ text: JSON.stringify({ keys: [{ ...jwk, kid: 'k' }] }) }), onError: (error) => { throw error; } });
const external = new ExternalIssuers(
  [{ issuer: 'https://a', audience: 'weir', keys: issuerKeys, algorithms: ['EdDSA', 'ES256', 'RS256'], roleClaim: 'role', roles: new Map([['*', 'viewer']]), create: false }], async () => 'u-ann',
);
const others: Verifier = {
  name: 'other issuers', header: { alg: 'EdDSA', kid: 'k', typ: 'at+jwt' }, claims: { iss: 'https://a', aud: 'weir', sub: 'ann', iat: now, exp: now + 60 },
  accepts: async (token) => {
    try {
      return (await external.identify(token, now)).principal === 'u-ann';
    } catch (error) {
      if (error instanceof EvidenceRefused) return false;
      throw error;
    }
  },
};
const verifiers = [own, others];

const part = (value: string | Uint8Array): string => Buffer.from(value).toString('base64url');
const signed = (header: string | Uint8Array, claims: string | Uint8Array, key: KeyObject = privateKey): string => {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
};
const good = ({ header, claims }: Verifier): string => signed(JSON.stringify(header), JSON.stringify(claims));

test.each(verifiers)('$name: a good token is taken, so that the refusals below mean something', async (verifier) => { expect(await verifier.accepts(good(verifier))).toBe(true); });

/** Members of a header that is signed by the right key, and says more or something else. */
const headers: readonly (readonly [string, Record<string, unknown>])[] = [
  ...['none', 'None', 'NONE', 'nOnE', '', ' EdDSA', 'EdDSA\0', 'eddsa', 'EDDSA', 'Ed25519', 'Ed448', 'HS256', 'hs256', 'HS512', 'ES256', 'ES256K', 'RS256', 'RS1', 'PS256', 'dir', 'A128KW', 'ECDH-ES', 'PBES2-HS256+A128KW', null, 0, true, ['EdDSA'], { EdDSA: true }]
    .map((alg) => [`RFC 8725 §3.1: the algorithm ${JSON.stringify(alg)}`, { alg }] as const),
  ...['', 'K', 'k ', ' k', 'k\0', '\0k', 'k\n', '../k', './k', '/dev/null', '../../../../../../dev/null', 'file:///dev/null', "k' OR '1'='1", "x' UNION SELECT 'secret", 'k;id', '$(id)', '`id`', '${k}', '__proto__', 'constructor', 'toString', 'ｋ', 'k\u200b', 'x'.repeat(5_000), null, 0, ['k'], { k: 1 }, true]
    .map((kid) => [`RFC 8725 §3.10: the key id ${JSON.stringify(kid).slice(0, 60)}`, { kid }] as const),
  ...['', 'none', 'id+jwt', 'secevent+jwt', 'dpop+jwt', 'logout+jwt', 'weir-grant+jwt', 'WEIR-ACCESS+JWT', 'application/weir-access+jwt', 'at+jwt\0', 'at+jwt; a=b', null, 0, ['at+jwt']].map((typ) => [`RFC 8725 §3.11: the type ${JSON.stringify(typ)}`, { typ }] as const),
  ...[[], ['exp'], ['b64'], ['alg'], ['x', 'x'], [''], [null], 'exp', null, {}, 0].map((crit) => [`RFC 7515 §4.1.11: the critical members ${JSON.stringify(crit)}`, { crit, x: 1, exp: 1 }] as const),
  ['RFC 7797: a payload that is not encoded', { b64: false, crit: ['b64'] }], ['RFC 7797: a payload that is not encoded, said aside', { b64: false }], ['RFC 7797: a payload that is encoded, said aloud', { b64: true, crit: ['b64'] }],
  ['RFC 8725 §3.10: an address of keys', { jku: 'https://evil.example/jwks.json' }], ['RFC 8725 §3.10: an address of certificates', { x5u: 'https://evil.example/x5u' }], ['RFC 7515 §4.1.3: a key', { jwk: attacker.publicKey.export({ format: 'jwk' }) }],
  ['RFC 7515 §4.1.3: its own key', { jwk }], ['RFC 7515 §4.1.6: certificates', { x5c: ['MIIB'] }], ['RFC 7516 §4.1.3: compression', { zip: 'DEF' }], ['RFC 7516: an encryption', { enc: 'A128GCM' }], ['a nested token', { cty: 'JWT' }],
  ['RFC 8725 §3.8: rounds of hashing without end', { p2c: 2 ** 31, p2s: 'AAAA' }], ['RFC 8555: an address', { url: 'https://a' }], ['RFC 7519 §5.3: claims in the header', { iss: 'https://a', sub: 'admin' }], ['a member of no meaning', { foo: 1 }], ['a member of every object', { constructor: 1 }],
  ['a prototype', JSON.parse('{"__proto__":{"alg":"none"}}') as Record<string, unknown>],
];
test.each(headers)('%s is refused', async (_, members) => {
  for (const verifier of verifiers) {
    const header = JSON.stringify({ ...verifier.header, ...members });
    const claims = JSON.stringify(verifier.claims);
    const text = `${part(header)}.${part(claims)}`;
    const bytes = Buffer.from(text);
    const secrets = [x, Buffer.from(jwk.x ?? ''), publicKey.export({ type: 'spki', format: 'der' }), Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })), Buffer.from(JSON.stringify(jwk)), Buffer.alloc(0), Buffer.alloc(1)];
    const forged = [
      signed(header, claims), signed(header, claims, attacker.privateKey), `${text}.`, `${part(header)}..${sign(null, bytes, privateKey).toString('base64url')}`,
      ...secrets.flatMap((secret) => ['sha256', 'sha512'].map((hash) => `${text}.${createHmac(hash, createSecretKey(secret)).update(text).digest('base64url')}`)),
    ];
    for (const token of forged) expect(await verifier.accepts(token), `${verifier.name} ${token.length}`).toBe(false);
  }
});

/** Of claims that the right key signed; our own tokens take fewer forms of a number than the standard allows. */
const claims: [reason: string, name: string, value: string][] = [
  ...['exp', 'iat', 'nbf'].flatMap((name) => [`"${now}"`, `" ${now}"`, 'null', 'true', '[]', `[${now}]`, '{}', '""', '1e309', '-1e309', '-1', '1e400', '253402300800', '"1e10"', 'NaN', '0x6b49d200', `+${now}`, '01', '.5', '1.', `${'9'.repeat(400)}`].map((value): [string, string, string] => [`RFC 7519 §2: ${name} of ${value.slice(0, 20)}`, name, value])),
  ['RFC 7519 §4.1.4: exp now', 'exp', String(now - 60)], ['exp before iat', 'exp', '1'], ['RFC 7519 §4.1.5: nbf to come', 'nbf', String(now + 3_600)], ['iat to come', 'iat', String(now + 3_600)],
  ...['"b"', '"WEIR"', '"weir "', '""', '[]', '["b"]', '["weir","b"]', '[["weir"]]', '{"weir":true}', '{"0":"weir"}', 'null', '0', '"weir\\u0000"', '"weir,b"'].map((value): [string, string, string] => [`RFC 7519 §4.1.3: aud of ${value}`, 'aud', value]),
  ...['"https://a/"', '"https://A"', '"https://b"', '["https://a"]', '"https://a\\u0000"', '" https://a"', 'null', '""', '"HTTPS://a"', '"https://a#"', '{"a":"https://a"}'].map((value): [string, string, string] => [`RFC 8725 §3.8: iss of ${value}`, 'iss', value]),
  ...['""', 'null', '0', '[]', '["ann"]', '{}', '"ann\\u0000"', '"\\u0000"', '"ann\\n"', '"\\ud800"', '"ann\\udfff"', 'true'].map((value): [string, string, string] => [`RFC 7519 §4.1.2: sub of ${value}`, 'sub', value]),
];
test.each(claims)('%s is refused', async (_, name, value) => {
  for (const verifier of verifiers) {
    const rest = Object.entries(verifier.claims).filter(([other]) => other !== name).map(([other, held]) => `${JSON.stringify(other)}:${JSON.stringify(held)}`);
    expect(await verifier.accepts(signed(JSON.stringify(verifier.header), `{${[...rest, `"${name}":${value}`].join(',')}}`)), verifier.name).toBe(false);
    // Nor is it hidden by a good one beside it, wherever it stands (RFC 7519 §4, RFC 8725 §2.4).
    for (const twice of [[`"${name}":${value}`, ...rest, `"${name}":${JSON.stringify(verifier.claims[name] ?? now)}`], [`"${name}":${JSON.stringify(verifier.claims[name] ?? now)}`, ...rest, `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}":${value}`]]) {
      expect(await verifier.accepts(signed(JSON.stringify(verifier.header), `{${twice.join(',')}}`)), verifier.name).toBe(false);
    }
  }
});

/** Of the whole text, made from the parts of a good token. */
const forms: readonly (readonly [string, (head: string, payload: string, signature: string) => string])[] = [
  ['a JWE of five parts', (h, p, s) => `${h}.${p}.${s}.${s}.${s}`], ['four parts', (h, p, s) => `${h}.${p}.${s}.`], ['two parts', (h, p) => `${h}.${p}`], ['no signature', (h, p) => `${h}.${p}.`], ['no payload (RFC 7515 appendix F)', (h, _, s) => `${h}..${s}`], ['no header', (_, p, s) => `.${p}.${s}`], ['dots alone', () => '..'], ['nothing', () => ''],
  ['the flattened JSON form', (h, p, s) => JSON.stringify({ payload: p, protected: h, signature: s })], ['the general JSON form', (h, p, s) => JSON.stringify({ payload: p, signatures: [{ protected: h, signature: s }] })], ['an unprotected header', (h, p, s) => JSON.stringify({ payload: p, protected: h, header: { alg: 'none' }, signature: s })],
  ['a byte order mark', (h, p, s) => `\ufeff${h}.${p}.${s}`], ['a NUL', (h, p, s) => `${h}.${p}.${s}\0`], ['a NUL inside', (h, p, s) => `${h}\0.${p}.${s}`], ['a line end', (h, p, s) => `${h}.${p}.${s}\r\n`], ['a line end inside', (h, p, s) => `${h}.\n${p}.${s}`], ['spaces', (h, p, s) => ` ${h}.${p}.${s} `], ['a tab', (h, p, s) => `${h}.${p}\t.${s}`],
  ['padding', (h, p, s) => `${h}.${p}.${s}==`], ['padding of the header', (h, p, s) => `${h}=.${p}.${s}`], ['percent-encoding', (h, p, s) => `${h}%2e${p}%2e${s}`], ['the other alphabet', (h, p, s) => `${h}.${p}.${s.replaceAll(/[-_]|^./g, '+')}`], ['full-width dots', (h, p, s) => `${h}．${p}．${s}`], ['quotes', (h, p, s) => `"${h}.${p}.${s}"`],
  ['a scheme', (h, p, s) => `Bearer ${h}.${p}.${s}`], ['a list of two', (h, p, s) => `${h}.${p}.${s},${h}.${p}.${s}`], ['a base64 of base64', (h, p, s) => `${part(h)}.${part(p)}.${part(s)}`], ['its parts turned round', (h, p, s) => `${p}.${h}.${s}`], ['a tail (RFC 9901)', (h, p, s) => `${h}.${p}.${s}~`], ['bits that nobody reads', (h, p, s) => `${h}.${p}.${s.slice(0, -1)}${s.endsWith('A') ? 'B' : String.fromCharCode(s.charCodeAt(85) + 1)}`],
  ['megabytes', (h, p, s) => `${h}.${p}.${s}${'A'.repeat(5_000_000)}`], ['a million dots', () => '.'.repeat(1_000_000)],
];
test.each(forms)('RFC 7515 §5.2, §7.1: a token with %s is refused', async (_, form) => {
  for (const verifier of verifiers) {
    const [head = '', payload = '', signature = ''] = good(verifier).split('.');
    expect(await verifier.accepts(form(head, payload, signature)), verifier.name).toBe(false);
  }
});

/** Of the JSON in the header or the claims, which the right key signed. */
const texts: readonly (readonly [string, (json: string) => string | Uint8Array])[] = [
  ['a byte order mark', (json) => `\ufeff${json}`], ['a NUL behind it', (json) => `${json}\0`], ['a comment', (json) => `${json}//`], ['a second object', (json) => `${json}{}`], ['an array around it', (json) => `[${json}]`], ['a string around it', (json) => JSON.stringify(json)], ['UTF-16', (json) => Buffer.from(json, 'utf16le')],
  ['a member twice', (json) => `${json.slice(0, -1)},"typ":"x","typ":"x"}`], ['a trailing comma', (json) => `${json.slice(0, -1)},}`], ['bytes that are no UTF-8', (json) => Buffer.concat([Buffer.from(`{"x":"`), Buffer.from([0xff]), Buffer.from(`",${json.slice(1)}`)])],
  ['half a character', (json) => `{"x":"\\ud800",${json.slice(1)}`], ['an overlong form', (json) => Buffer.concat([Buffer.from(`{"x":"`), Buffer.from([0xc1, 0xa1]), Buffer.from(`",${json.slice(1)}`)])], ['nesting without end', (json) => `{"x":${'['.repeat(2_000)}${']'.repeat(2_000)},${json.slice(1)}`], ['nothing', () => ''], ['null', () => 'null'], ['single quotes', (json) => json.replaceAll('"', "'")],
];
test.each(texts)('RFC 7493, RFC 8259: JSON with %s is refused', async (_, change) => {
  for (const verifier of verifiers) {
    const [header, payload] = [JSON.stringify(verifier.header), JSON.stringify(verifier.claims)];
    expect(await verifier.accepts(signed(change(header), payload)), `${verifier.name}, header`).toBe(false);
    expect(await verifier.accepts(signed(header, change(payload))), `${verifier.name}, claims`).toBe(false);
  }
});

test('RFC 8037 appendix A.4, RFC 7515 appendix A.1: tokens that the standards print are nobody’s here', async () => {
  const published = createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } });
  const text = 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc';
  // That the key signs as the standard prints shows that what is refused below is refused for what it says.
  expect(sign(null, Buffer.from(text), published).toString('base64url')).toBe('hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg');
  const hs256 = 'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  for (const verifier of verifiers) for (const token of [`${text}.${sign(null, Buffer.from(text), published).toString('base64url')}`, hs256]) expect(await verifier.accepts(token), verifier.name).toBe(false);
});
