/** Roots equal those of the UnixFS importer, around each boundary of the profile. */
import { hash, randomBytes } from 'node:crypto';
import { importer } from 'ipfs-unixfs-importer';
import { fixedSize } from 'ipfs-unixfs-importer/chunker';
import { expect, test } from 'vitest';
import { leafSize, rootOf } from '../src/unixfs.ts';

const nowhere = { put: async (cid: unknown) => cid };

async function importedRoot(bytes: Uint8Array, leaf: number = leafSize): Promise<string> {
  const options = leaf === leafSize ? { profile: 'unixfs-v1-2025' as const } : { profile: 'unixfs-v1-2025' as const, chunker: fixedSize({ chunkSize: leaf }) };
  let root = '';
  for await (const entry of importer([{ content: bytes }], nowhere as unknown as Parameters<typeof importer>[1], options)) root = entry.cid.toString();
  return root;
}

function leafDigests(bytes: Uint8Array, leaf: number = leafSize): Buffer {
  const digests: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += leaf) digests.push(hash('sha256', bytes.subarray(at, at + leaf), 'buffer'));
  return Buffer.concat(digests);
}

test.each([0, 1, leafSize - 1, leafSize, leafSize + 1, 2 * leafSize - 1, 2 * leafSize, 2 * leafSize + 1, 5 * leafSize + 77])('a file of %i bytes', async (size) => {
  const bytes = randomBytes(size);
  expect(rootOf(leafDigests(bytes), size).cid).toBe(await importedRoot(bytes));
});

// Small leaves reach the higher levels of the tree without gigabytes; the shape does not depend on the leaf's size.
test.each([1_023, 1_024, 1_025, 2_048, 2_049, 3_000, 1_024 * 1_024 / 64])('a tree of %i leaves', async (leaves) => {
  const bytes = randomBytes(leaves * 16 - 3);
  expect(rootOf(leafDigests(bytes, 16), bytes.length, 16).cid).toBe(await importedRoot(bytes, 16));
});

test('three levels of nodes', () => {
  // The importer needs twelve seconds for a million leaves, so its answer for one-byte leaves of zeros is written down.
  const leaves = 1_024 * 1_024 + 1;
  const digests = Buffer.alloc(leaves * 32, hash('sha256', Uint8Array.of(0), 'buffer'));
  expect(rootOf(digests, leaves, 1).cid).toBe('bafybeihrw5qtel7xv3fsawispkageviggyzc4t57f4mvp3tdxcr5ekm2be');
});

test('known roots', () => {
  expect(rootOf(leafDigests(new Uint8Array()), 0).cid).toBe('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku');
  expect(rootOf(leafDigests(Buffer.from('hello world\n')), 12).cid).toBe('bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4');
  expect(rootOf(leafDigests(Buffer.from('hello world')), 11).cid).toBe('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e');
  const zeros = hash('sha256', new Uint8Array(leafSize), 'buffer');
  expect(rootOf(Buffer.concat(Array.from({ length: 10 }, () => zeros)), 10 * leafSize).cid).toBe('bafybeibfjdi66hrbmooad7adyrxlrjsn6cizfqmiyupkpye7nropwx4rya');
});

test('digests that do not fit the size are refused', () => {
  expect(() => rootOf(Buffer.alloc(32), leafSize + 1)).toThrow(RangeError);
  expect(() => rootOf(Buffer.alloc(64), leafSize)).toThrow(RangeError);
  expect(() => rootOf(Buffer.alloc(31), 5)).toThrow(RangeError);
});
