/**
 * When rights last moved. Every change of a right takes the next number of one sequence and writes it beside each subject that moved;
 * whoever caches a decision reads what moved since the number it knows.
 */
import type { Database, Tx } from './schema.ts';

/** One number covers at most this many subjects, so that a page of `epochsSince` always holds the whole of at least one. */
const SUBJECTS_PER_NUMBER = 500;
const ROWS_PER_PAGE = 1_000;

/**
 * Moves the epochs of `subjects` (`principal:alice`, `role:user`, …) and returns the last number that it took; with no subjects, the
 * current one. The row of the counter stays locked until the transaction ends, so numbers become visible in their order.
 */
export async function moveEpochs(tx: Tx, subjects: readonly string[]): Promise<number> {
  const distinct = [...new Set(subjects)].sort();
  if (distinct.length === 0) return currentEpoch(tx);
  let sequence = 0;
  for (let start = 0; start < distinct.length; start += SUBJECTS_PER_NUMBER) {
    sequence = await nextNumber(tx);
    await recordMoves(tx, distinct.slice(start, start + SUBJECTS_PER_NUMBER), sequence);
  }
  return sequence;
}

export interface MovedEpochs {
  /** Ask with this next time. */
  readonly sequence: number;
  readonly subjects: readonly string[];
}

/** A page of the subjects that moved after `sequence`, at most 1 000. Ask again until a page is empty: then nothing is missing. */
export async function epochsSince(db: Database, sequence: number): Promise<MovedEpochs> {
  const rows = await db.selectFrom('epoch').select(['subject', 'sequence']).where('sequence', '>', sequence)
    .orderBy('sequence').orderBy('subject').limit(ROWS_PER_PAGE + 1).execute();
  const beyond = rows[ROWS_PER_PAGE];
  // The subjects of one number are told together, or its rest would be skipped by the next page.
  const told = beyond === undefined ? rows : rows.filter((row) => row.sequence < beyond.sequence);
  return { sequence: told.at(-1)?.sequence ?? sequence, subjects: told.map(({ subject }) => subject) };
}

/** The number of the latest move that was committed; where a node that caches nothing yet begins. */
export async function currentEpoch(db: Database): Promise<number> {
  const { value } = await db.selectFrom('counter').select('value').where('name', '=', 'epoch').executeTakeFirstOrThrow();
  return value;
}

async function nextNumber(tx: Tx): Promise<number> {
  const { value } = await tx.updateTable('counter').set((row) => ({ value: row('value', '+', 1) })).where('name', '=', 'epoch')
    .returning('value').executeTakeFirstOrThrow();
  return value;
}

async function recordMoves(tx: Tx, subjects: readonly string[], sequence: number): Promise<void> {
  await tx.insertInto('epoch').values(subjects.map((subject) => ({ subject, sequence })))
    .onConflict((conflict) => conflict.column('subject').doUpdateSet({ sequence })).execute();
}
