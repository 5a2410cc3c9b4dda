/**
 * The writer of SQLite: changes that wait together share one transaction, because the flush of a commit costs more than the changes.
 * Each has a savepoint of its own, so one that fails undoes itself alone, and none resolves before the commit.
 */
import { setImmediate } from 'node:timers/promises';
import type { ControlledTransaction, KyselyPlugin } from 'kysely';
import { WeirError } from '@weir/contracts/errors';
import type { SqliteConnections } from './connections.ts';
import type { Schema, Tx } from './schema.ts';
import { refuseWhenClosed, refuseWhenFull, type Change, type Write, type Writer } from './write.ts';

/** Changes that share a transaction at most, so that none waits long for the others. */
const CHANGES_PER_GROUP = 200;
/** A change that is not done by then waits for something other than the database, and would stop every other one. */
const CHANGE_TIMEOUT_MS = 10_000;

type Settle = () => void;
type GroupTransaction = ControlledTransaction<Schema, string[]>;

/** A change that waits, with the promise of its caller inside. */
interface Waiting {
  /** Runs the change and returns how to settle its promise once the group is committed. Throws only if the change failed. */
  run(tx: Tx): Promise<Settle>;
  /** Settles the promise of a change whose group, or that itself, failed. */
  fail(reason: unknown): void;
  readonly signal: AbortSignal | undefined;
}

export interface GroupCommitOptions {
  readonly changeTimeoutMs?: number;
}

export function openGroupCommit(connections: SqliteConnections, { changeTimeoutMs = CHANGE_TIMEOUT_MS }: GroupCommitOptions = {}): Writer {
  const queue: Waiting[] = [];
  let working: Promise<void> | undefined;
  let closed = false;

  const work = async (): Promise<void> => {
    while (queue.length > 0) {
      // Whatever arrives in this turn of the event loop joins the group; and readers get their turn between groups.
      await setImmediate();
      await commitGroup(connections, queue.splice(0, CHANGES_PER_GROUP), changeTimeoutMs);
    }
    working = undefined;
  };

  const write: Write = async (change, signal) => {
    refuseWhenClosed(closed);
    refuseWhenFull(queue.length);
    signal?.throwIfAborted();
    const waiting = waitingChange(change, signal);
    queue.push(waiting);
    working ??= work();
    return waiting.promise;
  };

  return {
    write,
    writeReadCommitted: write,
    async drain() {
      closed = true;
      await working;
    },
  };
}

function waitingChange<T>(change: Change<T>, signal: AbortSignal | undefined): Waiting & { readonly promise: Promise<T> } {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  return {
    promise,
    signal,
    fail: reject,
    async run(tx) {
      const value = await change(tx);
      return () => resolve(value);
    },
  };
}

/** Never rejects: every failure reaches the callers that it concerns. */
async function commitGroup(connections: SqliteConnections, group: readonly Waiting[], timeoutMs: number): Promise<void> {
  const live = group.filter((waiting) => !refusedAsAborted(waiting));
  const settles: Settle[] = [];
  try {
    const tx: GroupTransaction = await connections.writer.startTransaction().execute();
    try {
      for (const waiting of live) settles.push(await runAlone(connections, tx, waiting, timeoutMs));
      await tx.commit().execute();
    } catch (error) {
      await tx.rollback().execute();
      throw error;
    }
  } catch (error) {
    for (const waiting of live) waiting.fail(error);
    return;
  }
  for (const settle of settles) settle();
}

function refusedAsAborted(waiting: Waiting): boolean {
  if (waiting.signal?.aborted !== true) return false;
  waiting.fail(waiting.signal.reason);
  return true;
}

/**
 * Runs one change in a savepoint. Its own failure undoes it and is told to its caller when the group is done; a failure that made
 * SQLite roll everything back is the failure of the whole group, and is thrown.
 */
async function runAlone(connections: SqliteConnections, tx: GroupTransaction, waiting: Waiting, timeoutMs: number): Promise<Settle> {
  await tx.savepoint('change').execute();
  const spent = spendable();
  let settle: Settle;
  try {
    settle = await withinTime(waiting.run(tx.withPlugin(spent.plugin)), timeoutMs);
    refuseLostTransaction(connections);
  } catch (error) {
    if (!connections.inTransaction()) throw error;
    await tx.rollbackToSavepoint('change').execute();
    settle = () => waiting.fail(error);
  } finally {
    spent.spend();
  }
  await tx.releaseSavepoint('change').execute();
  return settle;
}

function refuseLostTransaction(connections: SqliteConnections): void {
  if (!connections.inTransaction()) throw new WeirError('storage.failed', 'The database undid the transaction; nothing was stored.');
}

async function withinTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new WeirError('internal', `A change waited ${timeoutMs} ms for something other than the database; it was undone.`));
  }, timeoutMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A transaction handle that its change keeps must not reach into the next one's: once spent, it refuses every statement. */
function spendable(): { readonly plugin: KyselyPlugin; spend(): void } {
  let spent = false;
  return {
    spend: () => { spent = true; },
    plugin: {
      transformQuery({ node }) {
        if (spent) throw new WeirError('internal', 'A transaction was used after its change had ended.');
        return node;
      },
      transformResult: async ({ result }) => result,
    },
  };
}
