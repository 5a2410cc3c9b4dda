import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  bodyDigest, digestOfBody, newDffmpegKey, parseDffmpegKey, signDffmpeg, verifyDffmpeg, type SignedDffmpegRequest,
} from '../../src/request-signing/dffmpeg.ts';
import { mutations } from '../mutations.ts';
import { runs } from '../runs.ts';

type Vector = { name: string; key_b64: string; method: string; path: string; timestamp: string; body_b64: string; payload_sha256_hex: string; signature_b64: string };
const { vectors } = JSON.parse(readFileSync(new URL('../vectors/dffmpeg-signing.json', import.meta.url), 'utf8')) as { vectors: Vector[] };

const now = 1_795_357_588;
const key = parseDffmpegKey(newDffmpegKey());
const signed = (change: Partial<SignedDffmpegRequest> = {}): SignedDffmpegRequest => {
  const request = { method: 'POST', path: '/jobs/submit', timestamp: String(now), bodyDigest: digestOfBody(Buffer.from('{}')), ...change };
  return { ...request, signature: change.signature ?? signDffmpeg(key, request) };
};

test('signatures are those of the original signer', () => {
  expect(vectors.length).toBeGreaterThan(10);
  for (const vector of vectors) {
    const body = Buffer.from(vector.body_b64, 'base64');
    const request = { method: vector.method, path: vector.path, timestamp: vector.timestamp, bodyDigest: digestOfBody(body) };
    const vectorKey = parseDffmpegKey(vector.key_b64);
    expect(request.bodyDigest, vector.name).toBe(vector.payload_sha256_hex);
    expect(signDffmpeg(vectorKey, request), vector.name).toBe(vector.signature_b64);
    expect(verifyDffmpeg(vectorKey, { ...request, signature: vector.signature_b64 }, Number(vector.timestamp))?.toString('base64')).toBe(vector.signature_b64);
    expect(verifyDffmpeg(vectorKey, { ...request, signature: vector.signature_b64, path: `${vector.path}/` }, Number(vector.timestamp))).toBeUndefined();
  }
});

test('a method is signed in upper case', () => {
  expect(verifyDffmpeg(key, { ...signed(), method: 'post' }, now)).toBeDefined();
});

test('a body that arrives in pieces has the digest of the whole', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array()), (pieces) => {
    const digest = bodyDigest();
    for (const piece of pieces) digest.update(piece);
    expect(digest.hex()).toBe(digestOfBody(Buffer.concat(pieces)));
  }), { numRuns: runs(100) });
});

test('thirty seconds are accepted both ways and not one more; a wider skew reaches to 300 and no further', () => {
  for (const offset of [-30, -1, 0, 1, 30]) expect(verifyDffmpeg(key, signed(), now + offset), String(offset)).toBeDefined();
  for (const offset of [-31, 31, -86_400, 86_400]) expect(verifyDffmpeg(key, signed(), now + offset), String(offset)).toBeUndefined();
  expect(verifyDffmpeg(key, signed(), now + 299, 300)).toBeDefined();
  expect(verifyDffmpeg(key, signed(), now + 301, 3_600)).toBeUndefined();
});

test('a timestamp is 1 to 12 ASCII digits', () => {
  for (const timestamp of ['', ' 1', '1 ', '+1', '-1', '1_0', '1.0', '1e3', '0x1', '１２', '1234567890123', '1\n', 'NaN']) {
    expect(verifyDffmpeg(key, signed({ timestamp }), Number(timestamp) || 0), JSON.stringify(timestamp)).toBeUndefined();
  }
  expect(verifyDffmpeg(key, signed({ timestamp: '0' }), 0)).toBeDefined();
});

test('a path may have 8 192 characters', () => {
  expect(verifyDffmpeg(key, signed({ path: '/'.padEnd(8_192, 'a') }), now)).toBeDefined();
  expect(verifyDffmpeg(key, signed({ path: '/'.padEnd(8_193, 'a') }), now)).toBeUndefined();
});

test('a signature has one spelling only', () => {
  const { signature } = signed();
  const variants = [signature.slice(0, -1), `${signature}=`, `${signature}\n`, ` ${signature}`, signature.replaceAll('+', '-').replaceAll('/', '_').slice(0, 43), Buffer.from(signature, 'base64').toString('hex')];
  const last = signature[42] ?? '';
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  variants.push(`${signature.slice(0, 42)}${alphabet[alphabet.indexOf(last) ^ 1]}=`);
  for (const variant of variants) expect(verifyDffmpeg(key, signed({ signature: variant }), now), variant).toBeUndefined();
});

test('without a key the correct signature of anyone is refused', () => {
  expect(verifyDffmpeg(undefined, signed(), now)).toBeUndefined();
  expect(verifyDffmpeg(parseDffmpegKey(newDffmpegKey()), signed(), now)).toBeUndefined();
});

test('any change of what is signed is refused', () => {
  const part = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PROPFIND'), path: fc.string({ unit: 'binary', maxLength: 60 }),
    timestamp: fc.integer({ min: now - 30, max: now + 30 }).map(String), bodyDigest: fc.nat().map((seed) => digestOfBody(Buffer.from(String(seed)))),
  });
  fc.assert(fc.property(part, part, (one, other) => {
    const signature = signDffmpeg(key, one);
    expect(verifyDffmpeg(key, { ...one, signature }, now)).toBeDefined();
    // Lone surrogates have one encoding for all of them, so what counts is what is signed as UTF-8.
    const differs = JSON.stringify({ ...one, path: Buffer.from(one.path) }) !== JSON.stringify({ ...other, path: Buffer.from(other.path) });
    if (differs) expect(verifyDffmpeg(key, { ...other, signature }, now)).toBeUndefined();
  }), { numRuns: runs(300) });
});

test('a key is 32 bytes in canonical base64, and a refused one is not repeated', () => {
  const good = randomBytes(32).toString('base64');
  for (const bad of ['', 'short', good.slice(0, 43), `${good}\n`, randomBytes(33).toString('base64url'), randomBytes(31).toString('base64'), good.replace(/.$/, '!'), 'A'.repeat(44), `${good}${good}`]) {
    expect(() => parseDffmpegKey(bad)).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.not.stringContaining(bad || '(nothing)') }));
  }
});

test('hostile headers are refused without another error', () => {
  const samples = [signed().signature, String(now), 'POST', '/jobs/submit', digestOfBody(Buffer.alloc(0))];
  for (const text of mutations(samples, runs(2_000))) {
    for (const member of ['signature', 'timestamp', 'bodyDigest'] as const) {
      if (text !== signed()[member]) expect(verifyDffmpeg(key, { ...signed(), [member]: text }, now)).toBeUndefined();
    }
  }
});
