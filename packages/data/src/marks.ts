/** Marks in `meta` that only rise: the latest time seen, the latest signature accepted. Several nodes raise the same one. */
import { sql } from 'kysely';
import type { Database, Tx } from './schema.ts';

export type MarkName = 'clock_high_water' | 'replay_until';

/** The mark in milliseconds since 1970, 0 where there is none. */
export async function readMark(db: Database, name: MarkName): Promise<number> {
  const row = await db.selectFrom('meta').select('value').where('key', '=', name).executeTakeFirst();
  return Number(row?.value ?? 0);
}

/** Raises the mark to `toMs` unless it is there already. */
export async function raiseMark(tx: Tx, name: MarkName, toMs: number): Promise<void> {
  await tx.insertInto('meta').values({ key: name, value: String(toMs) })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: String(toMs) })
      .where(sql<boolean>`cast(meta.value as bigint) < cast(excluded.value as bigint)`)).execute();
}
