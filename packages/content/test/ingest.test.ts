/** Whatever the pieces, the same bytes give the same content; whatever goes wrong, nothing is left. */
import { createSecretKey, hash, randomBytes } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { importer } from 'ipfs-unixfs-importer';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { openMessage } from '@weir/security/content-encryption';
import { ingest, type Ingested } from '../src/ingest.ts';
import { leafSize } from '../src/unixfs.ts';
import { blobPath, blobsOf, collect, pieces, runs, testStore } from './support.ts';

const maxBytes = 16 * leafSize;
const code = (code: string) => expect.objectContaining({ code });
const bytes = randomBytes(3 * leafSize + 12_345);

test('a plain blob is the bytes themselves, private to its owner', async () => {
  await using place = await testStore();
  const stored = await ingest(place.store, pieces(bytes, 65_536), { maxBytes });
  expect(stored).toMatchObject({ size: bytes.length, encrypted: false, contentType: 'application/octet-stream' });
  const path = blobPath(place.store, stored.blob);
  expect((await readFile(path)).equals(bytes)).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(stored.leafDigests.subarray(0, 32).equals(hash('sha256', bytes.subarray(0, leafSize), 'buffer'))).toBe(true);
});

test.each([0, 1, 16_383, 16_384, 16_385, leafSize - 1, leafSize, leafSize + 1, 2 * leafSize + 16_384])('an encrypted blob of %i bytes is one Cobblestone-256 message bound to its id', async (size) => {
  await using place = await testStore();
  const dataKey = createSecretKey(randomBytes(32));
  const content = bytes.subarray(0, size);
  const { blob, encrypted } = await ingest(place.store, pieces(content, 50_000), { maxBytes, dataKey });
  expect(encrypted).toBe(true);
  const message = await readFile(blobPath(place.store, blob));
  expect(openMessage(dataKey, Buffer.from(`weir/blob/v1\0${blob}`), message).equals(content)).toBe(true);
  expect(() => openMessage(dataKey, Buffer.from(`weir/blob/v1\0${'0'.repeat(32)}`), message)).toThrow(code('content.damaged'));
});

test('the content id is the one of the UnixFS importer', async () => {
  await using place = await testStore();
  const blockstore = { put: async (cid: unknown) => cid } as unknown as Parameters<typeof importer>[1];
  for (const size of [0, 1, leafSize - 1, leafSize, leafSize + 1, bytes.length]) {
    const content = bytes.subarray(0, size);
    const [root] = await collect(importer([{ content }], blockstore, { profile: 'unixfs-v1-2025' }));
    const { cid, digest } = await ingest(place.store, pieces(content, 70_001), { maxBytes });
    expect(cid).toBe(root?.cid.toString());
    expect(digest).toBe(Buffer.from(root?.cid.multihash.digest ?? []).toString('hex'));
  }
});

test('how the bytes are cut into pieces changes nothing', async () => {
  await using place = await testStore();
  const { cid, leafDigests } = await ingest(place.store, pieces(bytes, leafSize), { maxBytes });
  const cuts = fc.array(fc.nat(bytes.length), { maxLength: 40 }).map((list) => [0, ...list.toSorted((a, b) => a - b), bytes.length]);
  await fc.assert(fc.asyncProperty(cuts, fc.boolean(), async (at, encrypted) => {
    const source = async function* () { for (let i = 1; i < at.length; i++) yield bytes.subarray(at[i - 1], at[i]); };
    const stored = await ingest(place.store, source(), { maxBytes, expectedSize: bytes.length, ...(encrypted && { dataKey: createSecretKey(randomBytes(32)) }) });
    expect(stored).toMatchObject({ cid, size: bytes.length, encrypted });
    expect(stored.leafDigests.equals(leafDigests)).toBe(true);
  }), { numRuns: runs(15) });
});

test('a source that reuses its buffer is stored as it was when it yielded', async () => {
  await using place = await testStore();
  const source = async function* () {
    const buffer = Buffer.alloc(100_000);
    for (let at = 0; at < bytes.length; at += buffer.length) { bytes.copy(buffer, 0, at); yield buffer.subarray(0, Math.min(buffer.length, bytes.length - at)); }
  };
  const { blob } = await ingest(place.store, source(), { maxBytes });
  expect((await readFile(blobPath(place.store, blob))).equals(bytes)).toBe(true);
});

