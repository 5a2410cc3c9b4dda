/**
 * Reads ranges of a stored content, each byte verified before it leaves: by the GCM tag of its chunk when the blob is encrypted, by
 * the digest of its leaf when it is plain. Damage ends a read with `content.damaged`; what was yielded before it was correct.
 */
import { timingSafeEqual, type KeyObject } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { WeirError } from '@weir/contracts/errors';
import { chunkSize, headerSize, openHeader, openRun, sealedChunkSize, sealedMessageSize, sealedSize, type MessageKeys } from '@weir/security/content-encryption';
import { blobContext } from './blob-encryption.ts';
import { openBlob, type BlobStore } from './blob-store.ts';
import { digestLeaf } from './leaf-digests.ts';
import { leafCount, leafDigestSize, leafSize } from './unixfs.ts';
import { workAhead } from './work-ahead.ts';

/** A blob with what verifies it. `size` is that of the content in bytes; `leafDigests` are in the clear. */
export type Stored = { readonly blob: string; readonly size: number } & ({ readonly dataKey: KeyObject } | { readonly leafDigests: Uint8Array });

/** So many, because one is being hashed while another one is read; each costs a MiB for every reader. */
const piecesAhead = 2;

/** Reads and verifies the bytes [start, end), which lie in one leaf, into `memory`, and returns them as a part of it. */
type ReadPart = (start: number, end: number, memory: Buffer<ArrayBuffer>) => Promise<Buffer>;
type Piece = Readonly<{ bytes: Buffer; memory: Buffer<ArrayBuffer> }>;

/** Memory that pieces were read into, used again: a fresh MiB for every piece costs as much as opening it. Each use overwrites what it yields. */
const spare: Buffer<ArrayBuffer>[] = [];
const mostSpare = 16;
const take = (): Buffer<ArrayBuffer> => spare.pop() ?? Buffer.allocUnsafeSlow(sealedSize(leafSize));
const giveBack = (memory: Buffer<ArrayBuffer>): void => { if (spare.length < mostSpare) spare.push(memory); };

/** Opens a stored content after checking that its file has exactly the recorded length, and the commitment of its key. */
export async function openReader(store: BlobStore, stored: Stored): Promise<BlobReader> {
  const file = await openBlob(store, stored.blob);
  try {
    const encrypted = 'dataKey' in stored;
    const { size: fileSize } = await file.stat();
    if (fileSize !== (encrypted ? sealedMessageSize(stored.size) : stored.size)) throw damaged('its file does not have the recorded length');
    const readPart = encrypted
      ? sealedParts(file, openHeader(stored.dataKey, blobContext(stored.blob), await readExactly(file, 0, Buffer.allocUnsafeSlow(headerSize))), stored.size)
      : plainParts(file, stored.leafDigests, stored.size);
    return new BlobReader(file, stored.size, readPart);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** An open content; close it with `await using`. Any number of ranges may be read, also at once. */
export class BlobReader implements AsyncDisposable {
  readonly size: number;
  readonly #file: FileHandle;
  readonly #readPart: ReadPart;

  constructor(file: FileHandle, size: number, readPart: ReadPart) {
    this.#file = file;
    this.size = size;
    this.#readPart = readPart;
  }

  /**
   * Yields the bytes [start, end) in pieces of at most 1 MiB, each in memory of its own; two pieces are read ahead.
   * `content.range` unless 0 <= start <= end <= size; `content.damaged`; the reason of the signal when it aborts.
   */
  async *read(start = 0, end: number = this.size, signal?: AbortSignal): AsyncGenerator<Buffer, void, void> {
    for await (const piece of this.lend(start, end, signal)) yield Buffer.from(piece);
  }

  /** The same without a copy: the memory of a piece is used again as soon as the next one is asked for. */
  async *lend(start = 0, end: number = this.size, signal?: AbortSignal): AsyncGenerator<Buffer, void, void> {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start > end || end > this.size) throw new WeirError('content.range');
    signal?.throwIfAborted();
    for await (const { bytes, memory } of workAhead(this.#pieces(start, end), piecesAhead)) {
      signal?.throwIfAborted();
      yield bytes;
      giveBack(memory);
    }
  }

  /** Waits for reads that are under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  *#pieces(start: number, end: number): Generator<() => Promise<Piece>, void> {
    for (let at = start; at < end;) {
      const [from, to] = [at, Math.min(end, (Math.floor(at / leafSize) + 1) * leafSize)];
      yield async () => {
        const memory = take();
        return { bytes: await this.#readPart(from, to, memory), memory };
      };
      at = to;
    }
  }
}

function sealedParts(file: FileHandle, keys: MessageKeys, size: number): ReadPart {
  return async (start, end, memory) => {
    const firstChunk = Math.floor(start / chunkSize);
    const sealedStart = headerSize + firstChunk * sealedChunkSize;
    const sealedEnd = Math.min(headerSize + Math.ceil(end / chunkSize) * sealedChunkSize, sealedMessageSize(size));
    const sealed = await readExactly(file, sealedStart, memory.subarray(0, sealedEnd - sealedStart));
    return openRun(keys, firstChunk, sealed).subarray(start - firstChunk * chunkSize, end - firstChunk * chunkSize);
  };
}

function plainParts(file: FileHandle, leafDigests: Uint8Array, size: number): ReadPart {
  if (leafDigests.length !== leafCount(size) * leafDigestSize) throw damaged('its digests do not have the recorded number');
  const verified = new Uint8Array(leafCount(size));
  return async (start, end, memory) => {
    const leaf = Math.floor(start / leafSize);
    if (verified[leaf] === 1) return readExactly(file, start, memory.subarray(0, end - start));
    const bytes = await readExactly(file, leaf * leafSize, memory.subarray(0, Math.min(leafSize, size - leaf * leafSize)));
    const expected = leafDigests.subarray(leaf * leafDigestSize, (leaf + 1) * leafDigestSize);
    if (!timingSafeEqual(await digestLeaf(bytes), expected)) throw damaged('a leaf has another digest');
    verified[leaf] = 1;
    return bytes.subarray(start - leaf * leafSize, end - leaf * leafSize);
  };
}

/** Fills `bytes` from `position` of the file, and returns them. */
async function readExactly(file: FileHandle, position: number, bytes: Buffer<ArrayBuffer>): Promise<Buffer<ArrayBuffer>> {
  let filled = 0;
  while (filled < bytes.length) {
    const bytesRead = await readSome(file, bytes, filled, position + filled);
    if (bytesRead === 0) throw damaged('its file was cut off');
    filled += bytesRead;
  }
  return bytes;
}

async function readSome(file: FileHandle, bytes: Buffer, filled: number, position: number): Promise<number> {
  try {
    return (await file.read(bytes, filled, bytes.length - filled, position)).bytesRead;
  } catch (cause) {
    throw new WeirError('storage.failed', undefined, { cause });
  }
}

const damaged = (why: string): WeirError => new WeirError('content.damaged', `A stored part failed its check (${why}); it was not served. Restore it from a copy.`);
