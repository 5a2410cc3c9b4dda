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

/** Identifiers that others publish, with the digest that they say they have. */
test.each([
  ['zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA', '6e6ff7950a36187a801613426e858dce686cd7d7e3c0fc42ee0330072d245c95'],
  ['QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'], ['bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy', 'c7d01489080858c500065836c658f847a6ca67c4864619212be4f8200e4bbace'],
])('multiformats: %s names the digest that is published for it', (text, named) => { expect(parseCid(text).digest).toBe(named); });

const raw = cidBytes(0x55, digest);
const hex = Buffer.from(raw).toString('hex');
const inBase32 = (...bytes: readonly number[]): string => bases.base32.encode(Uint8Array.from(bytes));
/** As it would be written by who does not follow the specification of CIDs, multihashes, varints or multibase. */
test.each<[string, string]>([
  ...textBases.map((base): [string, string] => [`version 0 in ${base.name}`, base.encode(Uint8Array.of(0x12, 32, ...digest))]),
  ...textBases.map((base): [string, string] => [`an identity hash in ${base.name}`, base.encode(Uint8Array.of(1, 0x55, 0, 5, 104, 101, 108, 108, 111))]),
  ...[0, 1, 19, 20, 31, 33, 64, 127].map((length): [string, string] => [`a digest of ${length} bytes`, inBase32(1, 0x55, 0x12, length, ...Buffer.alloc(length, 7))]),
  ...[[0x81, 0x00], [0x81, 0x80, 0x00], [0x80, 0x00], [0x00], [0x02], [0x03], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]].map((version): [string, string] => [`the version ${Buffer.from(version).toString('hex')}`, inBase32(...version, 0x55, 0x12, 32, ...digest)]),
  ...[[0xd5, 0x00], [0xd5, 0x80, 0x00], [0xf0, 0x00], [0x71], [0x72], [0x51], [0x00], [0x85, 0x01], [0x80, 0x04], [0xb0, 0x01], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]].map((codec): [string, string] => [`the codec ${Buffer.from(codec).toString('hex')}`, inBase32(1, ...codec, 0x12, 32, ...digest)]),
  ...[[0x92, 0x00], [0x11], [0x13], [0x14], [0x16], [0x1b], [0x1e], [0x56], [0xd5], [0xd5, 0x01], [0xa0, 0xe4, 0x02], [0x12, 0x12]].map((code): [string, string] => [`the hash ${Buffer.from(code).toString('hex')}`, inBase32(1, 0x55, ...code, 32, ...digest)]),
  ...[[0xa0, 0x00], [0xa0, 0x80, 0x00], [0x1f], [0x21], [0x00], [0xff], [0xa0]].map((length): [string, string] => [`the length ${Buffer.from(length).toString('hex')}`, inBase32(1, 0x55, 0x12, ...length, ...digest)]),
  ['a version twice', inBase32(1, ...raw)], ['nothing but a version', inBase32(1)], ['a byte less', inBase32(...raw.subarray(0, -1))], ['a byte more', inBase32(...raw, 0)],
  ['capitals behind the sign of small letters (f)', `f${hex.toUpperCase()}`], ['small letters behind the sign of capitals (F)', `F${hex}`], ['both (f)', `f${hex.slice(0, 8)}${hex.slice(8).toUpperCase()}`], ['capitals (b)', `b${canonical.slice(1).toUpperCase()}`], ['small letters (B)', `B${canonical.slice(1)}`], ['one capital (b)', canonical.replace('k', 'K')],
  ['padding (b)', `${canonical}======`], ['half its padding (c)', `c${canonical.slice(1)}===`], ['no padding (c)', `c${canonical.slice(1)}`], ['padding (m)', `m${Buffer.from(raw).toString('base64')}=`], ['a letter of the other alphabet (m)', `m${Buffer.from(raw).toString('base64').replace(/.$/, '_')}`],
  ['a letter of the other alphabet (u)', `u${Buffer.from(raw).toString('base64url').replace(/.$/, '+')}`], ['half a byte (f)', `f${hex}0`], ['leading zeros (z)', `z1${bases.base58btc.encode(raw).slice(1)}`], ['leading zeros (k)', `k0${bases.base36.encode(raw).slice(1)}`], ['leading zeros (9)', `90${bases.base10.encode(raw).slice(1)}`],
  ['a letter that the base lacks (z)', `z0${bases.base58btc.encode(raw).slice(2)}`], ['a letter that the base lacks (b)', canonical.replace(/.$/, '1')], ['bits that nobody reads (b)', canonical.replace(/.$/, '5')], ['a sign of no base', `x${hex}`], ['the sign of raw bytes', `\0${Buffer.from(raw).toString('latin1')}`], ['a sign alone', 'z'],
  ['no sign', hex], ['a sign of numbers', `0x${hex}`], ['a path before it', `/ipfs/${canonical}`], ['a scheme before it', `ipfs://${canonical}`], ['a path behind it', `${canonical}/a`], ['a query behind it', `${canonical}?a`], ['a NUL behind it', `${canonical}\0`], ['a line end behind it', `${canonical}\n`], ['a byte order mark before it', `\ufeff${canonical}`],
  ['a letter that only looks like it', canonical.replace('a', '\u0430')], ['a full-width letter', canonical.replace('a', '\uff41')],
  ['version 0 in capitals', 'QMT78ZSUBMUS4Z925WZFRQQ1QHAJ56DQATFYMUF7F8FF5O'], ['version 0 that is too short', 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5'], ['version 0 that is too long', 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o1'], ['version 0 of another hash', '5drNu81uhrFLRiS4bxWgAkpydaLUPW'], ['version 0 with a letter that the base lacks', 'Qm078zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o'],
])('multiformats: %s is no identifier', (_, text) => refused(text));
