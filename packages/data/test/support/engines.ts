/** Runs the same test on SQLite and on PostgreSQL. */
import { test } from 'vitest';
import { openData, type Data } from '../../src/data.ts';
import { migrate } from '../../src/migrate.ts';
import { createDatabase, postgresMissing } from './private-postgres.ts';
import { temporaryFolder } from './temporary.ts';

/** A fresh database for one test; disposed of by the test. */
export interface Fresh {
  /** With today's schema. */
  open(): Promise<Data>;
  /** Without any table. */
  openEmpty(): Promise<Data>;
}

/** How many times a long loop runs, scaled by WEIR_TEST_SCALE; at least once. */
export const runs = (count: number): number => Math.max(1, Math.round(count * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));

/** PostgreSQL absent is a failure where CI=true, and a skipped test that says so elsewhere. */
export function forEachEngine(name: string, body: (fresh: Fresh) => Promise<void>, timeoutMs = 30_000): void {
  test(`${name} (sqlite)`, async () => {
    await using folder = await temporaryFolder();
    let count = 0;
    const openEmpty = (): Promise<Data> => openData({ directory: folder.join(`data-${count += 1}`) });
    await body({ openEmpty, open: () => migrated(openEmpty()) });
  }, timeoutMs);

  test(`${name} (postgres)`, async (context) => {
    const missing = postgresMissing();
    if (missing !== undefined && process.env['CI'] !== 'true') return context.skip(missing);
    if (missing !== undefined) throw new Error(missing);
    await body({
      openEmpty: async () => openData({ url: await createDatabase() }),
      open: async () => openData({ url: await createDatabase(await template()) }),
    });
  }, timeoutMs);
}

async function migrated(opening: Promise<Data>): Promise<Data> {
  const data = await opening;
  await migrate(data);
  return data;
}

let templateName: Promise<string> | undefined;

/** The name of a database with today's schema, made once in each test process; copying it is faster than migrating. */
function template(): Promise<string> {
  return templateName ??= makeTemplate();
}

async function makeTemplate(): Promise<string> {
  const url = await createDatabase();
  await (await migrated(openData({ url }))).close();
  return new URL(url).pathname.slice(1);
}
