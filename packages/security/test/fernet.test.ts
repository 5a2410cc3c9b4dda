import { createCipheriv, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openFernet, parseFernetKey } from '../src/fernet.ts';
import { runs } from './runs.ts';

/** The vector of the Fernet specification, and a key of a signer as Python's cryptography 48 wrote it. */
const specification = { key: 'fernet:cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=', token: 'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==', text: 'hello' };
const ofPython = {
  key: 'fernet:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=',
  token: 'gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD-yfdvM-DI_EOuAZndXGAIk54ZmTVjau_t7mv6R3MUKfPgXUOggDRXUoGaHffndo2d2UMeU_im9qYSuCXu9yRQ4Y_8dlbVVN-JC3b3d_ebqv',
  text: 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=',
};
const wrong = expect.objectContaining({ code: 'keys.wrong' });

test.each([specification, ofPython])('a token of another implementation opens: %#', ({ key, token, text }) => {
  expect(openFernet(parseFernetKey(key), token).toString()).toBe(text);
  expect(openFernet(parseFernetKey(key.replaceAll('-', '+').replaceAll('_', '/')), token).toString()).toBe(text);
});

test('another key, a changed byte anywhere, and a cut are refused', () => {
  const key = parseFernetKey(ofPython.key);
  expect(() => openFernet(parseFernetKey(specification.key), ofPython.token)).toThrow(wrong);
  const bytes = Buffer.from(ofPython.token, 'base64url');
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => openFernet(key, changed.toString('base64url'))).toThrow(wrong);
    expect(() => openFernet(key, bytes.subarray(0, at).toString('base64url'))).toThrow(wrong);
  }
});

/** A token that is signed as it should be, whatever is in it. */
function signed({ version = 0x80, body }: { version?: number; body: Buffer }): string {
  const head = Buffer.concat([Buffer.of(version), Buffer.alloc(8), Buffer.alloc(16, 7), body]);
  return Buffer.concat([head, createHmac('sha256', parseFernetKey(ofPython.key).signing).update(head).digest()]).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}
function encrypted(plain: Buffer, padded = true): Buffer {
  const cipher = createCipheriv('aes-128-cbc', parseFernetKey(ofPython.key).encryption, Buffer.alloc(16, 7)).setAutoPadding(padded);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

test('what the right key signed opens up to 4 096 characters, if it is a token of this version with whole blocks and a padding', () => {
  const key = parseFernetKey(ofPython.key);
  for (const length of [0, 15, 16, 3_007]) expect(openFernet(key, signed({ body: encrypted(Buffer.alloc(length, 1)) }))).toEqual(Buffer.alloc(length, 1));
  const good = encrypted(Buffer.from('good'));
  const bad = [
    signed({ body: encrypted(Buffer.alloc(3_024)) }), signed({ version: 0x81, body: good }), signed({ body: Buffer.alloc(0) }), signed({ body: good.subarray(1) }), signed({ body: Buffer.concat([good, Buffer.of(0)]) }),
  ];
  for (const token of bad) expect(() => openFernet(key, token)).toThrow(wrong);
  expect(() => openFernet(key, signed({ body: encrypted(Buffer.alloc(16, 0x11), false) }))).toThrow(expect.objectContaining({ code: 'keys.wrong', cause: expect.any(Error), message: expect.stringContaining('its row names') }));
});

test('a token and a key have nothing around them', () => {
  const key = parseFernetKey(ofPython.key);
  for (const token of [` ${ofPython.token}`, `${ofPython.token} `, `${ofPython.token}\n`, `.${ofPython.token}`, `${ofPython.token}===`, `${ofPython.token}=A`]) expect(() => openFernet(key, token), token).toThrow(wrong);
  for (const text of [` ${ofPython.key}`, `${ofPython.key}=`, `${ofPython.key}\n`, `x${ofPython.key}`]) expect(() => parseFernetKey(text), text).toThrow(expect.objectContaining({ message: expect.stringContaining('written as fernet:') }));
});

test('whatever is given, it opens or is refused, and never shows what it was given', () => {
  const key = parseFernetKey(ofPython.key);
  fc.assert(fc.property(fc.oneof(fc.string({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('base64url'))), (token) => {
    expect(() => openFernet(key, token)).toThrow(wrong);
  }), { numRuns: runs(2_000) });
  for (const text of ['', 'fernet:', 'aes:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', 'fernet:AAEC', 'fernet:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=']) {
    expect(() => parseFernetKey(text)).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.not.stringContaining('AAEC') as string }));
  }
});

const padded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
const opens = (token: string): boolean => { try { return openFernet(parseFernetKey(specification.key), token).toString() === 'hello'; } catch { return false; } };
/** The specification's token with parts of its own under a right MAC; as it stands without any. */
function made({ version = 0x80, seconds = 499_162_800n, iv = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'), blocks = Buffer.from(specification.token, 'base64url').subarray(25, 41), macLength = 32 } = {}): string {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(seconds);
  const body = Buffer.concat([Buffer.of(version), time, iv, blocks]);
  return padded(Buffer.concat([body, createHmac('sha256', parseFernetKey(specification.key).signing).update(body).digest().subarray(0, macLength)]));
}

test('Fernet: the specification’s own token is what its parts make, and opens whenever it was made', () => {
  expect(made()).toBe(specification.token);
  for (const seconds of [0n, 1n, 2n ** 31n, 2n ** 63n]) expect(opens(made({ seconds }))).toBe(true);
});

test.each<[string, string]>([
  // The kinds of the specification's list of invalid tokens, in the form that tokens have now.
  ['an incorrect MAC', made().replace(/.{4}$/, 'AA==')], ['too short a form', padded(Buffer.from(made(), 'base64url').subarray(0, 40))], ['no base64', made().replace(/^.{11}/, '%%%%%%%%%%%')], ['a payload that is no multiple of a block', made({ blocks: Buffer.alloc(15) })], ['a padding that is wrong', made({ blocks: Buffer.alloc(16) })],
  ['another initialisation vector, which spoils the padding', made({ iv: Buffer.alloc(16, 0xff) })], ['another version', made({ version: 0x81 })], ['the version 0', made({ version: 0 })], ['no payload', made({ blocks: Buffer.alloc(0) })], ['a MAC that is cut', made({ macLength: 31 })], ['half a MAC', made({ macLength: 16 })], ['no MAC', made({ macLength: 0 })],
  // One spelling (RFC 4648 §3.5): any other would be a second token of the same meaning.
  ['no padding', specification.token.replace(/=+$/, '')], ['half its padding', specification.token.slice(0, -1)], ['more padding', `${specification.token}=`], ['bits that nobody reads', specification.token.replace(/.==$/, 'B==')], ['the other alphabet', specification.token.replaceAll('_', '/')], ['a line end inside', specification.token.replace(/^.{20}/, '$&\n')],
  ['a NUL', `${specification.token}\0`], ['quotes', `"${specification.token}"`], ['the form of Python', `b'${specification.token}'`], ['a tail', `${specification.token}gAAA`],
])('Fernet: a token with %s is refused', (_, token) => { expect(opens(token)).toBe(false); });
