/** What is read is what was stored, or it is not read. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { appendFile, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ingest } from '../src/ingest.ts';
import { openReader, type BlobReader, type Stored } from '../src/reader.ts';
import { leafSize } from '../src/unixfs.ts';
import { blobPath, collect, pieces, readAll, runs, testStore, type TestStore } from './support.ts';

const bytes = randomBytes(3 * leafSize + 33_333);
const damaged = expect.objectContaining({ code: 'content.damaged' });
const kinds = ['plain', 'encrypted'] as const;

interface Placed extends AsyncDisposable { readonly place: TestStore; readonly stored: Stored; readonly path: string }

async function placed(kind: (typeof kinds)[number], content: Uint8Array = bytes): Promise<Placed> {
  const place = await testStore();
  const dataKey = createSecretKey(randomBytes(32));
  const { blob, size, leafDigests } = await ingest(place.store, pieces(content, 65_536), { maxBytes: content.length, ...(kind === 'encrypted' && { dataKey }) });
  const stored: Stored = kind === 'encrypted' ? { blob, size, dataKey } : { blob, size, leafDigests };
  return { place, stored, path: blobPath(place.store, blob), [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
}

async function rereads({ place, stored }: Placed, start?: number, end?: number): Promise<Buffer> {
  await using reader = await openReader(place.store, stored);
  return await readAll(reader, start, end);
}

test.each(kinds)('%s: all of it, and any range of it', async (kind) => {
  await using it = await placed(kind);
  expect((await rereads(it)).equals(bytes)).toBe(true);
  await using reader = await openReader(it.place.store, it.stored);
  const boundary = fc.oneof(fc.nat(bytes.length), fc.constantFrom(0, 1, 16_384, leafSize - 1, leafSize, leafSize + 1, 3 * leafSize, bytes.length - 1, bytes.length));
  await fc.assert(fc.asyncProperty(boundary, boundary, async (a, b) => {
    const [start, end] = [Math.min(a, b), Math.max(a, b)];
    const parts = await collect(reader.read(start, end));
    expect(Buffer.concat(parts).equals(bytes.subarray(start, end))).toBe(true);
    expect(Math.max(0, ...parts.map((part) => part.length))).toBeLessThanOrEqual(leafSize);
  }), { numRuns: runs(60) });
});

test.each(kinds)('%s: sizes around every boundary', async (kind) => {
  for (const size of [0, 1, 16_383, 16_384, 16_385, leafSize - 1, leafSize, leafSize + 1, 2 * leafSize]) {
    await using it = await placed(kind, bytes.subarray(0, size));
    expect((await rereads(it)).equals(bytes.subarray(0, size)), `${size}`).toBe(true);
  }
});

test.each(kinds)('%s: a range outside the content is refused', async (kind) => {
  await using it = await placed(kind);
  for (const [start, end] of [[-1, 5], [5, 4], [0, bytes.length + 1], [0.5, 2], [Number.NaN, 2]]) {
    await expect(rereads(it, start, end)).rejects.toEqual(expect.objectContaining({ code: 'content.range' }));
  }
});

test.each(kinds)('%s: pieces that were yielded stay as they were', async (kind) => {
  await using it = await placed(kind);
  await using reader = await openReader(it.place.store, it.stored);
  const parts = await collect(reader.read());
  expect(new Set(parts.map((part) => part.buffer)).size).toBe(parts.length);
  await readAll(reader);
  expect(Buffer.concat(parts).equals(bytes)).toBe(true);
});

test.each(kinds)('%s: a flipped bit anywhere is noticed by whoever reads there, and only correct bytes came before', async (kind) => {
  await using it = await placed(kind);
  const original = await readFile(it.path);
  const regions = [0, 23, 24, 55, 56, 71, 16_400, 16_455, 16_456, leafSize - 1, leafSize, leafSize + 1, original.length - 17, original.length - 16, original.length - 1];
  await fc.assert(fc.asyncProperty(fc.oneof(fc.constantFrom(...regions), fc.nat(original.length - 1)), fc.nat(7), async (at, bit) => {
    await patch(it.path, at, (original[at] ?? 0) ^ (1 << bit));
    const seen: Buffer[] = [];
    await expect((async () => {
      await using reader = await openReader(it.place.store, it.stored);
      for await (const part of reader.read()) seen.push(part);
    })()).rejects.toEqual(damaged);
    const before = Buffer.concat(seen);
    expect(before.equals(bytes.subarray(0, before.length))).toBe(true);
    await patch(it.path, at, original[at] ?? 0);
  }), { numRuns: runs(40), examples: regions.map((at) => [at, at % 8]) });
  expect((await rereads(it)).equals(bytes)).toBe(true);
});

test.each(kinds)('%s: a part that is whole is served although another one is damaged', async (kind) => {
  await using it = await placed(kind);
  const original = await readFile(it.path);
  await patch(it.path, 2 * leafSize + 200_000, (original[2 * leafSize + 200_000] ?? 0) ^ 1);
  expect((await rereads(it, leafSize, leafSize + 5)).equals(bytes.subarray(leafSize, leafSize + 5))).toBe(true);
  await expect(rereads(it, 2 * leafSize, 3 * leafSize)).rejects.toEqual(damaged);
});

test.each(kinds)('%s: a file that is shorter, longer or gone is not served at all', async (kind) => {
  await using it = await placed(kind);
  const { length } = await readFile(it.path);
  await appendFile(it.path, 'x');
  await expect(rereads(it)).rejects.toEqual(damaged);
  for (const size of [length - 1, length - 16, length - 16_400, leafSize, 56, 10, 0]) {
    await truncate(it.path, size);
    await expect(rereads(it), `${size}`).rejects.toEqual(damaged);
  }
  await rm(it.path);
  await expect(rereads(it)).rejects.toEqual(damaged);
});

test.each(kinds)('%s: a file that shrinks while it is read ends the read', async (kind) => {
  await using it = await placed(kind);
  await using reader = await openReader(it.place.store, it.stored);
  await truncate(it.path, leafSize);
  await expect(readAll(reader)).rejects.toEqual(damaged);
});

test('a wrong key, and the blob of another under its name, are refused', async () => {
  await using it = await placed('encrypted');
  await expect(openReader(it.place.store, { ...it.stored, dataKey: createSecretKey(randomBytes(32)) })).rejects.toEqual(damaged);
  if (!('dataKey' in it.stored)) throw new Error('not encrypted');
  const other = await ingest(it.place.store, pieces(bytes, 65_536), { maxBytes: bytes.length, dataKey: it.stored.dataKey });
  await writeFile(it.path, await readFile(blobPath(it.place.store, other.blob)));
  await expect(openReader(it.place.store, it.stored)).rejects.toEqual(damaged);
});

test('digests of another size or of other bytes are refused', async () => {
  await using it = await placed('plain');
  if (!('leafDigests' in it.stored)) throw new Error('encrypted');
  await expect(openReader(it.place.store, { ...it.stored, leafDigests: it.stored.leafDigests.subarray(32) })).rejects.toEqual(damaged);
  const swapped = Buffer.concat([it.stored.leafDigests.subarray(32, 64), it.stored.leafDigests.subarray(0, 32), it.stored.leafDigests.subarray(64)]);
  await using reader = await openReader(it.place.store, { ...it.stored, leafDigests: swapped });
  await expect(readAll(reader)).rejects.toEqual(damaged);
});

test('an abort ends a read with its reason; the file closes with the scope', async () => {
  await using it = await placed('encrypted');
  const controller = new AbortController();
  let left: BlobReader | undefined;
  await expect((async () => {
    await using reader = await openReader(it.place.store, it.stored);
    left = reader;
    for await (const part of reader.read(0, bytes.length, controller.signal)) controller.abort(new Error(`stop after ${part.length}`));
  })()).rejects.toThrow('stop after 1048576');
  if (left === undefined) throw new Error('not opened');
  await expect(readAll(left)).rejects.toEqual(expect.objectContaining({ code: 'storage.failed' }));
});

test('a read that is given up leaves nothing running and nothing open', async () => {
  await using it = await placed('plain');
  await using reader = await openReader(it.place.store, it.stored);
  for await (const part of reader.read()) { expect(part).toHaveLength(leafSize); break; }
  expect((await readAll(reader, 5, 10)).equals(bytes.subarray(5, 10))).toBe(true);
});

async function patch(path: string, at: number, value: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(Uint8Array.of(value), 0, 1, at);
}
