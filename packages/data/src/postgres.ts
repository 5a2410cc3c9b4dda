/** Opens the PostgreSQL database that several nodes share. */
import { isIP, Socket } from 'node:net';
import pg from 'pg';
import { Kysely, PostgresDialect } from 'kysely';
import { WeirError } from '@weir/contracts/errors';
import type { PostgresConnections } from './connections.ts';
import type { Schema } from './schema.ts';

/** Changes and reads have pools of their own, so that a change which reads beside its transaction can't wait for itself. */
const CONNECTIONS_PER_POOL = 8;
const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 10_000;
/** Ends a transaction whose function waits for something other than the database. */
const IDLE_TRANSACTION_TIMEOUT_MS = 10_000;
const IDLE_CONNECTION_MS = 30_000;
/** A connection on which nothing has moved for longer than any statement may take is dead: a server that vanished sends no error. */
const SILENCE_MS = STATEMENT_TIMEOUT_MS + CONNECT_TIMEOUT_MS;
/** The watcher asks four times a second, so that its connection is never silent for this long while anybody answers. */
const WATCHER_SILENCE_MS = 1_000;

/** Type numbers of `pg_type.dat`. */
const types = { bytea: 17, int8: 20, numeric: 1700 } as const;
/** Everything else that a connection string can say would change what is checked here. */
const allowedParameters: readonly string[] = ['host', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'];

/**
 * Opens `postgres://user:password@host:port/database`. Off loopback it must say `sslmode=verify-full` and carry credentials.
 * Connections are made when they are first needed. Errors: `config.invalid`; they never show the address, which may hold a password.
 */
export function openPostgres(url: string): PostgresConnections {
  checkAddress(url);
  const writer = kyselyOver(url, { readOnly: 'off' });
  const reader = kyselyOver(url, { readOnly: 'on' });
  const watcher = kyselyOver(url, { readOnly: 'on', max: 1, connectionTimeoutMillis: WATCHER_SILENCE_MS, silenceMs: WATCHER_SILENCE_MS });
  return {
    engine: 'postgres',
    writer,
    reader,
    watcher,
    async close() {
      await Promise.all([writer.destroy(), reader.destroy(), watcher.destroy()]);
    },
  };
}

type PoolOptions = Readonly<{ readOnly: 'on' | 'off'; max?: number; connectionTimeoutMillis?: number; silenceMs?: number }>;

function kyselyOver(
  url: string, { readOnly, max = CONNECTIONS_PER_POOL, connectionTimeoutMillis = CONNECT_TIMEOUT_MS, silenceMs = SILENCE_MS }: PoolOptions,
): Kysely<Schema> {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'weir',
    // Said as the connection is made: a statement after that could fail, and the connection would never come back to the pool.
    options: `-c default_transaction_read_only=${readOnly}`,
    max,
    connectionTimeoutMillis,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    stream: () => {
      const socket = new Socket();
      return socket.setTimeout(silenceMs, () => socket.destroy(new Error('The database is silent.')));
    },
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
    types: { getTypeParser: parserFor },
  });
  // The pool drops an idle connection that broke and makes another when one is needed, which then reports what is wrong.
  // Without a listener the event would end the process.
  pool.on('error', () => undefined);
  // The same for one that breaks while it is lent, between two statements: the next of them reports it.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
}

function checkAddress(url: string): void {
  const address = URL.parse(url);
  if (address === null || !/^postgres(ql)?:$/.test(address.protocol)) {
    throw new WeirError('config.invalid', 'The database address is not of the form postgres://user:password@host:port/database.');
  }
  const unknown = [...address.searchParams.keys()].find((name) => !allowedParameters.includes(name));
  if (unknown !== undefined) {
    throw new WeirError('config.invalid', `The database address may not carry the parameter "${unknown.slice(0, 40)}"; allowed are ${allowedParameters.join(', ')}.`);
  }
  if (isLocal(address.searchParams.get('host') ?? address.hostname)) return;
  if (address.searchParams.get('sslmode') !== 'verify-full') {
    throw new WeirError('config.invalid', 'A database on another machine needs sslmode=verify-full in its address, so that its certificate is checked.');
  }
  if (address.password === '' && !address.searchParams.has('sslcert')) {
    throw new WeirError('config.invalid', 'A database on another machine needs a password or a client certificate (sslcert, sslkey).');
  }
}

function isLocal(host: string): boolean {
  if (host === 'localhost' || host === '[::1]' || host === '::1' || host.startsWith('/')) return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/** What PostgreSQL sends as text, as SQLite would return it: numbers for int8 and sums, plain bytes for bytea. */
function parserFor(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (format === 'binary') throw new TypeError('The database is read in text format only.');
  if (oid === types.int8) return exactInteger;
  if (oid === types.numeric) return Number;
  const parse = pg.types.getTypeParser(oid, 'text') as (value: string) => unknown;
  return oid === types.bytea ? (value) => plainBytes(parse(value)) : parse;
}

function exactInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('The database holds an integer beyond 2^53, which Weir never writes.');
  return value;
}

/** The same memory, without the methods that a Buffer changes the meaning of (`slice`, `toJSON`). */
function plainBytes(value: unknown): unknown {
  return Buffer.isBuffer(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : value;
}
