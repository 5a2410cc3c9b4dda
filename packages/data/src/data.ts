/** The database of this installation: SQLite in the data directory, or PostgreSQL where several nodes share one. */
import { join } from 'node:path';
import { WeirError } from '@weir/contracts/errors';
import type { Connections } from './connections.ts';
import type { Engine } from './engine.ts';
import { openPostgres } from './postgres.ts';
import type { Database } from './schema.ts';
import { openSqlite } from './sqlite.ts';
import type { Writer } from './write.ts';
import { openWriter } from './writer.ts';

export interface Data extends Pick<Writer, 'write' | 'writeReadCommitted'>, AsyncDisposable {
  readonly engine: Engine;
  /** Sees what was committed; refuses to change anything. SQLite answers without letting the event loop turn: a long loop of reads must. */
  readonly read: Database;
  /** The same for what must be known soon or not at all: what moved. Fails within two seconds when the database does not answer. */
  readonly watch: Database;
  /** For migrations, measurements, and single statements about what may be lost in a crash; other changes go through `write`. */
  readonly connections: Connections;
  /** Finishes the accepted changes and closes. May be called again. */
  close(): Promise<void>;
}

/** `url` (PostgreSQL) wins over `directory` (SQLite, `weir.db` in it), which then holds local files only. */
export interface DataConfig {
  readonly directory?: string;
  readonly url?: string;
}

/**
 * Opens the database without touching its tables (see `migrate`) and without the lock of the data directory, so a command can
 * open it while the server runs. Errors: `config.invalid`, `storage.failed`, `file.permissions`.
 */
export async function openData(config: DataConfig): Promise<Data> {
  return overConnections(await connect(config));
}

async function connect({ directory, url }: DataConfig): Promise<Connections> {
  if (url !== undefined) return openPostgres(url);
  if (directory !== undefined) return openSqlite(join(directory, 'weir.db'));
  throw new WeirError('config.invalid', 'Neither a data directory nor the address of a database is configured.');
}

function overConnections(connections: Connections): Data {
  const { write, writeReadCommitted, drain } = openWriter(connections);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => closing ??= drain().then(() => connections.close());
  return {
    engine: connections.engine, read: connections.reader, watch: connections.watcher, connections, write, writeReadCommitted, close, [Symbol.asyncDispose]: close,
  };
}
