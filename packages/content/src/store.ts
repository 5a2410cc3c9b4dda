/** The content store of a server: bytes come in encrypted and unnamed, become somebody's holding in a transaction, and are read back verified. */
import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { Database, Schema, Tx } from '@weir/data/schema';
import { contentKeyPurpose } from '@weir/data/security-stores/sealed-rows';
import { readUserKey, userKeyOf } from '@weir/data/security-stores/user-keys';
import type { KeyRing } from '@weir/security/key-ring';
import type { Selectable } from 'kysely';
import { deleteBlob, type BlobStore } from './blob-store.ts';
import { insertHolding } from './holdings.ts';
import { ingest } from './ingest.ts';
import { sealLeafDigests } from './leaf-digests.ts';
import { openReader, type BlobReader } from './reader.ts';
import { unwrapKey, wrapKey } from './user-wrapping.ts';

export type HoldingRow = Selectable<Schema['holding']>;

/** Bytes that are on disk and durable, and that no holding names yet. */
export type Received = Readonly<{
  blob: string; digest: string; cid: string; size: number; contentType: string;
  /** The data key under the key ring; null for a plain blob. */
  sealedKey: Uint8Array | null;
  leafDigests: Uint8Array;
}>;


/**
 * How new content is encrypted at rest; what is stored already is read whatever this says. `keyScope` `user`: the key of the owner wraps
 * the data key, under the key ring, so that destroying it erases all that it wrapped.
 */
export type ContentEncryption = Readonly<{ encrypt: boolean; keyBits?: 128 | 256; keyScope?: 'content' | 'user' }>;
/** What opens a stored content. Bytes that are nobody's yet have no user key. */
type Openable = Pick<HoldingRow, 'blob' | 'size' | 'data_key' | 'leaf_digests'> & Readonly<{ user_key?: string | null }>;

export class ContentStore {
  readonly blobs: BlobStore;
  readonly #keyRing: KeyRing;
  readonly #db: Database;
  readonly #encryption: ContentEncryption;

  constructor(blobs: BlobStore, keyRing: KeyRing, db: Database, encryption: ContentEncryption) {
    this.blobs = blobs;
    this.#keyRing = keyRing;
    this.#db = db;
    this.#encryption = encryption;
  }

  /** Stores a stream. `request.too_large`, `content.incomplete`, `storage.full`; then, and on abort, no byte is kept. */
  async receive(source: AsyncIterable<Uint8Array>, options: { maxBytes: number; expectedSize?: number; signal?: AbortSignal }): Promise<Received> {
    const { encrypt, keyBits = 256 } = this.#encryption;
    const keyBytes = encrypt ? randomBytes(keyBits / 8) : undefined;
    const dataKey = keyBytes && createSecretKey(keyBytes);
    const { blob, digest, cid, size, contentType, leafDigests } = await ingest(this.blobs, source, { ...options, ...(dataKey && { dataKey }) });
    const sealedKey = keyBytes === undefined ? null : this.#keyRing.seal(contentKeyPurpose, blob, keyBytes);
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
    const keys = sealedKey !== null && this.#encryption.keyScope === 'user' ? await this.#wrappedFor(tx, owner, received.blob, sealedKey, now) : { data_key: sealedKey, user_key: null };
    return insertHolding(tx, { ...content, ...rest, ...keys, owner, content_type: contentType, leaf_digests: leafDigests, created_at: now });
  }

  async #wrappedFor(tx: Tx, owner: string, blob: string, sealedKey: Uint8Array, now: number): Promise<Pick<HoldingRow, 'data_key' | 'user_key'>> {
    const { id, key } = await userKeyOf(tx, this.#keyRing, owner, now);
    const bytes = this.#keyRing.open(contentKeyPurpose, blob, sealedKey);
    try {
      return { data_key: this.#keyRing.seal(contentKeyPurpose, blob, wrapKey(key, blob, bytes)), user_key: id };
    } finally {
      bytes.fill(0);
    }
  }

  async discard(received: Pick<Received, 'blob'>): Promise<void> {
    await deleteBlob(this.blobs, received.blob);
  }

  /** Opens a holding for verified reading; close it with `await using`. */
  async open(holding: Openable): Promise<BlobReader> {
    const { blob, size } = holding;
    const dataKey = await this.#dataKey(holding);
    return openReader(this.blobs, dataKey === undefined ? { blob, size, leafDigests: holding.leaf_digests } : { blob, size, dataKey });
  }

  /** Bytes `start` to before `end`, in pieces of up to 1 MiB, each verified before it is yielded. */
  async* read(holding: HoldingRow, range: Readonly<{ start: number; end: number }>, signal?: AbortSignal): AsyncGenerator<Buffer> {
    await using reader = await this.open(holding);
    yield* reader.read(range.start, range.end, signal);
  }

  async #dataKey({ blob, data_key: sealed, user_key: userKey }: Openable): Promise<KeyObject | undefined> {
    if (sealed === null) return undefined;
    const opened = this.#keyRing.open(contentKeyPurpose, blob, sealed);
    const bytes = typeof userKey === 'string' ? unwrapKey(await readUserKey(this.#db, this.#keyRing, userKey), blob, opened) : opened;
    try {
      return createSecretKey(bytes);
    } finally {
      bytes.fill(0);
    }
  }
}
