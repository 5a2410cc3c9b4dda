/** The schema means the same on both engines. */
import { expect } from 'vitest';
import { sql, type Insertable } from 'kysely';
import { isUniqueViolation } from '../src/database-errors.ts';
import type { Data } from '../src/data.ts';
import type { Schema } from '../src/schema.ts';
import { forEachEngine } from './support/engines.ts';
import { rows } from './support/rows.ts';

async function insert<T extends keyof Schema>(data: Data, table: T, row: Insertable<Schema[T]>): Promise<void> {
  await data.write(async (tx) => { await tx.insertInto(table).values(row).execute(); });
}

const tables = Object.keys(rows).filter((name): name is keyof Schema => name in rows);

forEachEngine('every column of every table comes back as it was written', async (fresh) => {
  await using data = await fresh.open();
  for (const table of tables) {
    await insert(data, table, rows[table]);
    const found = await data.read.selectFrom(table).selectAll().$if(table === 'counter', (q) => q.where('name', '=', 'other')).execute();
    expect(found, table).toEqual([rows[table]]);
  }
});

forEachEngine('bytes come back as a plain Uint8Array', async (fresh) => {
  await using data = await fresh.open();
  await insert(data, 'principal', rows.principal);
  await insert(data, 'principal_key', rows.principal_key);
  const { secret } = await data.read.selectFrom('principal_key').select('secret').executeTakeFirstOrThrow();
  expect(secret?.constructor).toBe(Uint8Array);
});

forEachEngine('counts and sums are numbers', async (fresh) => {
  await using data = await fresh.open();
  await insert(data, 'holding', rows.holding);
  await insert(data, 'holding', { ...rows.holding, id: 'h2', owner: 'bob', size: 2 ** 50 });
  const totals = await data.read.selectFrom('holding')
    .select((row) => [row.fn.countAll<number>().as('count'), row.fn.sum<number>('size').as('size')]).executeTakeFirstOrThrow();
  expect(totals).toEqual({ count: 2, size: 2 ** 50 + 5 });
});

forEachEngine('text is ordered by its bytes, and nulls where they are asked for', async (fresh) => {
  await using data = await fresh.open();
  for (const [index, title] of ['b', 'B', 'a-c', 'ab', 'Ä', '_'].entries()) {
    await insert(data, 'holding', { ...rows.holding, id: `h${index}`, digest: `d${index}`, title, origin: index < 3 ? null : `job${index}` });
  }
  const byTitle = await data.read.selectFrom('holding').select('title').orderBy('title').execute();
  expect(byTitle.map(({ title }) => title)).toEqual(['B', '_', 'a-c', 'ab', 'b', 'Ä']);
  const byOrigin = await data.read.selectFrom('holding').select('origin').orderBy('origin', (order) => order.asc().nullsLast()).execute();
  expect(byOrigin.map(({ origin }) => origin)).toEqual(['job3', 'job4', 'job5', null, null, null]);
});

forEachEngine('a second live row of the same owner and content, key or audit position is a unique violation', async (fresh) => {
  await using data = await fresh.open();
  const twins: readonly [keyof Schema, object, object][] = [
    ['holding', rows.holding, { ...rows.holding, id: 'h2' }],
    ['job', { ...rows.job, idempotency_key: 'k', request_digest: 'd' }, { ...rows.job, id: 'j2', idempotency_key: 'k', request_digest: 'e' }],
    ['audit_event', rows.audit_event, { ...rows.audit_event, id: 'e2' }],
    ['principal', rows.principal, rows.principal],
    ['login_session', rows.login_session, { ...rows.login_session, id: 's2' }],
  ];
  for (const [table, first, second] of twins) {
    await insert(data, table, first as Insertable<Schema[typeof table]>);
    const refused = await insert(data, table, second as Insertable<Schema[typeof table]>).catch((error: unknown) => error);
    expect(isUniqueViolation(refused), table).toBe(true);
  }
});

forEachEngine('a deleted holding makes room, and jobs without a key never collide', async (fresh) => {
  await using data = await fresh.open();
  await insert(data, 'holding', { ...rows.holding, deleted_at: 1 });
  await insert(data, 'holding', { ...rows.holding, id: 'h2' });
  await insert(data, 'holding', { ...rows.holding, id: 'h3', owner: 'bob' });
  await insert(data, 'job', rows.job);
  await insert(data, 'job', { ...rows.job, id: 'j2' });
});

forEachEngine('states, flags and counts outside their range are refused, and are not unique violations', async (fresh) => {
  await using data = await fresh.open();
  const wrong: readonly Promise<void>[] = [
    insert(data, 'job', { ...rows.job, state: 'lost' }),
    insert(data, 'job', { ...rows.job, cancel_requested: 2 }),
    insert(data, 'job', { ...rows.job, priority: 101 }),
    insert(data, 'grant', { ...rows.grant, uses_left: -1 }),
    insert(data, 'principal', { ...rows.principal, kind: 'ghost' }),
    insert(data, 'principal_key', rows.principal_key),
    insert(data, 'audit_event', { ...rows.audit_event, decision: 'maybe' }),
  ];
  const refused = await Promise.allSettled(wrong);
  expect(refused.map(({ status }) => status)).toEqual(wrong.map(() => 'rejected'));
  expect(refused.some((outcome) => outcome.status === 'rejected' && isUniqueViolation(outcome.reason))).toBe(false);
});

forEachEngine('a key needs exactly one of a secret and a public key, and goes with its principal', async (fresh) => {
  await using data = await fresh.open();
  await insert(data, 'principal', rows.principal);
  await expect(insert(data, 'principal_key', { ...rows.principal_key, public_key: 'x' })).rejects.toThrow();
  await expect(insert(data, 'principal_key', { ...rows.principal_key, secret: null })).rejects.toThrow();
  await insert(data, 'principal_key', rows.principal_key);
  await data.write(async (tx) => { await tx.deleteFrom('principal').execute(); });
  expect(await data.read.selectFrom('principal_key').selectAll().execute()).toEqual([]);
});

forEachEngine('the reader refuses to change anything', async (fresh) => {
  await using data = await fresh.open();
  await expect(data.read.insertInto('meta').values(rows.meta).execute()).rejects.toThrow();
  await expect(sql`delete from meta`.execute(data.read)).rejects.toThrow();
});
