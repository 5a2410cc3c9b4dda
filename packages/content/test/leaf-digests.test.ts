/** Sealed digests open for their key and blob only. */
import { createSecretKey, hash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestLeaf, openLeafDigests, sealLeafDigests } from '../src/leaf-digests.ts';
import { runs } from './support.ts';

const dataKey = createSecretKey(randomBytes(32));
const blob = 'a'.repeat(32);
const damaged = expect.objectContaining({ code: 'content.damaged' });

test('the digest of a leaf is its SHA-256, also when the buffer changes right after', async () => {
  const leaf = new Uint8Array(randomBytes(1_048_576));
  const expected = hash('sha256', leaf, 'buffer');
  const digest = digestLeaf(leaf);
  leaf.fill(0);
  expect((await digest).equals(expected)).toBe(true);
});

test('what was sealed opens again, differently sealed each time', () => {
  for (const count of [0, 1, 5, 1_000]) {
    const digests = randomBytes(32 * count);
    const sealed = sealLeafDigests(dataKey, blob, digests);
    expect(sealed).toHaveLength(digests.length + 28);
    expect(openLeafDigests(dataKey, blob, sealed).equals(digests)).toBe(true);
    expect(sealLeafDigests(dataKey, blob, digests).equals(sealed)).toBe(false);
  }
});

test('another key, another blob and any change are noticed', () => {
  const sealed = sealLeafDigests(dataKey, blob, randomBytes(96));
  expect(() => openLeafDigests(createSecretKey(randomBytes(32)), blob, sealed)).toThrow(damaged);
  expect(() => openLeafDigests(dataKey, 'b'.repeat(32), sealed)).toThrow(damaged);
  fc.assert(fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ difference;
    expect(() => openLeafDigests(dataKey, blob, changed)).toThrow(damaged);
    expect(() => openLeafDigests(dataKey, blob, sealed.subarray(0, at))).toThrow(damaged);
  }), { numRuns: runs(200) });
});
