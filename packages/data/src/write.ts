/** What a change of the database is, for both engines. */
import { WeirError } from '@weir/contracts/errors';
import type { Tx } from './schema.ts';

/**
 * Runs inside one transaction. It awaits nothing but the database, has no effect but on `tx`, and may run more than once (PostgreSQL
 * retries); a statement that failed makes the whole change fail, so a conflict that is expected is written as `on conflict`.
 */
export type Change<T> = (tx: Tx) => Promise<T>;

/**
 * Applies a change: all of it or nothing, durable when the promise resolves. Rejects with what the change threw, with the signal's
 * reason if it was aborted before the change began, or with `rate.exceeded`, `storage.full`, `storage.failed`, `server.stopping`.
 */
export type Write = <T>(change: Change<T>, signal?: AbortSignal) => Promise<T>;

export interface Writer {
  /** As if no other change ran at the same time (serializable). */
  readonly write: Write;
  /**
   * Read committed on PostgreSQL, the same as `write` on SQLite. For a change that is safe statement by statement (a claim with
   * `skip locked`, a counter, one conditional update) and would often be retried otherwise.
   */
  readonly writeReadCommitted: Write;
  /** Refuses further changes and resolves when the accepted ones are done. */
  drain(): Promise<void>;
}

/** Changes that wait or run; beyond that, callers are told to slow down. */
export const CHANGES_WAITING = 10_000;

export function refuseWhenFull(waiting: number): void {
  if (waiting >= CHANGES_WAITING) throw new WeirError('rate.exceeded', 'The database has too many changes waiting; try again shortly.');
}

export function refuseWhenClosed(closed: boolean): void {
  if (closed) throw new WeirError('server.stopping');
}
