/** Databases are brought to today's schema, whole or not at all, and never by an older version. */
import { expect, test } from 'vitest';
import { sql } from 'kysely';
import { openData } from '../src/data.ts';
import { migrate } from '../src/migrate.ts';
import { migrations, type MigrationList } from '../src/migrations/list.ts';
import { forEachEngine } from './support/engines.ts';
import { rows } from './support/rows.ts';

const next: MigrationList = { ...migrations, '9998-next': ({ text }) => [`alter table meta add column note ${text}`] };

forEachEngine('a second run changes nothing', async (fresh) => {
  await using data = await fresh.openEmpty();
  expect(await migrate(data)).toEqual(Object.keys(migrations));
  expect(await migrate(data)).toEqual([]);
});

forEachEngine('an older database is brought up to date and keeps its rows', async (fresh) => {
  await using data = await fresh.open();
  await data.write(async (tx) => { await tx.insertInto('meta').values(rows.meta).execute(); });
  expect(await migrate(data, next)).toEqual(['9998-next']);
  expect((await sql`select * from meta`.execute(data.read)).rows).toEqual([{ ...rows.meta, note: null }]);
});

forEachEngine('a database of a newer version is refused', async (fresh) => {
  await using data = await fresh.open();
  await migrate(data, next);
  await expect(migrate(data)).rejects.toMatchObject({ code: 'data.newer', facts: { migration: '9998-next' } });
});

forEachEngine('a migration that fails leaves nothing behind', async (fresh) => {
  await using data = await fresh.openEmpty();
  const broken: MigrationList = { ...migrations, '9999-broken': () => ['create table half (id text)', 'create nonsense'] };
  await expect(migrate(data, broken)).rejects.toThrow();
  await expect(sql`select * from half`.execute(data.read)).rejects.toThrow();
  await expect(sql`select * from meta`.execute(data.read)).rejects.toThrow();
  expect(await migrate(data)).toEqual(Object.keys(migrations));
});

forEachEngine('two processes that migrate at once do it once', async (fresh) => {
  await using data = await fresh.openEmpty();
  const done = await Promise.all([migrate(data), migrate(data), migrate(data)]);
  expect(done.flat()).toEqual(Object.keys(migrations));
});

test('a database needs a directory or an address', async () => {
  await expect(openData({})).rejects.toMatchObject({ code: 'config.invalid' });
});
