/** The writer of PostgreSQL: a transaction for each change, run again when the database could not order it among the others. */
import { randomInt } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { WeirError } from '@weir/contracts/errors';
import type { PostgresConnections } from './connections.ts';
import { isRetryable, translateDatabaseError } from './database-errors.ts';
import type { Database } from './schema.ts';
import { refuseWhenClosed, refuseWhenFull, type Change, type Write, type Writer } from './write.ts';

/** Of the changes that collide at least one succeeds, so this many attempts outlast any crowd that the pool lets in. */
const ATTEMPTS = 20;
/** The wait before another attempt is random up to this, doubled with every attempt up to the longest. */
const FIRST_WAIT_MS = 4;
const LONGEST_WAIT_MS = 256;

type Isolation = 'serializable' | 'read committed';

export function openSerializable(connections: PostgresConnections): Writer {
  const running = new Set<Promise<unknown>>();
  let closed = false;

  const writeAt = (isolation: Isolation): Write => async (change, signal) => {
    refuseWhenClosed(closed);
    refuseWhenFull(running.size);
    const work = retried(connections.writer, isolation, change, signal);
    running.add(work);
    try {
      return await work;
    } finally {
      running.delete(work);
    }
  };

  return {
    write: writeAt('serializable'),
    writeReadCommitted: writeAt('read committed'),
    async drain() {
      closed = true;
      await Promise.allSettled(running);
    },
  };
}

async function retried<T>(db: Database, isolation: Isolation, change: Change<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      return await db.transaction().setIsolationLevel(isolation).execute((tx) => {
        signal?.throwIfAborted();
        return change(tx);
      });
    } catch (error) {
      if (!isRetryable(error)) throw translateDatabaseError(error);
    }
    await setTimeout(randomInt(1, Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS)), undefined, signal && { signal });
  }
  throw new WeirError('storage.failed', 'Too many changes of the same rows collided in the database; try again.');
}
