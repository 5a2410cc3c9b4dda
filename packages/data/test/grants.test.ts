/** Grants in the store: uses are counted exactly, children stay inside, and what ends ends with all that came of it. */
import { expect } from 'vitest';
import { newTokenKey } from '@weir/security/token-keys';
import type { Data } from '../src/data.ts';
import { epochsSince } from '../src/epochs.ts';
import { createGrant, listGrants, narrowGrant, revokeGrant, revokeGrantsOf, stateOfGrant, useGrant, type GrantOrder, type GrantSigner } from '../src/security-stores/grants.ts';
import { forEachEngine, runs } from './support/engines.ts';

const now = 1_790_000_000_000;
const signer: GrantSigner = { issuer: 'weir:test', audience: 'weir:test', key: newTokenKey('grant-1') };
const create = async (data: Data, order: Partial<GrantOrder> = {}): Promise<string> =>
  (await data.write((tx) => createGrant(tx, signer, { issuer: 'alice', holding: 'h1', cid: 'bafk', verbs: ['read'], networks: [], expiresInSeconds: 3_600, ...order }, now))).id;
const narrow = async (data: Data, id: string, asked: Parameters<typeof narrowGrant>[3] = {}): Promise<string> => (await data.write((tx) => narrowGrant(tx, signer, id, asked, now))).id;
const row = (data: Data, id: string) => data.read.selectFrom('grant').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const used = (data: Data, ids: readonly string[]): Promise<boolean> => data.writeReadCommitted((tx) => useGrant(tx, ids)).then(() => true, (error: unknown) => {
  if (error instanceof Error && 'code' in error && error.code === 'policy.refused') return false;
  throw error;
});

/** As many as a pool of connections lets wait at once, over and over. */
async function raced(count: number, open: (index: number) => Promise<boolean>): Promise<boolean[]> {
  const opened: boolean[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (next < count) {
      const index = next;
      next += 1;
      opened.push(await open(index));
    }
  }));
  return opened;
}

forEachEngine('of a thousand openings at once, a grant with ten uses admits exactly ten', async (fresh) => {
  await using data = await fresh.open();
  const id = await create(data, { uses: 10 });
  const opened = await raced(runs(1_000), () => used(data, [id]));
  expect(opened.filter(Boolean)).toHaveLength(Math.min(10, opened.length));
  expect((await row(data, id)).uses_left).toBe(Math.max(0, 10 - opened.length));
});

forEachEngine('a use of a child is a use of all that it came of, or of none', async (fresh) => {
  await using data = await fresh.open();
  const parent = await create(data, { uses: 10 });
  const [left, right] = [await narrow(data, parent, { uses: 6 }), await narrow(data, parent, { uses: 6 })];
  const opened = await raced(runs(200), (index) => used(data, index % 2 === 0 ? [left, parent] : [right, parent]));
  expect(opened.filter(Boolean)).toHaveLength(Math.min(10, opened.length));
  const [a, b, p] = [await row(data, left), await row(data, right), await row(data, parent)];
  expect(p.uses_left).toBe(0);
  // What came of one that is used up is used up with it, and says so.
  expect([a.uses_left, b.uses_left]).toEqual([0, 0]);
  expect([a, b, p].map((grant) => stateOfGrant(grant, now))).toEqual(['used_up', 'used_up', 'used_up']);
});

forEachEngine('a child keeps what is not asked for, and is refused beyond its parent in each dimension', async (fresh) => {
  await using data = await fresh.open();
  const parent = await create(data, { uses: 5, principal: 'bob', networks: ['10.0.0.0/8'] });
  const child = await row(data, await narrow(data, parent));
  const { id: _id, parent: from, created_at: _at, ...kept } = await row(data, parent);
  expect(from).toBeNull();
  expect(child).toMatchObject({ ...kept, parent });
  expect(await row(data, await narrow(data, parent, { uses: 1, networks: ['10.1.0.0/16'], expires_in: 60 }))).toMatchObject({ uses_left: 1, networks: '["10.1.0.0/16"]', expires_at: now + 60_000, principal: 'bob' });
  const beyond = async (asked: Parameters<typeof narrowGrant>[3], dimension: string) =>
    expect(narrow(data, parent, asked)).rejects.toMatchObject({ code: 'grant.exceeds', facts: { dimension } });
  await beyond({ uses: 6 }, 'uses');
  await beyond({ principal: 'carol' }, 'principal');
  await beyond({ networks: ['0.0.0.0/0'] }, 'networks');
  await beyond({ expires_in: 3_601 }, 'window');
  await beyond({ valid_from: new Date(now - 1).toISOString() }, 'window');
});

