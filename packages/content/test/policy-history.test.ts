/** Each change of a policy leaves what was there before; versions count them without a gap. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { forEachEngine, runs } from '../../data/test/support/engines.ts';
import type { Data } from '@weir/data/data';
import { deleteHolding, findHolding, holdingsByFilter, insertHolding, type HoldingRow } from '../src/holdings.ts';
import { changePolicy, listPolicyChanges, policyAt, policyVersion } from '../src/policy-history.ts';

const now = 1_790_000_000_000;
const level = (name: string): string => JSON.stringify({ level: name, allowed_users: [] });
const add = (data: Data, digest: string, over: Partial<HoldingRow> = {}): Promise<HoldingRow> => data.write((tx) => insertHolding(tx, {
  owner: 'alice', digest, cid: `cid-of-${digest}`, size: 5, content_type: 'video/mp4', title: 'Film', blob: randomBytes(16).toString('hex'), data_key: null, user_key: null,
  leaf_digests: randomBytes(60), policy: null, ceilings: '[]', origin: null, created_at: now, ...over,
}));
const change = (data: Data, { id }: HoldingRow, policy: string | null, by = 'alice') => data.write(async (tx) => {
  const row = await findHolding(tx, 'alice', 'd1');
  if (row?.id !== id) throw new Error('another holding');
  return changePolicy(tx, row, policy, { by, now });
});

forEachEngine('a change is remembered with what was before and after, and every version can be read again', async (fresh) => {
  await using data = await fresh.open();
  const holding = await add(data, 'd1', { policy: level('private') });
  expect(await policyVersion(data.read, holding.id)).toBe(0);
  expect(await policyAt(data.read, holding, 0)).toBe(level('private'));
  expect(await change(data, holding, level('public'), 'bob')).toBe(1);
  expect(await change(data, holding, level('public'))).toBe(1);
  expect(await change(data, holding, null)).toBe(2);
  expect(await listPolicyChanges(data.read, holding.id, { limit: 5 })).toEqual([
    { holding: holding.id, version: 2, at: now, principal: 'alice', policy_before: level('public'), policy_after: null },
    { holding: holding.id, version: 1, at: now, principal: 'bob', policy_before: level('private'), policy_after: level('public') },
  ]);
  expect(await listPolicyChanges(data.read, holding.id, { limit: 5, before: 2 })).toHaveLength(1);
  expect([await policyAt(data.read, holding, 0), await policyAt(data.read, holding, 1), await policyAt(data.read, holding, 2)]).toEqual([level('private'), level('public'), null]);
  await expect(policyAt(data.read, holding, 3)).rejects.toMatchObject({ code: 'object.absent' });
});

forEachEngine('changes that race leave one version each', async (fresh) => {
  await using data = await fresh.open();
  const holding = await add(data, 'd1');
  const count = runs(60);
  const versions = await Promise.all(Array.from({ length: count }, (_, index) => change(data, holding, level(`level-${index}`))));
  expect([...versions].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  const rows = (await listPolicyChanges(data.read, holding.id, { limit: 500 })).reverse();
  for (const [index, row] of rows.entries()) expect(row.policy_before).toBe(index === 0 ? null : rows[index - 1]?.policy_after);
});

forEachEngine('a change that fails after it leaves neither policy nor history', async (fresh) => {
  await using data = await fresh.open();
  const holding = await add(data, 'd1');
  await expect(data.write(async (tx) => { await changePolicy(tx, holding, level('public'), { by: 'alice', now }); throw new Error('no'); })).rejects.toThrow('no');
  expect(await findHolding(data.read, 'alice', 'd1')).toEqual(holding);
  expect(await policyVersion(data.read, holding.id)).toBe(0);
});

forEachEngine('the history goes with the holding', async (fresh) => {
  await using data = await fresh.open();
  const holding = await add(data, 'd1');
  await change(data, holding, level('public'));
  await data.write((tx) => deleteHolding(tx, holding.id, now));
  expect(await listPolicyChanges(data.read, holding.id, { limit: 5 })).toEqual([]);
});

forEachEngine('a filter finds what meets all its conditions, and nothing of others', async (fresh) => {
  await using data = await fresh.open();
  await add(data, 'd1', { policy: level('public') });
  await add(data, 'd2', { policy: level('public'), content_type: 'video-x/mp4' });
  await add(data, 'd3', { content_type: 'text/plain; charset=utf-8' });
  await add(data, 'd4', { owner: 'bob', policy: level('public') });
  const found = async (filter: Parameters<typeof holdingsByFilter>[2]) => (await holdingsByFilter(data.read, 'alice', filter, 10)).map(({ cid }) => cid.slice(-2));
  expect(await found({})).toEqual(['d1', 'd2', 'd3']);
  expect(await found({ level: 'public' })).toEqual(['d1', 'd2']);
  expect(await found({ level: null })).toEqual(['d3']);
  expect(await found({ level: 'private' })).toEqual([]);
  expect(await found({ content_type: 'video' })).toEqual(['d1']);
  expect(await found({ content_type: 'video/mp4', level: 'public' })).toEqual(['d1']);
  expect(await found({ content_type: 'text/plain' })).toEqual(['d3']);
});
