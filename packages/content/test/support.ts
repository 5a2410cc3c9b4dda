/** A blob store in a folder of its own that is gone when the test is, and streams to feed it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listBlobs, openBlobStore, type BlobStore } from '../src/blob-store.ts';
import type { BlobReader } from '../src/reader.ts';

export interface TestStore extends AsyncDisposable { readonly folder: string; readonly store: BlobStore }

export async function testStore(): Promise<TestStore> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-content-'));
  const store = await openBlobStore(folder);
  return { folder, store, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export const blobPath = (store: BlobStore, blob: string): string => join(store.blobs, blob.slice(0, 2), blob.slice(2, 4), blob);

export async function blobsOf(store: BlobStore): Promise<string[]> {
  return (await collect(listBlobs(store))).map(({ blob }) => blob).sort();
}

export async function readAll(reader: BlobReader, start?: number, end?: number): Promise<Buffer> {
  return Buffer.concat(await collect(reader.read(start, end)));
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** How many rounds a property or a loop takes, scaled by WEIR_TEST_SCALE. */
export const runs = (n: number): number => Math.max(1, Math.round(n * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));
