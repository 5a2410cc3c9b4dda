/** An open database: one handle that changes it, one that reads beside running changes, one that watches for moved rights. */
import type { Database } from './schema.ts';

export interface SqliteConnections {
  readonly engine: 'sqlite';
  readonly writer: Database;
  readonly reader: Database;
  readonly watcher: Database;
  /** False after SQLite rolled a transaction back by itself, as it does when the disk is full. */
  inTransaction(): boolean;
  close(): Promise<void>;
}

export interface PostgresConnections {
  readonly engine: 'postgres';
  readonly writer: Database;
  readonly reader: Database;
  /** Reads on a connection of its own, so that no other statement delays it, and fails within two seconds when nothing answers. */
  readonly watcher: Database;
  close(): Promise<void>;
}

export type Connections = SqliteConnections | PostgresConnections;
