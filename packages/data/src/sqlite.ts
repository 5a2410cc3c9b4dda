/** Opens the SQLite database of one node: durable at every commit, private to its owner, one writer and one reader. */
import { lstat, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { WeirError } from '@weir/contracts/errors';
import type { SqliteConnections } from './connections.ts';
import { translateDatabaseError } from './database-errors.ts';
import type { Schema } from './schema.ts';
import { NodeSqliteDialect, type Begin } from './sqlite-dialect.ts';

/** How long a statement waits for another process; a command such as `weir token issue` holds the lock for milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;
/** The log is cut back to this size once it has been copied into the database. */
const LOG_SIZE_LIMIT_BYTES = 64 * 2 ** 20;

/** `synchronous=full` flushes the log at every commit, so that what was acknowledged survives a power cut. */
const pragmas = [
  'synchronous = full', 'foreign_keys = on', 'secure_delete = on', 'trusted_schema = off', 'cell_size_check = on',
  `journal_size_limit = ${LOG_SIZE_LIMIT_BYTES}`,
];

/**
 * Opens the database at `path`, creating it (mode 0600, its folder 0700) if it is absent. Other processes may have it open too.
 * The reader sees what was committed and can't change anything. Errors: `storage.failed`, `storage.full`, `file.permissions`.
 */
export async function openSqlite(path: string): Promise<SqliteConnections> {
  await createPrivately(path);
  await using opening = new AsyncDisposableStack();
  const writing = opening.adopt(connect(path), (raw) => raw.close());
  const reading = opening.adopt(connect(path), (raw) => raw.close());
  reading.exec('pragma query_only = on');
  const writer = kyselyOver(writing, 'begin immediate');
  const reader = kyselyOver(reading, 'begin');
  opening.move();
  return {
    engine: 'sqlite',
    writer,
    reader,
    watcher: reader,
    inTransaction: () => writing.isTransaction,
    async close() {
      await Promise.all([writer.destroy(), reader.destroy()]);
      // Kysely closes only what it has used.
      for (const raw of [reading, writing]) if (raw.isOpen) raw.close();
    },
  };
}

function kyselyOver(raw: DatabaseSync, begin: Begin): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: new NodeSqliteDialect(raw, begin) });
}

function connect(path: string): DatabaseSync {
  try {
    const raw = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, defensive: true, enableDoubleQuotedStringLiterals: false });
    const mode = raw.prepare('pragma journal_mode = wal').get();
    if (mode?.['journal_mode'] !== 'wal') {
      raw.close();
      throw new WeirError('storage.failed', `The file system of ${path} can't share memory between processes; put the data directory on a local disk.`);
    }
    for (const pragma of pragmas) raw.exec(`pragma ${pragma}`);
    return raw;
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

/**
 * SQLite gives its log and index the mode of the database file, so that file must be private before SQLite first opens it.
 * An existing file is looked at but never opened here: closing any descriptor of it would drop the locks that SQLite holds
 * elsewhere in this process (POSIX locks belong to the process, not to the descriptor).
 */
async function createPrivately(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    await refuseShared(path);
  }
}

async function refuseShared(path: string): Promise<void> {
  const found = await lstat(path);
  if (!found.isFile()) throw new WeirError('storage.failed', `${path} is not a file; move it away or choose another data directory.`);
  if ((found.mode & 0o077) !== 0) {
    throw new WeirError('file.permissions', `The database ${path} can be read by others; run: chmod 600 ${path}`);
  }
}
