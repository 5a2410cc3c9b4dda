/** Removes blobs that nothing uses any more, while uploads and reads go on. */
import { deleteBlob, listBlobs, type BlobStore } from './blob-store.ts';

/** An hour: far longer than an upload takes from its last byte to its row, far shorter than a disk takes to fill. */
export const defaultGraceMs = 3_600_000;
const batchSize = 500;

/** Those of the given blobs that must stay. Asked after the blobs were listed, so a row written meanwhile counts. */
export type InUse = (blobs: readonly string[]) => Promise<ReadonlySet<string>>;

export interface GarbageOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** A blob younger than this may belong to an upload that has not written its row yet. */
  readonly graceMs?: number;
  readonly signal?: AbortSignal;
}

/** Removes every blob older than the grace period that `inUse` does not name, and returns how many there were. */
export async function collectGarbage(store: BlobStore, inUse: InUse, { now, graceMs = defaultGraceMs, signal }: GarbageOptions): Promise<number> {
  let removed = 0;
  let old: string[] = [];
  for await (const { blob, modifiedMs } of listBlobs(store)) {
    signal?.throwIfAborted();
    if (modifiedMs > now - graceMs) continue;
    old.push(blob);
    if (old.length < batchSize) continue;
    removed += await removeUnused(store, old, inUse);
    old = [];
  }
  return removed + await removeUnused(store, old, inUse);
}

async function removeUnused(store: BlobStore, blobs: readonly string[], inUse: InUse): Promise<number> {
  if (blobs.length === 0) return 0;
  const used = await inUse(blobs);
  const unused = blobs.filter((blob) => !used.has(blob));
  for (const blob of unused) await deleteBlob(store, blob);
  return unused.length;
}
