/** The data directory of one server: its folders, private to the user that the server runs as. */
import { chmod, lstat, mkdir, readdir, realpath, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { WeirError } from '@weir/contracts/errors';
import { lockDirectory } from './directory-lock.ts';

export interface DataDirectory extends AsyncDisposable {
  readonly path: string;
  readonly blobs: string;
  readonly uploads: string;
  /** Scratch space of attempts; empty when the server starts. */
  readonly jobs: string;
  readonly logs: string;
  /** Tells commands on this machine where the server listens. */
  announce(address: string): Promise<void>;
  /** What this user may still write, in bytes. */
  freeBytes(): Promise<number>;
  /** Gives the lock up. May be called again. */
  close(): Promise<void>;
}

/**
 * Opens the data directory for a server: creates it and its folders (0700) as needed, locks it until `close` or the end of the process,
 * and empties `jobs`. Errors: `data.locked` (who holds it, in the facts), `file.permissions`, `storage.failed`.
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const root = await realpath(path);
  await refuseForeign(root);
  const lock = await lockDirectory(root);
  try {
    const [blobs, uploads, jobs, logs] = [join(root, 'blobs'), join(root, 'uploads'), join(root, 'jobs'), join(root, 'logs')];
    for (const folder of [blobs, uploads, jobs, logs]) await prepareFolder(folder);
    await emptyFolder(jobs);
    return {
      path: root, blobs, uploads, jobs, logs, announce: lock.announce, freeBytes: () => freeBytes(root), close: lock.release,
      [Symbol.asyncDispose]: lock.release,
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

async function refuseForeign(path: string): Promise<void> {
  const { uid, mode } = await stat(path);
  if (uid !== process.getuid?.()) {
    throw new WeirError('file.permissions', `The directory ${path} belongs to user ${uid}; run Weir as that user or choose another directory with --data.`);
  }
  if ((mode & 0o022) !== 0) {
    throw new WeirError('file.permissions', `Others can write to the directory ${path}; run: chmod go-w ${path}`);
  }
}

/** A link is refused: emptying a folder or writing through it would reach outside the directory. */
async function prepareFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (!(await lstat(path)).isDirectory()) {
    throw new WeirError('storage.failed', `${path} is not a folder; move it away (to keep it on another disk, mount that disk there).`);
  }
  await refuseForeign(path);
  await chmod(path, 0o700);
}

async function emptyFolder(path: string): Promise<void> {
  for (const name of await readdir(path)) await rm(join(path, name), { recursive: true, force: true });
}
