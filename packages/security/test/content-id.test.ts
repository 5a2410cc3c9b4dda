/** Every spelling of a content id names one content; everything else is refused. */
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { bases } from 'multiformats/basics';
import { expect, test } from 'vitest';
import { cidBytes, contentId, parseCid } from '../src/content-id.ts';
import { runs } from './runs.ts';

const digest = Buffer.from(hash('sha256', 'hello world\n', 'buffer'));
const canonical = 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4';
const refused = (text: string): void => expect(() => parseCid(text), text).toThrow(expect.objectContaining({ code: 'content.id' }));
const textBases = Object.values(bases).filter((base) => base.name !== 'identity');

test('the canonical name of known bytes', () => {
  expect(contentId(0x55, digest)).toEqual({ digest: digest.toString('hex'), cid: canonical });
  expect(parseCid(canonical)).toEqual({ digest: digest.toString('hex'), cid: canonical });
});

test.each(textBases.map((base) => [base.name, base]))('%s is one of its spellings', (_name, base) => {
  expect(parseCid(base.encode(cidBytes(0x55, digest)))).toEqual({ digest: digest.toString('hex'), cid: canonical });
});

test('version 0 names the same content as its version 1', () => {
  const { digest: named, cid } = parseCid('QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o');
  expect(cid).toMatch(/^bafybei/);
  expect(parseCid(cid)).toEqual({ digest: named, cid });
});

test('version 0 behind a multibase prefix is refused', () => refused('zQmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o'));

test('other hashes, other codecs, truncated digests and padded encodings are refused', () => {
  const base = bases.base32;
  const forms: Record<string, Uint8Array> = {
    'identity hash': Uint8Array.of(1, 0x55, 0x00, 32, ...digest),
    'sha2-512 code': Uint8Array.of(1, 0x55, 0x13, 32, ...digest),
    'truncated digest': Uint8Array.of(1, 0x55, 0x12, 20, ...digest.subarray(0, 20)),
    'length that lies': Uint8Array.of(1, 0x55, 0x12, 20, ...digest),
    'trailing byte': Uint8Array.of(1, 0x55, 0x12, 32, ...digest, 0),
    'dag-cbor': Uint8Array.of(1, 0x71, 0x12, 32, ...digest),
    'version 2': Uint8Array.of(2, 0x55, 0x12, 32, ...digest),
    'padded codec': Uint8Array.of(1, 0xd5, 0x00, 0x12, 32, ...digest),
    'padded hash code': Uint8Array.of(1, 0x55, 0x92, 0x00, 32, ...digest),
    'nothing': new Uint8Array(),
  };
  for (const bytes of Object.values(forms)) refused(base.encode(bytes));
  for (const text of ['', 'b', 'Qm', canonical.toUpperCase().replace('B', 'b'), ` ${canonical}`, `${canonical}=`, `${canonical}/x`, '\0', '../../etc/passwd', 'k'.repeat(301), `f${'0'.repeat(299)}`]) refused(text);
});

test('any text is either refused as an id or names 32 bytes', () => {
  const hostile = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.tuple(fc.constantFrom(...textBases), fc.uint8Array({ maxLength: 60 })).map(([base, bytes]) => base.encode(bytes)));
  fc.assert(fc.property(hostile, (text) => {
    try {
      const id = parseCid(text);
      expect(id.digest).toMatch(/^[0-9a-f]{64}$/);
      expect(parseCid(id.cid)).toEqual(id);
    } catch (error) {
      expect(error).toMatchObject({ code: 'content.id' });
    }
  }), { numRuns: runs(2_000) });
});

test('one changed character is never the same content', () => {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  fc.assert(fc.property(fc.integer({ min: 1, max: canonical.length - 1 }), fc.constantFrom(...alphabet), (at, letter) => {
    if (canonical[at] === letter) return;
    const changed = canonical.slice(0, at) + letter + canonical.slice(at + 1);
    try { expect(parseCid(changed)).not.toEqual(parseCid(canonical)); } catch (error) { expect(error).toMatchObject({ code: 'content.id' }); }
  }), { numRuns: runs(500) });
});
