/** What several nodes count together: each signature once, and one allowance for all of them. */
import { setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { sql } from 'kysely';
import { expect, test, type TestContext } from 'vitest';
import { stepGcra } from '@weir/security/rate-limits';
import { openData, type Data } from '../src/data.ts';
import { migrate } from '../src/migrate.ts';
import { openSharedLimits, sweepRateLimits } from '../src/security-stores/shared-limits.ts';
import { openSharedReplay, sweepReplayKeys } from '../src/security-stores/shared-replay.ts';
import { runs } from './support/engines.ts';
import { createDatabase, postgresMissing } from './support/private-postgres.ts';

/** Two nodes of one database. */
async function twoNodes(context: TestContext): Promise<AsyncDisposable & { a: Data; b: Data }> {
  const missing = postgresMissing();
  if (missing !== undefined && process.env['CI'] !== 'true') context.skip(missing);
  if (missing !== undefined) throw new Error(missing);
  const url = await createDatabase();
  const [a, b] = [await openData({ url }), await openData({ url })];
  await migrate(a);
  return { a, b, [Symbol.asyncDispose]: async () => { await a.close(); await b.close(); } };
}

const now = (): number => Date.now();

test('of equal signatures at two nodes at once one is accepted, in every round', async (context) => {
  await using nodes = await twoNodes(context);
  const stores = [await openSharedReplay(nodes.a), await openSharedReplay(nodes.b)];
  for (let round = 0; round < runs(1_000); round += 1) {
    const signedAt = now();
    const outcomes = await Promise.all([...stores, ...stores].map(async (store) => store.accepts(`k${round}`, signedAt, signedAt + 31_000)));
    expect(outcomes.filter(Boolean)).toHaveLength(1);
  }
});

test('a signature that is too old for anyone is refused, and forgotten only then', async (context) => {
  await using nodes = await twoNodes(context);
  const store = await openSharedReplay(nodes.a);
  expect(await store.accepts('k', now(), now() + 31_000)).toBe(true);
  expect(await store.accepts('old', now() - 600_000, now() - 310_000)).toBe(false);
  await sweepReplayKeys(nodes.b);
  expect(await store.accepts('k', now(), now() + 31_000)).toBe(false);
  await sql`update replay_key set valid_until = 1 where key = 'k'`.execute(nodes.a.connections.writer);
  await sweepReplayKeys(nodes.b);
  expect((await sql`select key from replay_key`.execute(nodes.a.read)).rows).toEqual([{ key: 'began' }]);
});

test('after a crash emptied the table nothing is accepted that may have been accepted before it', async (context) => {
  await using nodes = await twoNodes(context);
  const [one, other] = [await openSharedReplay(nodes.a), await openSharedReplay(nodes.b)];
  const signedAt = now();
  expect(await one.accepts('k', signedAt, signedAt + 31_000)).toBe(true);
  // What recovery does to an unlogged table.
  await sql`truncate replay_key`.execute(nodes.a.connections.writer);
  expect(await other.accepts('k', signedAt, signedAt + 31_000)).toBe(false);
  expect(await one.accepts('k', signedAt, signedAt + 31_000)).toBe(false);
  expect(await one.accepts('later', signedAt + 2_001, signedAt + 33_000)).toBe(true);
  expect(await other.accepts('later', signedAt + 2_001, signedAt + 33_000)).toBe(false);
});

test('a limit is one for all nodes, however they share the uses, and its rest is told', async (context) => {
  await using nodes = await twoNodes(context);
  const limits = { only: { limit: 20, periodSeconds: 3_600 } };
  const [a, b] = [openSharedLimits(nodes.a, limits), openSharedLimits(nodes.b, limits)];
  const verdicts = await Promise.all(Array.from({ length: 60 }, async (_, index) => (index % 2 === 0 ? a : b).take('only', 'alice', performance.now())));
  expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(20);
  expect(verdicts.filter(({ allowed }) => allowed).map(({ remaining }) => remaining).toSorted((x, y) => x - y)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  for (const verdict of verdicts) if (!verdict.allowed) expect(verdict).toMatchObject({ remaining: 0, limit: 20, retryAfterSeconds: expect.toSatisfy((wanted: number) => wanted > 100 && wanted <= 180) });
  expect((await b.take('only', 'bob', performance.now())).allowed).toBe(true);
  await sweepRateLimits(nodes.a);
  expect((await sql`select key from rate_limit order by key`.execute(nodes.a.read)).rows).toEqual([{ key: 'alice' }, { key: 'bob' }]);
  await sql`update rate_limit set full_at = 1 where key = 'alice'`.execute(nodes.a.connections.writer);
  await sweepRateLimits(nodes.a);
  expect((await sql`select key from rate_limit`.execute(nodes.a.read)).rows).toEqual([{ key: 'bob' }]);
});

test('the statement decides as the algorithm in memory does', async (context) => {
  await using nodes = await twoNodes(context);
  let count = 0;
  const anyLimit = fc.record({ limit: fc.constantFrom(1, 2, 3, 7, 20), periodSeconds: fc.constantFrom(1, 2, 60) });
  await fc.assert(fc.asyncProperty(anyLimit, fc.array(fc.constantFrom(0, 0, 0, 5, 40), { maxLength: 12 }), async (limit, pauses) => {
    const name = `k${count += 1}`;
    // A node of its own for each use: the one that asks has no memory of the others.
    let fullAtMs: number | undefined;
    for (const pause of pauses) {
      if (pause > 0) await wait(pause);
      const before = Date.now();
      const shared = await openSharedLimits(nodes.a, { only: limit }).take('only', name, performance.now());
      const expected = stepGcra(limit, fullAtMs, before);
      const later = stepGcra(limit, fullAtMs, Date.now());
      // Between the two clocks either answer may be right.
      if (expected.verdict.allowed === later.verdict.allowed) expect(shared.allowed).toBe(expected.verdict.allowed);
      const row = await nodes.a.read.selectFrom('rate_limit').select('full_at').where('key', '=', name).executeTakeFirstOrThrow();
      fullAtMs = row.full_at / 1_000;
    }
  }), { numRuns: runs(60) });
});

test('a database that goes away is said to have failed', async (context) => {
  await using nodes = await twoNodes(context);
  const store = await openSharedReplay(nodes.a);
  const limits = openSharedLimits(nodes.a, { only: { limit: 1, periodSeconds: 60 } });
  await sql`drop table replay_key, rate_limit`.execute(nodes.b.connections.writer);
  await expect(Promise.resolve(store.accepts('k', now(), now() + 31_000))).rejects.toThrow();
  await expect(Promise.resolve(limits.take('only', 'k', 0))).rejects.toThrow();
});
