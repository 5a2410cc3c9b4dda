/** Brings a database to the schema of this version. */
import { CompiledQuery, type Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { WeirError } from '@weir/contracts/errors';
import type { Data } from './data.ts';
import { translateDatabaseError } from './database-errors.ts';
import { columnTypes, type ColumnTypes, type Statements } from './migrations/column-types.ts';
import { migrations, type MigrationList } from './migrations/list.ts';

/**
 * Runs the migrations that the database lacks, in one transaction, and returns their names. Safe when several processes do it at once.
 * Errors: `data.newer` if the database knows migrations that this version does not, `storage.full`, `storage.failed`.
 */
export async function migrate(data: Data, list: MigrationList = migrations): Promise<string[]> {
  const { engine, connections: { writer } } = data;
  const migrator = new Migrator({ db: writer, provider: { getMigrations: async () => forEngine(list, columnTypes[engine]) } });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error === undefined) return results.map(({ migrationName }) => migrationName);
  const unknown = await unknownMigration(writer, list);
  if (unknown !== undefined) throw new WeirError('data.newer', undefined, { cause: error, facts: { migration: unknown } });
  throw translateDatabaseError(error);
}

function forEngine(list: MigrationList, types: ColumnTypes): Record<string, Migration> {
  return Object.fromEntries(Object.entries(list).map(([name, statements]) => [name, { up: (db) => runAll(db, statements(types)) }]));
}

async function runAll(db: Kysely<unknown>, statements: ReturnType<Statements>): Promise<void> {
  for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement));
}

async function unknownMigration<S>(db: Kysely<S>, list: MigrationList): Promise<string | undefined> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === 'kysely_migration')) return undefined;
  const { rows } = await db.executeQuery<{ name: string }>(CompiledQuery.raw('select name from kysely_migration order by name'));
  return rows.map(({ name }) => name).find((name) => !Object.hasOwn(list, name));
}
