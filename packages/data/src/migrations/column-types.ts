/** The names of the three column types in the data definition language of each engine. */
import type { Engine } from '../engine.ts';

export interface ColumnTypes {
  /** Compared byte by byte on both engines, whatever the language of the database. */
  readonly text: string;
  /** 64 bits. */
  readonly integer: string;
  readonly bytes: string;
  /** Ends a table's definition: SQLite then refuses values of another type. */
  readonly strict: string;
  /** Before a table that a crash of the database may empty. SQLite has none: one node keeps such things in memory. */
  readonly unlogged: string;
}

/** The statements of one migration, in the words of an engine. They run in one transaction. */
export type Statements = (types: ColumnTypes) => readonly string[];

export const columnTypes: Readonly<Record<Engine, ColumnTypes>> = {
  sqlite: { text: 'text', integer: 'integer', bytes: 'blob', strict: 'strict', unlogged: '' },
  postgres: { text: 'text collate "C"', integer: 'bigint', bytes: 'bytea', strict: '', unlogged: 'unlogged' },
};
