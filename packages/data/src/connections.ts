/** An open database: one handle that changes it, one that reads beside running changes. */
import type { Database } from './schema.ts';

export interface SqliteConnections {
  readonly engine: 'sqlite';
  readonly writer: Database;
  readonly reader: Database;
  /** False after SQLite rolled a transaction back by itself, as it does when the disk is full. */
  inTransaction(): boolean;
  close(): Promise<void>;
}

export interface PostgresConnections {
  readonly engine: 'postgres';
  readonly writer: Database;
  readonly reader: Database;
  close(): Promise<void>;
}

export type Connections = SqliteConnections | PostgresConnections;
