/** A fresh PostgreSQL database for one test of the whole server. */
import type { TestContext } from 'vitest';
import { createDatabase, postgresMissing } from '../../packages/data/test/support/private-postgres.ts';

/** PostgreSQL absent is a failure where CI=true, and a skipped test that says so elsewhere. */
export async function freshPostgres(context: TestContext): Promise<string> {
  const missing = postgresMissing();
  if (missing !== undefined && process.env['CI'] !== 'true') context.skip(missing);
  if (missing !== undefined) throw new Error(missing);
  return createDatabase();
}
