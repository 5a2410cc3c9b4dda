/** What must happen once happens once, however many ask for it together. */
import { expect } from 'vitest';
import { isPostgres } from '../src/engine.ts';
import { consumeOneTimeSecret, forgetOneTimeSecrets, storeOneTimeSecret } from '../src/once.ts';
import type { Tx } from '../src/schema.ts';
import { forEachEngine, runs } from './support/engines.ts';
import { rows } from './support/rows.ts';

const secret = { hash: 'h', purpose: 'login', subject: 'alice', facts: '{}', expires_at: 100 };

forEachEngine('a one-time secret that fifty use at once is used once', async (fresh) => {
  await using data = await fresh.open();
  for (const write of [data.write, data.writeReadCommitted]) {
    await data.write(async (tx) => { await tx.deleteFrom('one_time_secret').execute(); await storeOneTimeSecret(tx, secret); });
    const used = await Promise.all(Array.from({ length: 50 }, () => write((tx) => consumeOneTimeSecret(tx, 'h', 'login', 99))));
    expect(used.filter((row) => row !== undefined)).toEqual([{ ...secret, used_at: 99 }]);
  }
});

forEachEngine('a one-time secret of another purpose, unknown, or expired is refused and not used up', async (fresh) => {
  await using data = await fresh.open();
  await data.write((tx) => storeOneTimeSecret(tx, secret));
  expect(await data.write((tx) => consumeOneTimeSecret(tx, 'h', 'invite', 1))).toBeUndefined();
  expect(await data.write((tx) => consumeOneTimeSecret(tx, 'other', 'login', 1))).toBeUndefined();
  expect(await data.write((tx) => consumeOneTimeSecret(tx, 'h', 'login', 100))).toBeUndefined();
  expect(await data.write((tx) => forgetOneTimeSecrets(tx, 100))).toBe(0);
  expect(await data.write((tx) => consumeOneTimeSecret(tx, 'h', 'login', 99))).toEqual({ ...secret, used_at: 99 });
  expect(await data.write((tx) => forgetOneTimeSecrets(tx, 101))).toBe(1);
});

const claim = (worker: string, slots: number) => async (tx: Tx): Promise<string[]> => {
  const next = tx.selectFrom('job').select('id').where('state', '=', 'queued').orderBy('priority', 'desc').orderBy('id').limit(slots)
    .$if(isPostgres(tx), (query) => query.forUpdate().skipLocked());
  const claimed = await tx.updateTable('job').set({ state: 'assigned', worker }).where('id', 'in', next).returning('id').execute();
  return claimed.map(({ id }) => id);
};

forEachEngine('eight claimers share five hundred jobs without taking one twice', async (fresh) => {
  await using data = await fresh.open();
  const jobs = Array.from({ length: runs(500) }, (_, index) => ({ ...rows.job, id: `j${index}`, priority: index % 7 }));
  await data.write(async (tx) => { await tx.insertInto('job').values(jobs).execute(); });
  const claimed = await Promise.all(Array.from({ length: 8 }, async (_, worker) => {
    const mine: string[] = [];
    for (;;) {
      const taken = await data.writeReadCommitted(claim(`w${worker}`, 3));
      if (taken.length === 0) return mine;
      mine.push(...taken);
    }
  }));
  expect(new Set(claimed.flat()).size).toBe(jobs.length);
  expect(claimed.flat()).toHaveLength(jobs.length);
});
