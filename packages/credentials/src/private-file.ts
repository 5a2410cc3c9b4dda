/** Files that hold secrets: read only where nobody else can read or have written them, written so that nobody else ever can. */
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WeirError } from '@weir/contracts/errors';

/** The link itself is refused, not followed; and opening a pipe that nobody writes to does not wait. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Reads a file of at most `maxBytes`. It must be a regular file, owned by this user or root, mode 0600 or stricter; what is checked is
 * what is read (one descriptor). Errors: `file.permissions` with the command to run, `config.invalid` if it is too large or no file;
 * an absent file is the system's ENOENT.
 */
export async function readPrivateFile(path: string, maxBytes: number): Promise<Uint8Array> {
  await using file = await openUnfollowed(path);
  refuseExposed(path, await file.stat());
  return await readAtMost(file, path, maxBytes);
}

/**
 * Replaces the file as a whole, durably: a reader sees the old bytes or the new ones. Mode 0600; an absent folder is made with 0700.
 */
export async function writePrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const fresh = join(folder, `.${basename(path)}.${randomUUID()}`);
  try {
    await writeNew(fresh, bytes);
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

async function openUnfollowed(path: string): Promise<FileHandle> {
  try {
    return await open(path, readFlags);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ELOOP') {
      throw new WeirError('file.permissions', `${path} is a symbolic link; name the file that it leads to.`, { cause: error });
    }
    throw error;
  }
}

function refuseExposed(path: string, found: Stats): void {
  if (!found.isFile()) throw new WeirError('config.invalid', `${path} is not a file; name a file that holds the secret.`);
  const user = process.getuid?.();
  if (found.uid !== user && found.uid !== 0) {
    throw new WeirError('file.permissions', `${path} belongs to user ${found.uid}, who can change it; run: chown ${user} ${path}`);
  }
  if ((found.mode & 0o177) !== 0) throw new WeirError('file.permissions', `${path} can be used by others; run: chmod 600 ${path}`);
}

/** Asks for one byte more than is allowed, so that a file that grows while it is read is noticed. */
async function readAtMost(file: FileHandle, path: string, maxBytes: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(maxBytes + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    length += bytesRead;
    if (length > maxBytes) throw new WeirError('config.invalid', `${path} is larger than ${maxBytes} bytes; is it the right file?`);
    if (bytesRead === 0) return buffer.slice(0, length);
  }
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(bytes);
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await folder.sync();
}
