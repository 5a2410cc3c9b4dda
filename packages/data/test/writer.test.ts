/** Changes are all or nothing, alone in their failures, durable when they resolve. */
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import fc from 'fast-check';
import { sql } from 'kysely';
import { WeirError } from '@weir/contracts/errors';
import type { Data } from '../src/data.ts';
import { openGroupCommit } from '../src/group-commit.ts';
import { migrate } from '../src/migrate.ts';
import { openData } from '../src/data.ts';
import type { Tx } from '../src/schema.ts';
import { forEachEngine, runs } from './support/engines.ts';
import { temporaryFolder } from './support/temporary.ts';

const put = (key: string) => async (tx: Tx): Promise<string> => {
  await tx.insertInto('meta').values({ key, value: '' }).execute();
  return key;
};
const keys = async (data: Data): Promise<string[]> =>
  (await data.read.selectFrom('meta').select('key').orderBy('key').execute()).map(({ key }) => key);

forEachEngine('one change of a hundred that fails undoes itself alone', async (fresh) => {
  await using data = await fresh.open();
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, index) => data.write(async (tx) => {
    await put(`k${index}`)(tx);
    if (index === 42) throw new WeirError('request.conflict');
    if (index === 43) await put('k43')(tx);
  })));
  const failed = outcomes.flatMap(({ status }, index) => status === 'rejected' ? [index] : []);
  expect(failed).toEqual([42, 43]);
  const stored = await keys(data);
  expect(stored).toHaveLength(98);
  expect(stored).not.toContain('k42');
  expect(stored).not.toContain('k43');
});

forEachEngine('whatever fails, exactly the changes that resolved are stored', async (fresh) => {
  await using data = await fresh.open();
  let round = 0;
  await fc.assert(fc.asyncProperty(fc.array(fc.constantFrom('stored', 'thrown', 'repeated', 'aborted'), { maxLength: 30 }), async (plan) => {
    const prefix = `r${round += 1}`;
    const outcomes = await Promise.allSettled(plan.map((fate, index) => data.write(async (tx) => {
      await put(`${prefix}-${index}`)(tx);
      if (fate === 'thrown') throw new Error('on purpose');
      if (fate === 'repeated') await put(`${prefix}-${index}`)(tx);
    }, fate === 'aborted' ? AbortSignal.abort() : undefined)));
    expect(outcomes.map(({ status }) => status)).toEqual(plan.map((fate) => fate === 'stored' ? 'fulfilled' : 'rejected'));
    const resolved = outcomes.flatMap(({ status }, index) => status === 'fulfilled' ? [`${prefix}-${index}`] : []);
    expect((await keys(data)).filter((key) => key.startsWith(`${prefix}-`))).toEqual(resolved.sort());
  }), { numRuns: runs(15) });
});

forEachEngine('a change returns its value, and what it wrote is seen by readers at once', async (fresh) => {
  await using data = await fresh.open();
  expect(await data.write(put('a'))).toBe('a');
  expect(await keys(data)).toEqual(['a']);
});

forEachEngine('concurrent read-modify-write changes lose nothing', async (fresh) => {
  await using data = await fresh.open();
  const increment = async (tx: Tx): Promise<void> => {
    const { value } = await tx.selectFrom('counter').select('value').where('name', '=', 'epoch').executeTakeFirstOrThrow();
    await tx.updateTable('counter').set({ value: value + 1 }).where('name', '=', 'epoch').execute();
  };
  await Promise.all(Array.from({ length: 40 }, () => data.write(increment)));
  expect((await data.read.selectFrom('counter').select('value').execute())[0]?.value).toBe(40);
});

forEachEngine('a reader is not held up by an open change and does not see it', async (fresh) => {
  await using data = await fresh.open();
  const { promise: release, resolve } = Promise.withResolvers<void>();
  const change = data.write(async (tx) => {
    await put('later')(tx);
    await release;
  });
  await setTimeout(50);
  expect(await keys(data)).toEqual([]);
  resolve();
  await change;
  expect(await keys(data)).toEqual(['later']);
});

forEachEngine('an aborted change never begins', async (fresh) => {
  await using data = await fresh.open();
  const stop = new AbortController();
  const change = data.write(put('a'), stop.signal);
  stop.abort(new Error('not wanted'));
  await expect(change).rejects.toThrow('not wanted');
});

