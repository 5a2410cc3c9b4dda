/** Each engine is opened safely. */
import { chmod, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { sql } from 'kysely';
import { isUniqueViolation, translateDatabaseError } from '../src/database-errors.ts';
import { openData } from '../src/data.ts';
import { isPostgres } from '../src/engine.ts';
import { migrate } from '../src/migrate.ts';
import { openPostgres } from '../src/postgres.ts';
import { forEachEngine } from './support/engines.ts';
import { temporaryFolder } from './support/temporary.ts';

test('SQLite flushes every commit, checks references, overwrites what is deleted and trusts no schema', async () => {
  await using folder = await temporaryFolder();
  await using data = await openData({ directory: folder.path });
  for (const db of [data.connections.writer, data.read]) {
    const pragma = async (name: string): Promise<unknown> => Object.values((await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(db)).rows[0] ?? {})[0];
    expect(await pragma('journal_mode')).toBe('wal');
    expect(await pragma('synchronous')).toBe(2);
    expect(await pragma('foreign_keys')).toBe(1);
    expect(await pragma('secure_delete')).toBe(1);
    expect(await pragma('trusted_schema')).toBe(0);
    expect(await pragma('busy_timeout')).toBe(5_000);
    await expect(sql`pragma writable_schema = on`.execute(db).then(() => sql`delete from sqlite_schema`.execute(db))).rejects.toThrow();
  }
});

test('a database file that others can read, or that is none, is refused', async () => {
  await using folder = await temporaryFolder();
  await (await openData({ directory: folder.path })).close();
  await chmod(folder.join('weir.db'), 0o640);
  await expect(openData({ directory: folder.path })).rejects.toMatchObject({ code: 'file.permissions' });
  await chmod(folder.join('weir.db'), 0o600);
  await writeFile(folder.join('weir.db'), 'not a database, but long enough to look like one'.repeat(100));
  await expect(openData({ directory: folder.path })).rejects.toMatchObject({ code: 'storage.failed' });
});

test('two streams of the same statement on one connection do not disturb each other', async () => {
  await using folder = await temporaryFolder();
  await using data = await openData({ directory: folder.path });
  await migrate(data);
  const keys = Array.from({ length: 50 }, (_, index) => `k${String(index).padStart(2, '0')}`);
  await data.write(async (tx) => { await tx.insertInto('meta').values(keys.map((key) => ({ key, value: '' }))).execute(); });
  const query = data.read.selectFrom('meta').select('key').orderBy('key');
  const heard: string[] = [];
  for await (const { key } of query.stream()) {
    heard.push(key);
    if (key === 'k10') await data.connections.writer.selectFrom('meta').select('key').orderBy('key').execute();
  }
  expect(heard).toEqual(keys);
});

forEachEngine('a handle knows its engine, inside a change too', async (fresh) => {
  await using data = await fresh.openEmpty();
  expect(isPostgres(data.read)).toBe(data.engine === 'postgres');
  expect(await data.write(async (tx) => isPostgres(tx))).toBe(data.engine === 'postgres');
});

test.each([
  'mysql://localhost/weir', 'not an address', 'postgres://weir:hunter2@db.example/weir', 'postgres://weir:hunter2@db.example/weir?sslmode=require',
  'postgres://weir:hunter2@db.example/weir?sslmode=no-verify', 'postgres://weir@db.example/weir?sslmode=verify-full',
  'postgres://weir:hunter2@localhost/weir?host=db.example', 'postgres://weir:hunter2@localhost/weir?options=-cfsync', 'postgres://weir:hunter2@127.evil.example/weir',
])('the database address %s is refused without repeating its password', (url) => {
  let refusal: unknown;
  try { openPostgres(url); } catch (error) { refusal = error; }
  expect(refusal).toMatchObject({ code: 'config.invalid' });
  expect(String(refusal)).not.toContain('hunter2');
});

test('a database that does not answer is storage.failed when something is written', async () => {
  await using data = await openData({ url: 'postgres://weir@127.0.0.1:1/weir' });
  await expect(data.write(async () => undefined)).rejects.toMatchObject({ code: 'storage.failed' });
});

test('errors keep their meaning when they are wrapped, and others keep their form', () => {
  const unique = Object.assign(new Error('duplicate'), { code: '23505' });
  expect(isUniqueViolation(new Error('outer', { cause: unique }))).toBe(true);
  expect(isUniqueViolation('23505')).toBe(false);
  const ours = new Error('ours');
  expect(translateDatabaseError(ours)).toBe(ours);
  expect(translateDatabaseError(unique)).toBe(unique);
  expect(translateDatabaseError(Object.assign(new Error('disk'), { code: '53100' }))).toMatchObject({ code: 'storage.full', cause: expect.any(Error) });
  expect(translateDatabaseError(Object.assign(new Error('stop'), { code: '57P01' }))).toMatchObject({ code: 'storage.failed' });
  expect(translateDatabaseError(Object.assign(new Error('io'), { errcode: 10 | (4 << 8) }))).toMatchObject({ code: 'storage.failed' });
});
