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

test('whatever is given, it opens or is refused, and never shows what it was given', () => {
  const key = parseFernetKey(ofPython.key);
  fc.assert(fc.property(fc.oneof(fc.string({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('base64url'))), (token) => {
    expect(() => openFernet(key, token)).toThrow(wrong);
  }), { numRuns: runs(2_000) });
  for (const text of ['', 'fernet:', 'aes:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', 'fernet:AAEC', 'fernet:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=']) {
    expect(() => parseFernetKey(text)).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.not.stringContaining('AAEC') as string }));
  }
});
