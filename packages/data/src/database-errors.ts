/** What the errors of the two databases mean to Weir. */
import { WeirError } from '@weir/contracts/errors';

/** How far a chain of causes is followed: a domain function may have wrapped the database's error. */
const CAUSES = 5;

/** Primary result codes of SQLite, the low byte of `errcode` (sqlite.org/rescode.html). */
export const sqlite = { busy: 5, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 } as const;
const sqliteFailures: readonly number[] = [sqlite.readOnly, sqlite.ioError, sqlite.corrupt, sqlite.cantOpen, sqlite.notADatabase];
/** SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_ROWID. */
const sqliteUnique: readonly number[] = [1555, 2067, 2579];

/** SQLSTATEs (PostgreSQL, appendix A). */
const postgresUnique = '23505';
const postgresRetryable: readonly string[] = ['40001', '40P01'];
const postgresFull = '53100';
/** Classes: connection lost, out of resources, stopped by the operator or a timeout, system error. */
const postgresFailures: readonly string[] = ['08', '53', '57', '58'];
/** What the driver says without a code when a connection broke or none came about. */
const driverFailures = /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|The database is silent)/;
const connectionFailures: readonly string[] = ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EAI_AGAIN'];

/** A unique constraint or primary key refused the row, on either engine, also when the error was wrapped. */
export function isUniqueViolation(error: unknown): boolean {
  return causesOf(error).some((cause) => {
    const code = sqliteCode(cause);
    return code === undefined ? textCode(cause) === postgresUnique : sqliteUnique.includes(code);
  });
}

/** PostgreSQL could not order this transaction among concurrent ones; the same transaction may succeed when run again. */
export function isRetryable(error: unknown): boolean {
  return causesOf(error).some((cause) => postgresRetryable.includes(textCode(cause) ?? ''));
}

/** The error for callers: a full disk and a failed store get their codes; everything else comes back as it is. */
export function translateDatabaseError(error: unknown): unknown {
  const code = sqlitePrimaryCode(error);
  return code === undefined ? translatePostgres(error) : translateSqlite(code, error);
}

/** The primary result code of an error of SQLite; undefined for every other error. */
export function sqlitePrimaryCode(error: unknown): number | undefined {
  const code = sqliteCode(error);
  return code === undefined ? undefined : code & 0xff;
}

function translateSqlite(code: number, cause: unknown): unknown {
  if (code === sqlite.full) return new WeirError('storage.full', undefined, { cause });
  if (code === sqlite.busy) {
    return new WeirError('storage.failed', 'Another process kept the database busy for five seconds; try again.', { cause });
  }
  if (sqliteFailures.includes(code)) return new WeirError('storage.failed', undefined, { cause });
  return cause;
}

function translatePostgres(cause: unknown): unknown {
  const code = textCode(cause);
  if (code === undefined) return cause instanceof Error && driverFailures.test(cause.message) ? unanswered(cause) : cause;
  if (code === postgresFull) return new WeirError('storage.full', 'The disk of the database is full; nothing was stored.', { cause });
  if (isSqlState(code) ? postgresFailures.includes(code.slice(0, 2)) : connectionFailures.includes(code)) {
    return unanswered(cause);
  }
  return cause;
}

const unanswered = (cause: unknown): WeirError => new WeirError('storage.failed', 'The database does not answer as it should; see the server log.', { cause });

const isSqlState = (code: string): boolean => /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code);

function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let next = error; next !== undefined && chain.length < CAUSES; next = next instanceof Error ? next.cause : undefined) chain.push(next);
  return chain;
}

function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined;
}

function textCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
