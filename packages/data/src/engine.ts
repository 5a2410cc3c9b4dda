/** Which database engine stands behind a handle; asked only where the two need a different statement. */
import { PostgresAdapter, type Kysely } from 'kysely';

export type Engine = 'sqlite' | 'postgres';

/** True for PostgreSQL, where concurrent claims lock their rows (`for update skip locked`); SQLite has one writer and no such clause. */
export function isPostgres<S>(db: Kysely<S>): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}
