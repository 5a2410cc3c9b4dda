/** Keys under which anybody could sign, or of which there is a second spelling, are no keys (RFC 8032 §5.1.3, RFC 8725 §3.4). */
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { strongPublicKey } from '../src/public-keys.ts';
import { newTokenKey } from '../src/token-keys.ts';
import { signToken, verifyToken } from '../src/tokens.ts';

/** The order of the group, and the field. */
const [order, field] = [2n ** 252n + 27742317777372353535851937790883648493n, 2n ** 255n - 19n];
const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
const ed = (bytes: Uint8Array): { kty: string; crv: string; x: string } => ({ kty: 'OKP', crv: 'Ed25519', x: Buffer.from(bytes).toString('base64url') });

/** Every encoding of the eight points of small order, with numbers that are too large for the field among them; the points as the literature prints them. */
const smallOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000', '0100000000000000000000000000000000000000000000000000000000000080', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', '0000000000000000000000000000000000000000000000000000000000000000', '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa', 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
].map((hex) => Buffer.from(hex, 'hex'));

test.each(smallOrder)('a point of small order is no key: %#', (point) => {
  expect(strongPublicKey(ed(point))).toBeUndefined();
  // Where one was stored before, nothing verifies under it: neither a signature of nothing, nor one that takes the key out of the equation.
  const weak = createPublicKey({ key: ed(point), format: 'jwk' });
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const hashed = createHash('sha512').update(Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url')).digest().subarray(0, 32);
  const scalar = (BigInt.asUintN(254, toNumber(hashed)) | 2n ** 254n) - (toNumber(hashed) & 7n);
  const own = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const forgeries = [...smallOrder.map((r) => Buffer.concat([r, Buffer.alloc(32)])), Buffer.concat([own, toBytes(scalar % order)])];
  for (let at = 0; at < 16; at += 1) for (const forged of forgeries) expect(verify(null, Buffer.from(`message ${at}`), weak, forged)).toBe(false);
});

test('a number that is too large for the field is no second spelling of a point (RFC 8032 §5.1.3)', () => {
  for (let low = 0n; low < 19n; low += 1n) for (const bit of [0n, 2n ** 255n]) expect(strongPublicKey(ed(toBytes(field + low + bit)))).toBeUndefined();
  for (let made = 0; made < 50; made += 1) expect(strongPublicKey(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }))?.algorithm).toBe('EdDSA');
  // RFC 8037 appendix A.2, RFC 8032 §7.1.
  for (const x of ['11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', 'PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw', '_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU']) expect(strongPublicKey({ kty: 'OKP', crv: 'Ed25519', x })).toBeDefined();
});

const now = 1_800_000_000;
const claims = { iss: 'i', aud: 'a', sub: 's', iat: now, nbf: now, exp: now + 60, jti: 'j' };

test('RFC 8032 §5.1.7, §8.4: a signature of a token has no second form', () => {
  const key = newTokenKey('k');
  if (key.algorithm !== 'EdDSA' || key.private === undefined) throw new Error('an Ed25519 key is needed');
  const profile = { purpose: 'access', issuer: 'i', audience: 'a', keys: new Map([['k', key]]) } as const;
  const token = signToken('access', claims, key);
  const signed = token.slice(0, token.lastIndexOf('.'));
  const signature = sign(null, Buffer.from(signed), key.private);
  const [r, s] = [signature.subarray(0, 32), toNumber(signature.subarray(32))];
  const accepts = (bytes: Uint8Array): boolean => verifyToken(`${signed}.${Buffer.from(bytes).toString('base64url')}`, profile, now).valid;
  expect(accepts(signature)).toBe(true);
  const zero = Buffer.alloc(32);
  const special = [0n, 1n, order - 1n, order, order + 1n, field - 1n, field, 2n ** 255n, 2n ** 256n - 1n].map(toBytes);
  const forged: readonly Uint8Array[] = [
    ...[1n, 2n, 8n, 15n].map((times) => s + times * order).filter((value) => value < 2n ** 256n).map((value) => Buffer.concat([r, toBytes(value)])), Buffer.concat([r, toBytes(s | 2n ** 255n)]), Buffer.concat([r, toBytes(order - s)]),
    ...special.flatMap((one) => special.map((other) => Buffer.concat([one, other]))), ...special.map((one) => Buffer.concat([r, one])), ...special.map((one) => Buffer.concat([one, toBytes(s)])),
    Buffer.concat([r.subarray(0, 31), Buffer.from([(r[31] ?? 0) ^ 0x80]), toBytes(s)]), Buffer.concat([toBytes(s), r]), Buffer.concat([r, zero]), Buffer.concat([signature, Buffer.alloc(1)]), Buffer.concat([signature, signature]),
    ...[0, 1, 31, 32, 33, 63].map((length) => signature.subarray(0, length)), signature.subarray(1), Buffer.concat([Buffer.alloc(1), signature]), Buffer.from(signature.toString('hex')), Buffer.from(signature).reverse(),
  ];
  for (const bytes of forged) expect(accepts(bytes), Buffer.from(bytes).toString('hex')).toBe(false);
});

test('an RSA modulus has 2 048 bits at least and is written without leading zeros, in 1 400 characters at most', () => {
  const taken = (length: number, first: number, more: object = {}): boolean => strongPublicKey({ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(length, 0xff).fill(first, 0, 1).toString('base64url'), ...more })?.algorithm === 'RS256';
  expect([taken(256, 0x80), taken(257, 0x01), taken(1_050, 0xff)]).toEqual([true, true, true]);
  expect([taken(256, 0x7f), taken(256, 0x01), taken(257, 0x00), taken(255, 0xff), taken(1_051, 0xff), taken(256, 0x80, { e: 'AQAC' }), taken(256, 0x80, { n: '' }), taken(256, 0x80, { n: undefined }), taken(256, 0x80, { kty: 'EC' })]).toEqual(Array<boolean>(9).fill(false));
  // Of a pair only the public half is kept.
  const whole = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ format: 'jwk' });
  expect(strongPublicKey({ ...whole })?.jwk).toEqual({ kty: 'RSA', n: whole.n, e: 'AQAB' });
});

test('a key with members that are no text is none, and no error', () => {
  const members = { x: 7, y: [], n: {}, e: 65_537 };
  for (const kind of [{ kty: 'OKP', crv: 'Ed25519' }, { kty: 'EC', crv: 'P-256' }, { kty: 'RSA' }, { kty: 'RSA', e: 'AQAB' }, { kty: 7, crv: null }]) expect(strongPublicKey({ ...members, ...kind }), JSON.stringify(kind)).toBeUndefined();
});

test('a P-256 key is a point of the curve in two whole coordinates', () => {
  const { kty, crv, x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const taken = (more: object = {}): boolean => strongPublicKey({ kty, crv, x, y, ...more }) !== undefined;
  expect(taken()).toBe(true);
  const cut = Buffer.from(y, 'base64url').subarray(1).toString('base64url');
  for (const bad of [{ x: y }, { y: x }, { y: Buffer.alloc(32).toString('base64url') }, { x: undefined }, { y: undefined }, { y: cut }, { y: `${y}=` }, { crv: 'P-384' }, { kty: 'OKP' }]) expect(taken(bad), JSON.stringify(bad)).toBe(false);
});
