/** The content store of a server: bytes come in encrypted and unnamed, become somebody's holding in a transaction, and are read back verified. */
import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { Schema, Tx } from '@weir/data/schema';
import type { KeyRing } from '@weir/security/key-ring';
import type { Selectable } from 'kysely';
import { deleteBlob, type BlobStore } from './blob-store.ts';
import { insertHolding } from './holdings.ts';
import { ingest } from './ingest.ts';
import { openLeafDigests, sealLeafDigests } from './leaf-digests.ts';
import { openReader, type BlobReader } from './reader.ts';

export type HoldingRow = Selectable<Schema['holding']>;

/** Bytes that are on disk and durable, and that no holding names yet. */
export type Received = Readonly<{
  blob: string; digest: string; cid: string; size: number; contentType: string;
  /** The data key under the key ring; null for a plain blob. */
  sealedKey: Uint8Array | null;
  leafDigests: Uint8Array;
}>;

const keyPurpose = 'content-key';

export class ContentStore {
  readonly blobs: BlobStore;
  readonly #keyRing: KeyRing;
  readonly #encrypt: boolean;

  /** `encrypt`: whether new content is encrypted at rest. What is stored already is read either way. */
  constructor(blobs: BlobStore, keyRing: KeyRing, { encrypt }: { encrypt: boolean }) {
    this.blobs = blobs;
    this.#keyRing = keyRing;
    this.#encrypt = encrypt;
  }

  /** Stores a stream. `request.too_large`, `content.incomplete`, `storage.full`; then, and on abort, no byte is kept. */
  async receive(source: AsyncIterable<Uint8Array>, options: { maxBytes: number; expectedSize?: number; signal?: AbortSignal }): Promise<Received> {
    const keyBytes = this.#encrypt ? randomBytes(32) : undefined;
    const dataKey = keyBytes && createSecretKey(keyBytes);
    const { blob, digest, cid, size, contentType, leafDigests } = await ingest(this.blobs, source, { ...options, ...(dataKey && { dataKey }) });
    const sealedKey = keyBytes === undefined ? null : this.#keyRing.seal(keyPurpose, blob, keyBytes);
    keyBytes?.fill(0);
    return { blob, digest, cid, size, contentType, sealedKey, leafDigests: dataKey === undefined ? leafDigests : sealLeafDigests(dataKey, blob, leafDigests) };
  }

  /** Makes received bytes the owner's. When the owner holds the same content already, that holding is the answer and the new bytes are garbage. */
  async publish(
    tx: Tx, owner: string, received: Received,
    facts: Readonly<{ title: string; contentType: string; policy: string | null; ceilings: string; origin: string | null; now: number }>,
  ): Promise<HoldingRow> {
    const { sealedKey, leafDigests, contentType: _sniffed, ...content } = received;
    const { now, contentType, ...rest } = facts;
    return insertHolding(tx, { ...content, ...rest, owner, content_type: contentType, data_key: sealedKey, leaf_digests: leafDigests, created_at: now });
  }

  async discard(received: Pick<Received, 'blob'>): Promise<void> {
    await deleteBlob(this.blobs, received.blob);
  }

  /** Opens a holding for verified reading; close it with `await using`. */
  async open(holding: Pick<HoldingRow, 'blob' | 'size' | 'data_key' | 'leaf_digests'>): Promise<BlobReader> {
    const { blob, size } = holding;
    return openReader(this.blobs, holding.data_key === null
      ? { blob, size, leafDigests: holding.leaf_digests } : { blob, size, dataKey: this.#dataKey(blob, holding.data_key) });
  }

  /** Bytes `start` to before `end`, in pieces of up to 1 MiB, each verified before it is yielded. */
  async* read(holding: HoldingRow, range: Readonly<{ start: number; end: number }>, signal?: AbortSignal): AsyncGenerator<Buffer> {
    await using reader = await this.open(holding);
    yield* reader.read(range.start, range.end, signal);
  }

  /** SHA-256 of each MiB, in the clear. */
  leafDigests(holding: Pick<HoldingRow, 'blob' | 'data_key' | 'leaf_digests'>): Buffer {
    if (holding.data_key === null) return Buffer.from(holding.leaf_digests);
    return openLeafDigests(this.#dataKey(holding.blob, holding.data_key), holding.blob, holding.leaf_digests);
  }

  #dataKey(blob: string, sealed: Uint8Array): KeyObject {
    const bytes = this.#keyRing.open(keyPurpose, blob, sealed);
    try {
      return createSecretKey(bytes);
    } finally {
      bytes.fill(0);
    }
  }
}
