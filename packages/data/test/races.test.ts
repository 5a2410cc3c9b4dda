/** What must happen once happens once, however many ask for it together. */
import { defineRoles } from '@weir/security/roles';
import { expect } from 'vitest';
import { isPostgres } from '../src/engine.ts';
import { consumeOneTimeSecret, forgetOneTimeSecrets, storeOneTimeSecret } from '../src/once.ts';
import type { Tx } from '../src/schema.ts';
import { useGrant } from '../src/security-stores/grants.ts';
import { addPrincipal, changePrincipal, deletePrincipal } from '../src/security-stores/principals.ts';
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

const roles = defineRoles({});
const rounds = (): number => runs(1_000);
/** On a crowded machine, at full scale. */
const longMs = 300_000;

forEachEngine('of two administrators who remove each other at once, one stays, a thousand times', async (fresh) => {
  await using data = await fresh.open();
  const both = ['one', 'two'] as const;
  await data.write(async (tx) => { for (const id of both) await addPrincipal(tx, roles, { id, role: 'admin' }, 1); });
  const removals: readonly ((tx: Tx, id: string) => Promise<void>)[] = [
    (tx, id) => changePrincipal(tx, roles, id, { disabled: true }),
    (tx, id) => changePrincipal(tx, roles, id, { role: 'viewer' }),
    (tx, id) => deletePrincipal(tx, roles, id, 2),
  ];
  for (let round = 0; round < rounds(); round += 1) {
    const remove = removals[round % removals.length] ?? fail;
    const outcomes = await Promise.allSettled(both.map((id) => data.write((tx) => remove(tx, id))));
    expect(outcomes.map(({ status }) => status).toSorted(), `round ${round}`).toEqual(['fulfilled', 'rejected']);
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    expect(refused?.reason).toMatchObject({ code: 'principal.last_admin' });
    await data.write(async (tx) => {
      const gone = both[outcomes.findIndex(({ status }) => status === 'fulfilled')] ?? 'one';
      if (round % removals.length === 2) await addPrincipal(tx, roles, { id: gone, role: 'admin' }, 1);
      else await changePrincipal(tx, roles, gone, { role: 'admin', disabled: false });
    });
  }
}, longMs);

forEachEngine('a link of three uses opens three times however many ask at once, a thousand times', async (fresh) => {
  await using data = await fresh.open();
  for (let round = 0; round < rounds(); round += 1) {
    const id = `g${round}`;
    await data.write(async (tx) => { await tx.insertInto('grant').values({ ...rows.grant, id, uses_left: 3, revoked_at: null }).execute(); });
    const write = round % 2 === 0 ? data.write : data.writeReadCommitted;
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => write((tx) => useGrant(tx, [id]))));
    expect(outcomes.filter(({ status }) => status === 'fulfilled'), `round ${round}`).toHaveLength(3);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'policy.refused' });
  }
}, longMs);

forEachEngine('a secret that works once works once, a thousand times', async (fresh) => {
  await using data = await fresh.open();
  for (let round = 0; round < rounds(); round += 1) {
    const hash = `h${round}`;
    await data.write((tx) => storeOneTimeSecret(tx, { ...secret, hash }));
    const write = round % 2 === 0 ? data.write : data.writeReadCommitted;
    const used = await Promise.all(Array.from({ length: 5 }, () => write((tx) => consumeOneTimeSecret(tx, hash, 'login', 99))));
    expect(used.filter((row) => row !== undefined), `round ${round}`).toHaveLength(1);
  }
}, longMs);

forEachEngine('a name is given to one of those who take it at once, a thousand times', async (fresh) => {
  await using data = await fresh.open();
  for (let round = 0; round < rounds(); round += 1) {
    const id = `p${round}`;
    const outcomes = await Promise.allSettled(['user', 'viewer', 'admin', 'worker'].map((role) => data.write((tx) => addPrincipal(tx, roles, { id, role }, 1))));
    expect(outcomes.filter(({ status }) => status === 'fulfilled'), `round ${round}`).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'principal.exists' });
  }
}, longMs);

forEachEngine('a job is claimed by one of those who want it at once, a thousand times', async (fresh) => {
  await using data = await fresh.open();
  for (let round = 0; round < rounds(); round += 1) {
    await data.write(async (tx) => { await tx.insertInto('job').values({ ...rows.job, id: `j${round}` }).execute(); });
    const claimed = await Promise.all(Array.from({ length: 4 }, (_, worker) => data.writeReadCommitted(claim(`w${worker}`, 1))));
    expect(claimed.flat(), `round ${round}`).toEqual([`j${round}`]);
  }
}, longMs);

function fail(): never {
  throw new Error('no such removal');
}