test('uploads at the same time do not mix', async () => {
  await using place = await testStore();
  const contents = Array.from({ length: 8 }, (_, i) => randomBytes(leafSize + i * 1_000));
  const stored = await Promise.all(contents.map((content) => ingest(place.store, pieces(content, 30_000), { maxBytes })));
  for (const [i, { blob }] of stored.entries()) expect((await readFile(blobPath(place.store, blob))).equals(contents[i] ?? Buffer.of())).toBe(true);
});

test('the sender is held back while the disk is busy', async () => {
  await using place = await testStore();
  let sent = 0;
  let ahead = 0;
  const source = async function* () { for (; sent < 12; sent++) { ahead = Math.max(ahead, sent - (await stored(place.folder)) / leafSize); yield Buffer.alloc(leafSize, sent); } };
  await ingest(place.store, source(), { maxBytes });
  expect(ahead).toBeLessThanOrEqual(3);
});

async function stored(folder: string): Promise<number> {
  const [name] = await readdir(`${folder}/uploads`);
  return name === undefined ? 0 : (await stat(`${folder}/uploads/${name}`)).size;
}

interface Failure { readonly name: string; readonly code: string; readonly attempt: (put: (source: AsyncIterable<Uint8Array>, options?: object) => Promise<Ingested>) => Promise<unknown> }
const failures: Failure[] = [
  { name: 'more bytes than are accepted', code: 'request.too_large', attempt: (put) => put(pieces(bytes, 65_536), { maxBytes: bytes.length - 1 }) },
  { name: 'an announced size beyond what is accepted', code: 'request.too_large', attempt: (put) => put(pieces(bytes, 65_536), { expectedSize: maxBytes + 1 }) },
  { name: 'fewer bytes than announced', code: 'content.incomplete', attempt: (put) => put(pieces(bytes, 65_536), { expectedSize: bytes.length + 1 }) },
  { name: 'more bytes than announced', code: 'request.invalid', attempt: (put) => put(pieces(bytes, 65_536), { expectedSize: bytes.length - 1 }) },
  { name: 'a connection that breaks', code: 'content.incomplete', attempt: (put) => put((async function* () { yield bytes; throw new Error('socket hang up'); })()) },
  { name: 'a source that refuses for a reason of its own', code: 'request.timeout', attempt: (put) => put((async function* () { yield bytes; throw new WeirError('request.timeout'); })()) },
];

test.each(failures)('$name: $code, and nothing is left', async ({ code: expected, attempt }) => {
  await using place = await testStore();
  await expect(attempt((source, options) => ingest(place.store, source, { maxBytes, ...options }))).rejects.toEqual(code(expected));
  expect(await readdir(place.store.uploads)).toEqual([]);
  expect(await blobsOf(place.store)).toEqual([]);
});

test('an abort ends the upload at once, also while the sender is silent', async () => {
  await using place = await testStore();
  const controller = new AbortController();
  let released = false;
  const silent = async function* () { try { yield bytes; await setTimeout(60_000, undefined, { signal: controller.signal }); } finally { released = true; } };
  const upload = ingest(place.store, silent(), { maxBytes, signal: controller.signal });
  await setTimeout(20);
  controller.abort(new WeirError('server.stopping'));
  await expect(upload).rejects.toEqual(code('server.stopping'));
  await setTimeout(1);
  expect(released).toBe(true);
  expect(await readdir(place.store.uploads)).toEqual([]);
  expect(await blobsOf(place.store)).toEqual([]);
});

test('a source that never answers again does not hold an abort up', async () => {
  await using place = await testStore();
  const dead: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined), return: () => new Promise<never>(() => undefined) }) };
  await expect(ingest(place.store, dead, { maxBytes, signal: AbortSignal.timeout(20) })).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(await readdir(place.store.uploads)).toEqual([]);
});