forEachEngine('closing finishes the accepted changes and refuses new ones', async (fresh) => {
  const data = await fresh.open();
  const accepted = Array.from({ length: 300 }, (_, index) => data.write(put(`k${index}`)));
  const closing = data.close();
  await expect(data.write(put('late'))).rejects.toMatchObject({ code: 'server.stopping' });
  expect(await Promise.all(accepted)).toHaveLength(300);
  await closing;
  await data.close();
});

forEachEngine('more than ten thousand waiting changes are refused with rate.exceeded', async (fresh) => {
  await using data = await fresh.open();
  const stop = new AbortController();
  const waiting = Array.from({ length: 10_001 }, () => data.write(async () => undefined, stop.signal).catch((error: unknown) => error));
  stop.abort(new Error('enough'));
  expect(await waiting.at(-1)).toMatchObject({ code: 'rate.exceeded' });
  await Promise.all(waiting);
});

test('a change that waits for something else is undone in time, and its transaction can do no more harm', async () => {
  await using folder = await temporaryFolder();
  await using data = await openData({ directory: folder.path });
  await migrate(data);
  if (data.connections.engine !== 'sqlite') throw new Error('not SQLite');
  const writer = openGroupCommit(data.connections, { changeTimeoutMs: 50 });
  const { promise: never } = Promise.withResolvers<void>();
  let leaked: Tx | undefined;
  const stuck = writer.write(async (tx) => {
    leaked = tx;
    await put('stuck')(tx);
    await never;
  });
  const neighbour = writer.write(put('neighbour'));
  await expect(stuck).rejects.toThrow('waited 50 ms');
  expect(await neighbour).toBe('neighbour');
  await expect(writer.write(async () => put('smuggled')(leaked ?? expect.fail('no transaction')))).rejects.toThrow('after its change had ended');
  expect(await keys(data)).toEqual(['neighbour']);
});

test('a full disk fails the group with storage.full, stores none of it, and later changes work', async () => {
  await using folder = await temporaryFolder();
  await using data = await openData({ directory: folder.path });
  await migrate(data);
  const { writer } = data.connections;
  const { rows: [size] } = await sql<{ page_count: number }>`pragma page_count`.execute(writer);
  await sql.raw(`pragma max_page_count = ${(size?.page_count ?? 0) + 4}`).execute(writer);

  const large = async (tx: Tx): Promise<void> => { await tx.insertInto('meta').values({ key: 'large', value: 'x'.repeat(1_000_000) }).execute(); };
  const group = await Promise.allSettled([data.write(put('a')), data.write(large), data.write(put('b'))]);
  expect(group.map((outcome) => outcome.status === 'rejected' ? outcome.reason.code : 'stored')).toEqual(['storage.full', 'storage.full', 'storage.full']);
  expect(await keys(data)).toEqual([]);

  const swallowing = data.write(async (tx) => { await large(tx).catch(() => undefined); });
  const outcomes = await Promise.allSettled([swallowing, data.write(put('c'))]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await keys(data)).toEqual([]);
  expect(await data.write(put('d'))).toBe('d');
});

test('a failed commit rejects all of its group', async () => {
  await using folder = await temporaryFolder();
  await using data = await openData({ directory: folder.path });
  await migrate(data);
  const { writer } = data.connections;
  await sql`create table child (meta text references meta (key) deferrable initially deferred)`.execute(writer);
  const orphan = data.write(async (tx) => { await sql`insert into child values ('absent')`.execute(tx); });
  const outcomes = await Promise.allSettled([data.write(put('a')), orphan, data.write(put('b'))]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(await keys(data)).toEqual([]);
  expect(await data.write(put('after'))).toBe('after');
});

test('booleans and objects are refused by name instead of being stored as something else', async () => {
  await using folder = await temporaryFolder();
  await using data = await openData({ directory: folder.path });
  await migrate(data);
  await expect(data.write((tx) => sql`insert into meta values ('a', ${true})`.execute(tx))).rejects.toThrow('not boolean');
  await expect(data.write((tx) => sql`insert into meta values ('a', ${{}})`.execute(tx))).rejects.toThrow('not object');
});
