/** Each owner has one holding of a content, and nobody's change reaches another's. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { epochsSince } from '@weir/data/epochs';
import { forEachEngine, runs } from '../../data/test/support/engines.ts';
import { blobsInUse, deleteHolding, findHolding, holdingById, holdingsOfDigest, insertHolding, listHoldings, setPolicy, setTitle, type NewHolding } from '../src/holdings.ts';

const now = 1_790_000_000_000;
const absent = expect.objectContaining({ code: 'object.absent' });
const order = (owner: string, digest: string, over: Partial<NewHolding> = {}): NewHolding => ({
  owner, digest, cid: `cid-of-${digest}`, size: 5, content_type: 'video/mp4', title: 'Film', blob: randomBytes(16).toString('hex'), data_key: randomBytes(60), user_key: null,
  leaf_digests: randomBytes(60), policy: null, ceilings: '[]', origin: null, created_at: now, ...over,
});

forEachEngine('a holding comes back as it was recorded', async (fresh) => {
  await using data = await fresh.open();
  const wanted = order('alice', 'd1', { origin: 'job', policy: '{"level":"public"}' });
  const row = await data.write((tx) => insertHolding(tx, wanted));
  expect(row).toMatchObject({ owner: 'alice', digest: 'd1', blob: wanted.blob, policy: wanted.policy, origin: 'job', created_at: now, deleted_at: null });
  const found = await findHolding(data.read, 'alice', 'd1');
  expect(found).toEqual(await holdingById(data.read, row.id));
  expect(Buffer.from(found?.leaf_digests ?? []).equals(wanted.leaf_digests)).toBe(true);
  expect(Buffer.from(found?.data_key ?? []).equals(wanted.data_key ?? Buffer.of())).toBe(true);
  expect(await findHolding(data.read, 'bob', 'd1')).toBeUndefined();
  expect(await holdingById(data.read, 'none')).toBeUndefined();
});

forEachEngine('a second upload of the same content gives the first holding, unchanged', async (fresh) => {
  await using data = await fresh.open();
  const first = await data.write((tx) => insertHolding(tx, order('alice', 'd1')));
  const second = await data.write((tx) => insertHolding(tx, order('alice', 'd1', { title: 'Other', policy: '{"level":"public"}' })));
  expect(second).toEqual(first);
});

forEachEngine('of racing uploads of one owner, one makes the holding', async (fresh) => {
  await using data = await fresh.open();
  for (let round = 0; round < runs(10); round++) {
    const rows = await Promise.all(Array.from({ length: 8 }, () => data.write((tx) => insertHolding(tx, order('alice', `d${round}`)))));
    expect(new Set(rows.map(({ id }) => id)).size).toBe(1);
    expect(await holdingsOfDigest(data.read, `d${round}`)).toHaveLength(1);
  }
});

forEachEngine('owners of the same content do not see each other', async (fresh) => {
  await using data = await fresh.open();
  const alice = await data.write((tx) => insertHolding(tx, order('alice', 'd1')));
  const bob = await data.write((tx) => insertHolding(tx, order('bob', 'd1')));
  expect(bob.blob).not.toBe(alice.blob);
  await data.write((tx) => setPolicy(tx, bob.id, '{"level":"public"}'));
  await data.write((tx) => setTitle(tx, bob.id, 'Mine'));
  await data.write((tx) => deleteHolding(tx, bob.id, now + 1));
  expect(await holdingById(data.read, alice.id)).toEqual(alice);
  expect(await holdingsOfDigest(data.read, 'd1')).toEqual([alice]);
});

forEachEngine('deleting destroys what opens the content and leaves no name of it', async (fresh) => {
  await using data = await fresh.open();
  const { id, blob } = await data.write((tx) => insertHolding(tx, order('alice', 'd1')));
  expect(await data.write((tx) => deleteHolding(tx, id, now + 1))).toBe(blob);
  expect(await holdingById(data.read, id)).toBeUndefined();
  expect(await findHolding(data.read, 'alice', 'd1')).toBeUndefined();
  const row = await data.read.selectFrom('holding').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  expect(row).toMatchObject({ data_key: null, title: '', policy: null, deleted_at: now + 1 });
  expect(row.leaf_digests).toHaveLength(0);
  await expect(data.write((tx) => deleteHolding(tx, id, now + 2))).rejects.toEqual(absent);
  await expect(data.write((tx) => setPolicy(tx, id, null))).rejects.toEqual(absent);
  await expect(data.write((tx) => setTitle(tx, id, 'x'))).rejects.toEqual(absent);
  const again = await data.write((tx) => insertHolding(tx, order('alice', 'd1')));
  expect(again.id).not.toBe(id);
});

forEachEngine('a change of who may use a holding moves its epoch', async (fresh) => {
  await using data = await fresh.open();
  const { id } = await data.write((tx) => insertHolding(tx, order('alice', 'd1')));
  const moved = async (since: number) => epochsSince(data.read, since);
  await data.write((tx) => setPolicy(tx, id, '{"level":"public"}'));
  const first = await moved(0);
  expect(first.subjects).toEqual([`holding:${id}`]);
  await data.write((tx) => setTitle(tx, id, 'Other'));
  expect((await moved(first.sequence)).subjects).toEqual([]);
  await data.write((tx) => deleteHolding(tx, id, now));
  expect((await moved(first.sequence)).subjects).toEqual([`holding:${id}`]);
});

forEachEngine('pages list every present holding of an owner once, newest first', async (fresh) => {
  await using data = await fresh.open();
  const ids: string[] = [];
  for (let i = 0; i < 25; i++) ids.push((await data.write((tx) => insertHolding(tx, order('alice', `d${i}`, { created_at: now + i })))).id);
  await data.write((tx) => insertHolding(tx, order('bob', 'd1')));
  await data.write((tx) => deleteHolding(tx, ids[7] ?? '', now));
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = await listHoldings(data.read, 'alice', { after, limit: 6 });
    expect(page.items.length).toBeLessThanOrEqual(6);
    seen.push(...page.items.map(({ id }) => id));
    after = page.next ?? undefined;
  } while (after !== undefined);
  expect(seen).toEqual(ids.filter((_, i) => i !== 7).toReversed());
  expect(await listHoldings(data.read, 'carol', { limit: 5 })).toEqual({ items: [], next: null });
  expect((await listHoldings(data.read, 'bob', { limit: 1 })).next).toBeNull();
});

forEachEngine('a blob is in use while a holding names it, and for a while after', async (fresh) => {
  await using data = await fresh.open();
  const kept = await data.write((tx) => insertHolding(tx, order('alice', 'd1')));
  const gone = await data.write((tx) => insertHolding(tx, order('alice', 'd2')));
  await data.write((tx) => deleteHolding(tx, gone.id, now));
  const blobs = [kept.blob, gone.blob, 'f'.repeat(32)];
  expect(await blobsInUse(data.read, blobs, now - 1)).toEqual(new Set([kept.blob, gone.blob]));
  expect(await blobsInUse(data.read, blobs, now)).toEqual(new Set([kept.blob]));
  expect(await blobsInUse(data.read, [], now)).toEqual(new Set());
});
