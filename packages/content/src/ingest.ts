/**
 * Receives a stream of bytes once: digests, content id, optional encryption and one durable blob file. Memory stays at a few MiB
 * whatever the size; until it resolves nothing is visible, and a refusal, an abort or a failure leaves no file.
 */
import type { KeyObject } from 'node:crypto';
import { chunkSize, newMessage, sealedSize, sealRun } from '@weir/security/content-encryption';
import { blobContext } from './blob-encryption.ts';
import { BlobWriter, type BlobStore } from './blob-store.ts';
import { sniffContentType, sniffedSize, unknownType } from './content-type.ts';
import { InFlight } from './in-flight.ts';
import { intake, type IntakeLimits } from './intake.ts';
import { digestLeaf } from './leaf-digests.ts';
import { leafSize, rootOf } from './unixfs.ts';

export interface IngestOptions extends IntakeLimits {
  /** Encrypts the blob as Cobblestone-256 under this key of 32 random bytes (16: Cobblestone-128), which no other content may share. */
  readonly dataKey?: KeyObject;
}

export interface Ingested {
  readonly blob: string;
  /** Hex SHA-256 of the root block, and the root's CIDv1. */
  readonly digest: string;
  readonly cid: string;
  /** Bytes of the content, not of the stored file. */
  readonly size: number;
  /** SHA-256 of each MiB, concatenated, in the clear. */
  readonly leafDigests: Buffer;
  readonly encrypted: boolean;
  /** By the first bytes; `application/octet-stream` when they say nothing. */
  readonly contentType: string;
}

/**
 * Stores what `source` yields, in pieces of any size, within `maxBytes` and the announced size. Throws as `intake` does,
 * `storage.full` and `storage.failed`.
 */
export async function ingest(store: BlobStore, source: AsyncIterable<Uint8Array>, options: IngestOptions): Promise<Ingested> {
  await using blob = await BlobWriter.create(store);
  await using inFlight = new InFlight();
  const sink = options.dataKey === undefined ? plainSink(blob) : await sealingSink(blob, options.dataKey);
  const digests: Buffer[] = [];
  let size = 0;
  let contentType = unknownType;

  for await (const leaf of leavesOf(intake(source, options))) {
    if (size === 0) contentType = sniffContentType(leaf.subarray(0, sniffedSize));
    size += leaf.length;
    await inFlight.start(async () => {
      const [digest] = await Promise.all([digestLeaf(leaf), sink.leaf(leaf)]);
      digests.push(digest);
    });
  }
  await inFlight.done();
  await sink.end();

  const leafDigests = Buffer.concat(digests);
  const root = rootOf(leafDigests, size);
  options.signal?.throwIfAborted();
  await blob.publish();
  return { blob: blob.blob, ...root, size, leafDigests, encrypted: options.dataKey !== undefined, contentType };
}

/** Cuts a stream into leaves: whole ones but for the last, and a single empty one of nothing. A leaf is overwritten after the next. */
async function* leavesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let [current, other] = [new Uint8Array(leafSize), new Uint8Array(leafSize)];
  let filled = 0;
  let yielded = 0;
  for await (const piece of pieces) {
    for (let taken = 0; taken < piece.length;) {
      const part = piece.subarray(taken, taken + leafSize - filled);
      current.set(part, filled);
      filled += part.length;
      taken += part.length;
      if (filled < leafSize) continue;
      yield current;
      yielded += 1;
      [current, other, filled] = [other, current, 0];
    }
  }
  if (filled > 0 || yielded === 0) yield current.subarray(0, filled);
}

/** Where leaves go, in order; `end` writes what must follow the last one. */
interface Sink { leaf(bytes: Uint8Array): Promise<void>; end(): Promise<void> }

const plainSink = (blob: BlobWriter): Sink => ({ leaf: (bytes) => blob.append(bytes), end: async () => undefined });

async function sealingSink(blob: BlobWriter, dataKey: KeyObject): Promise<Sink> {
  const { header, keys } = newMessage(dataKey, blobContext(blob.blob));
  await blob.append(header);
  const sealed = Buffer.allocUnsafeSlow(sealedSize(leafSize));
  let size = 0;
  const append = (bytes: Uint8Array): Promise<void> => blob.append(sealed.subarray(0, sealRun(keys, size / chunkSize, bytes, sealed)));
  return {
    leaf: async (bytes) => {
      if (bytes.length === 0) return;
      await append(bytes);
      size += bytes.length;
    },
    // A message ends with a chunk that is not full; when the content fills its chunks, that one is empty.
    end: async () => { if (size % chunkSize === 0) await append(new Uint8Array()); },
  };
}
