/**
 * Kysely's SQLite dialect over node:sqlite, with what its own lacks: transactions that take the write lock when they begin
 * (a deferred one that reads before it writes fails beside another writer), prepared statements that are kept, schema changes
 * that roll back, and errors with codes.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  CompiledQuery, SqliteAdapter, SqliteDialect, SqliteDriver, type DatabaseConnection, type SqliteDatabase, type SqliteStatement,
} from 'kysely';
import { translateDatabaseError } from './database-errors.ts';

/** Statements kept prepared for each connection; the least recently used one goes first. */
const STATEMENTS_KEPT = 256;

/** `begin immediate` for a connection that changes the database, `begin` for one that only reads a snapshot of it. */
export type Begin = 'begin immediate' | 'begin';

export class NodeSqliteDialect extends SqliteDialect {
  readonly #raw: DatabaseSync;
  readonly #database: SqliteDatabase;
  readonly #begin: Begin;

  constructor(raw: DatabaseSync, begin: Begin) {
    const database = keepStatements(raw);
    super({ database });
    this.#raw = raw;
    this.#database = database;
    this.#begin = begin;
  }

  override createDriver(): NodeSqliteDriver {
    return new NodeSqliteDriver(this.#raw, this.#database, this.#begin);
  }

  override createAdapter(): TransactionalAdapter {
    return new TransactionalAdapter();
  }
}

/** SQLite's schema changes are part of the transaction; said here so that a failed migration leaves nothing behind. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDriver extends SqliteDriver {
  readonly #raw: DatabaseSync;
  readonly #begin: Begin;

  constructor(raw: DatabaseSync, database: SqliteDatabase, begin: Begin) {
    super({ database });
    this.#raw = raw;
    this.#begin = begin;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(this.#begin));
  }

  /** A full disk has SQLite roll back by itself; there is nothing to roll back then. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#raw.isTransaction) await super.rollbackTransaction(connection);
  }
}

function keepStatements(raw: DatabaseSync): SqliteDatabase {
  const kept = new Map<string, SqliteStatement>();
  return {
    close: () => { if (raw.isOpen) raw.close(); },
    prepare(text) {
      const statement = kept.get(text) ?? prepare(raw, text);
      kept.delete(text);
      kept.set(text, statement);
      if (kept.size > STATEMENTS_KEPT) kept.delete(kept.keys().next().value ?? text);
      return statement;
    },
  };
}

function prepare(raw: DatabaseSync, text: string): SqliteStatement {
  const statement = translated(() => raw.prepare(text));
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => translated(() => statement.all(...bindable(parameters))),
    run: (parameters) => translated(() => statement.run(...bindable(parameters))),
    // A statement of its own: a kept one would start again when the same text runs while this one is being read.
    iterate: (parameters) => translated(() => iterator(raw.prepare(text), parameters)),
  };
}

function iterator(statement: StatementSync, parameters: readonly unknown[]): IterableIterator<unknown> {
  return statement.iterate(...bindable(parameters));
}

function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

function bindable(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => {
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return value;
    if (value instanceof Uint8Array) return value;
    throw new TypeError(`The database stores text, numbers, bytes and null, not ${typeof value}.`);
  });
}