forEachEngine('a chain has an end, and what can be made of links to one holding is bounded', async (fresh) => {
  await using data = await fresh.open();
  let last = await create(data);
  for (let link = 1; link < 8; link += 1) last = await narrow(data, last);
  await expect(narrow(data, last)).rejects.toMatchObject({ code: 'request.conflict' });
});

forEachEngine('revoking a grant revokes all that was narrowed from it, and moves the epoch of each', async (fresh) => {
  await using data = await fresh.open();
  const parent = await create(data);
  const child = await narrow(data, parent);
  const grandchild = await narrow(data, child);
  const sibling = await create(data);
  const before = (await epochsSince(data.read, 0)).sequence;
  await data.write((tx) => revokeGrant(tx, parent, now));
  expect((await epochsSince(data.read, before)).subjects.toSorted()).toEqual([parent, child, grandchild].map((id) => `grant:${id}`).toSorted());
  const state = async (id: string) => stateOfGrant(await row(data, id), now);
  expect(await Promise.all([parent, child, grandchild, sibling].map(state))).toEqual(['revoked', 'revoked', 'revoked', 'live']);
  await expect(narrow(data, child)).rejects.toMatchObject({ code: 'policy.refused' });
  expect(await used(data, [parent])).toBe(false);
});

forEachEngine('a child that is made while its parent is revoked is revoked too, or was never made', async (fresh) => {
  await using data = await fresh.open();
  for (let round = 0; round < runs(30); round += 1) {
    const parent = await create(data);
    const [made] = await Promise.allSettled([narrow(data, parent), data.write((tx) => revokeGrant(tx, parent, now))]);
    if (made.status === 'fulfilled') expect(stateOfGrant(await row(data, made.value), now)).toBe('revoked');
    else expect(made.reason).toMatchObject({ code: 'policy.refused' });
  }
});

forEachEngine('all of a content or of an issuer are taken back at once, and nobody else’s', async (fresh) => {
  await using data = await fresh.open();
  const [one, two, foreign] = [await create(data), await create(data, { holding: 'h2' }), await create(data, { issuer: 'bob', holding: 'h3' })];
  expect(await data.write((tx) => revokeGrantsOf(tx, { issuer: 'alice', holding: 'h1' }, now))).toEqual([one]);
  expect(await data.write((tx) => revokeGrantsOf(tx, { issuer: 'alice' }, now))).toEqual([two]);
  expect(stateOfGrant(await row(data, foreign), now)).toBe('live');
});

forEachEngine('lists tell grants apart by state, parent and person', async (fresh) => {
  await using data = await fresh.open();
  const live = await create(data);
  const child = await narrow(data, live, { principal: 'bob' });
  const usedUp = await create(data, { uses: 1 });
  await used(data, [usedUp]);
  const revoked = await create(data);
  await data.write((tx) => revokeGrant(tx, revoked, now));
  const short = await create(data, { expiresInSeconds: 1 });
  const at = now + 2_000;
  const listed = async (filter: Parameters<typeof listGrants>[2]) => (await listGrants(data.read, 'alice', filter, { limit: 10, now: at })).map(({ id }) => id).toSorted();
  expect(await listed({ state: 'live' })).toEqual([live, child].toSorted());
  expect(await listed({ state: 'used_up' })).toEqual([usedUp]);
  expect(await listed({ state: 'revoked' })).toEqual([revoked]);
  expect(await listed({ state: 'expired' })).toEqual([short]);
  expect(await listed({ parent: live })).toEqual([child]);
  expect(await listed({ principal: 'bob' })).toEqual([child]);
  expect(await listed({})).toHaveLength(5);
  for (const grant of await listGrants(data.read, 'alice', {}, { limit: 10, now: at })) expect(await listed({ state: stateOfGrant(grant, at) })).toContain(grant.id);
});
