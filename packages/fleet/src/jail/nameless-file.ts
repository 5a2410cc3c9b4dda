/** Files without a name: what is written to them vanishes with the last process that holds them, and no thief of the disk finds them listed. */
import { randomUUID } from 'node:crypto';
import { constants, open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** A new empty file in `directory`, open for writing and reading, whose name is gone before the first byte is written. */
export async function namelessFile(directory: string): Promise<FileHandle> {
  const path = join(directory, `.${randomUUID()}`);
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  await unlink(path);
  return handle;
}

/** The same file again, read-only, as a jailed process may inherit it. The caller closes both. */
export async function readOnly(handle: FileHandle): Promise<FileHandle> {
  return open(`/proc/self/fd/${handle.fd}`, constants.O_RDONLY);
}
