/**
 * One file per blob, named by chance: `blobs/aa/bb/<id>`. A blob is written under `uploads/`, made durable, and only then renamed
 * into place, so whatever `blobs/` holds is complete; what a crash leaves under `uploads/` is removed at the next start.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, opendir, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeirError } from '@weir/contracts/errors';

export interface BlobStore {
  readonly blobs: string;
  readonly uploads: string;
  /** Folders known to be on disk with their parents, so that they are synced once and not for every blob. */
  readonly durableFolders: Set<string>;
}

/** Larger writes make the kernel gather larger free pages: no faster at best, several times slower when memory is fragmented. */
const writeSize = 262_144;

/** A blob in the store; `modifiedMs` is when its last byte was written, in milliseconds since 1970. */
export interface BlobEntry { readonly blob: string; readonly modifiedMs: number }

/**
 * Opens the store under a data directory, making its folders (0700) and removing unfinished uploads. The caller holds the directory's
 * lock: a second process would take running uploads for leftovers.
 */
export async function openBlobStore(dataDirectory: string): Promise<BlobStore> {
  const store: BlobStore = { blobs: join(dataDirectory, 'blobs'), uploads: join(dataDirectory, 'uploads'), durableFolders: new Set() };
  try {
    for (const folder of [store.blobs, store.uploads]) await mkdir(folder, { recursive: true, mode: 0o700 });
    await syncFolder(dataDirectory);
    for (const name of await readdir(store.uploads)) await rm(join(store.uploads, name), { recursive: true });
  } catch (error) {
    throw storageError(error);
  }
  return store;
}

/** 128 random bits in lower hex: says nothing about the content and is never reused. */
export const newBlobId = (): string => randomBytes(16).toString('hex');

/** A blob being written. Leaving its scope without `publish` removes what was written. */
export class BlobWriter implements AsyncDisposable {
  readonly blob: string;
  readonly #store: BlobStore;
  readonly #file: FileHandle;
  #path: string;
  #size = 0;
  #published = false;

  private constructor(store: BlobStore, blob: string, path: string, file: FileHandle) {
    this.#store = store;
    this.blob = blob;
    this.#path = path;
    this.#file = file;
  }

  static async create(store: BlobStore): Promise<BlobWriter> {
    const blob = newBlobId();
    const path = join(store.uploads, blob);
    try {
      return new BlobWriter(store, blob, path, await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600));
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Appends all of `bytes`, which must not change until this resolves. One call at a time. `storage.full` when there is no room. */
  async append(bytes: Uint8Array): Promise<void> {
    try {
      let written = 0;
      // A nearly full disk takes a part first and reports the lack of room on the next call.
      while (written < bytes.length) {
        const { bytesWritten } = await this.#file.write(bytes, written, Math.min(writeSize, bytes.length - written), this.#size);
        written += bytesWritten;
        this.#size += bytesWritten;
      }
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Makes the blob durable and visible; when this resolves it survives a power failure. */
  async publish(): Promise<void> {
    const target = blobPath(this.#store, this.blob);
    try {
      await this.#file.sync();
      await makeDurableFolder(this.#store, dirname(target));
      await rename(this.#path, target);
      this.#path = target;
      await syncFolder(dirname(target));
      this.#published = true;
    } catch (error) {
      throw storageError(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    if (!this.#published) await rm(this.#path, { force: true });
  }
}

/** Opens a blob for positional reads. A blob that should be there and is not is `content.damaged`. */
export async function openBlob(store: BlobStore, blob: string): Promise<FileHandle> {
  try {
    return await open(blobPath(store, blob), constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new WeirError('content.damaged', 'The stored bytes of this content are missing. Restore them from a copy.', { cause: error });
    throw storageError(error);
  }
}

/** Removes a blob; one that is gone already is no error. Readers that have it open can finish. */
export async function deleteBlob(store: BlobStore, blob: string): Promise<void> {
  try {
    await rm(blobPath(store, blob), { force: true });
  } catch (error) {
    throw storageError(error);
  }
}

/** All blobs, in no order, without holding their names in memory. Blobs that come or go meanwhile may be missed. */
export async function* listBlobs(store: BlobStore): AsyncGenerator<BlobEntry> {
  for await (const folder of subfolders(store.blobs)) {
    for await (const subfolder of subfolders(folder)) {
      for await (const entry of await opendir(subfolder)) {
        if (!isBlobId(entry.name)) continue;
        const modifiedMs = await modifiedAt(join(subfolder, entry.name));
        if (modifiedMs !== undefined) yield { blob: entry.name, modifiedMs };
      }
    }
  }
}

/** Where a blob lies. Ids come from our database, but a path is never made of anything else than 32 hex digits. */
function blobPath(store: BlobStore, blob: string): string {
  if (!isBlobId(blob)) throw new WeirError('internal', 'A blob id is not of the form that this store writes.');
  return join(store.blobs, blob.slice(0, 2), blob.slice(2, 4), blob);
}

const isBlobId = (name: string): boolean => /^[0-9a-f]{32}$/.test(name);

async function makeDurableFolder(store: BlobStore, folder: string): Promise<void> {
  if (store.durableFolders.has(folder)) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await syncFolder(dirname(folder));
  await syncFolder(store.blobs);
  store.durableFolders.add(folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function* subfolders(folder: string): AsyncGenerator<string> {
  for await (const entry of await opendir(folder)) {
    if (entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name)) yield join(folder, entry.name);
  }
}

async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw storageError(error);
  }
}

function storageError(error: unknown): WeirError {
  if (error instanceof WeirError) return error;
  const full = hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT');
  return new WeirError(full ? 'storage.full' : 'storage.failed', undefined, { cause: error });
}

const hasCode = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code;
