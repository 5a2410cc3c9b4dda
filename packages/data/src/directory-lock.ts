/**
 * One server per data directory. Node has no `flock`, so the lock is an SQLite file in an exclusive transaction: the kernel drops it when
 * the process ends, however it ends. A file beside it says who holds it.
 */
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { WeirError } from '@weir/contracts/errors';
import { sqlite, sqlitePrimaryCode } from './database-errors.ts';

/** How long a starting server waits for a lock that another one is just giving up. */
const LOCK_WAIT_MS = 500;
const HOLDER_BYTES = 4_096;

/** The process that serves from a data directory. */
export interface Holder {
  readonly pid: number;
  /** RFC 3339. */
  readonly since: string;
  /** Where it listens; null until it does. */
  readonly address: string | null;
}

export interface DirectoryLock {
  /** Tells other processes where this server listens. */
  announce(address: string): Promise<void>;
  /** May be called again. */
  release(): Promise<void>;
}

/** Takes the lock for this process. Errors: `data.locked`, with the holder in its facts. */
export async function lockDirectory(root: string): Promise<DirectoryLock> {
  const lock = await takeLock(root);
  const holder = { pid: process.pid, since: new Date().toISOString(), address: null };
  await writeHolder(root, holder);
  return {
    announce: (address) => writeHolder(root, { ...holder, address }),
    async release() {
      if (!lock.isOpen) return;
      await rm(holderPath(root), { force: true });
      lock.close();
    },
  };
}

/** The server that holds the data directory now, or undefined if none does. Never refuses a server that is starting. */
export async function findHolder(root: string): Promise<Holder | undefined> {
  return isLocked(root) ? readHolder(root) : undefined;
}

/** This process must never open the lock's file in another way: closing any descriptor of it would drop the lock (POSIX). */
async function takeLock(root: string): Promise<DatabaseSync> {
  await createEmpty(lockPath(root));
  const lock = new DatabaseSync(lockPath(root), { timeout: LOCK_WAIT_MS });
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive');
    return lock;
  } catch (error) {
    lock.close();
    throw sqlitePrimaryCode(error) === sqlite.busy ? await lockedError(root, error) : error;
  }
}

async function lockedError(root: string, cause: unknown): Promise<WeirError> {
  const holder = await readHolder(root);
  const who = holder === undefined ? 'another process' : `process ${holder.pid} since ${holder.since}`;
  return new WeirError('data.locked', `The data directory ${root} is in use by ${who}; stop that server or choose another directory with --data.`, {
    cause, facts: holder === undefined ? {} : { ...holder },
  });
}

function isLocked(root: string): boolean {
  try {
    using lock = new DatabaseSync(lockPath(root), { readOnly: true, timeout: 0 });
    lock.exec('select count(*) from sqlite_schema');
    return false;
  } catch (error) {
    const code = sqlitePrimaryCode(error);
    if (code === sqlite.busy) return true;
    // No server has ever run there.
    if (code === sqlite.cantOpen) return false;
    throw error;
  }
}

const lockPath = (root: string): string => join(root, 'lock');
const holderPath = (root: string): string => join(root, 'lock.json');

async function createEmpty(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/** Replaced as a whole, so that a reader never sees half of it. */
async function writeHolder(root: string, holder: Holder): Promise<void> {
  const fresh = `${holderPath(root)}.new`;
  await rm(fresh, { force: true });
  await using file = await open(fresh, 'wx', 0o600);
  await file.writeFile(JSON.stringify(holder));
  await rename(fresh, holderPath(root));
}

/** Undefined between taking the lock and saying who did, and for a file that no server wrote. */
async function readHolder(root: string): Promise<Holder | undefined> {
  try {
    const { size } = await stat(holderPath(root));
    return size > HOLDER_BYTES ? undefined : parseHolder(await readFile(holderPath(root), 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('pid' in value && 'since' in value && 'address' in value)) return undefined;
  const { pid, since, address } = value;
  if (typeof pid !== 'number' || typeof since !== 'string') return undefined;
  return { pid, since, address: typeof address === 'string' ? address : null };
}

const hasCode = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code;
