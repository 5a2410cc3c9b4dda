/** Links over HTTP: narrowed by who has one, counted, bound, listed, taken back. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send } from './support/raw-http.ts';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let alice: Client;
let bob: Client;
let cid: string;
beforeAll(async () => {
  weir = await startWeir();
  [alice, bob] = [await weir.principal('alice', 'user'), await weir.principal('bob', 'viewer')];
  cid = await alice.upload(randomBytes(10_000));
});
afterAll(() => weir[Symbol.asyncDispose]());

type Made = { grant_id: string; token: string; url: string; expires_at: string };
type Listed = { items: { grant_id: string; state: string; parent: string | null; uses_left: number | null }[] };
const make = (more: object = {}): Promise<Made> => alice.json('POST', '/api/v1/grants', { cid, ...more });
const narrow = (grant: Made, more: object = {}, by: Client = weir.anonymous): Promise<Made> => by.json('POST', '/api/v1/grants/narrow', { grant: grant.token, ...more });
const read = async (grant: Made, by: Client = weir.anonymous, headers: Record<string, string> = {}): Promise<number> => {
  const reply = await by.fetch(`/api/v1/content/${cid}?grant=${grant.token}`, { headers });
  await reply.arrayBuffer();
  return reply.status;
};

test('whoever has a link makes a narrower one without an account, and it ends with the one that it comes of', async () => {
  const parent = await make();
  const child = await narrow(parent, { expires_in: 60 });
  const grandchild = await narrow(child, { networks: ['127.0.0.0/8'] });
  expect([await read(parent), await read(child), await read(grandchild)]).toEqual([200, 200, 200]);
  expect(await read(await narrow(parent, { networks: ['192.0.2.0/24'] }))).toBe(403);
  const { items } = await alice.json<Listed>('GET', `/api/v1/grants?parent=${child.grant_id}`);
  expect(items.map(({ grant_id: id, parent: from }) => [id, from])).toEqual([[grandchild.grant_id, child.grant_id]]);
  await alice.json('DELETE', `/api/v1/grants/${child.grant_id}`);
  expect([await read(parent), await read(child), await read(grandchild)]).toEqual([200, 403, 403]);
});

test('what would be more than the link has is refused, and so is any other token', async () => {
  const parent = await make({ expires_in: 60, uses: 2 });
  const refused = await weir.anonymous.send('POST', '/api/v1/grants/narrow', { grant: parent.token, expires_in: 61 });
  expect([refused.status, await refused.json()]).toMatchObject([403, { error: { code: 'grant.exceeds', dimension: 'window' } }]);
  for (const more of [{ uses: 3 }, { expires_in: 600 }]) expect((await weir.anonymous.send('POST', '/api/v1/grants/narrow', { grant: parent.token, ...more })).status).toBe(403);
  const { token } = await alice.json<{ token: string }>('POST', '/api/v1/tokens', {});
  for (const grant of [token, `${parent.token}x`, 'x']) expect((await weir.anonymous.send('POST', '/api/v1/grants/narrow', { grant })).status).toBe(401);
});

test('a link for one person is that person’s, and what is made of it too', async () => {
  const parent = await make();
  const forBob = await narrow(parent, { principal: 'bob' });
  expect([await read(forBob, bob), await read(forBob), await read(forBob, alice)]).toEqual([200, 403, 403]);
  await expect(narrow(forBob)).rejects.toThrow('403');
  expect(await read(await narrow(forBob, {}, bob), bob)).toBe(200);
});

test('a player that goes on with ranges uses a link once; the uses of a child are its parent’s', async () => {
  const parent = await make({ uses: 2 });
  const child = await narrow(parent, { uses: 1 });
  const target = `/api/v1/content/${cid}?grant=${child.token}`;
  const first = await send(weir.url, { target, headers: { range: 'bytes=0-9' } });
  const cookie = first.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  for (let start = 10; start < 100; start += 10) expect((await send(weir.url, { target, headers: { range: `bytes=${start}-${start + 9}`, cookie } })).status).toBe(206);
  expect((await send(weir.url, { target })).status).toBe(403);
  const left = async (id: string): Promise<number | null | undefined> => (await alice.json<Listed>('GET', `/api/v1/grants?cid=${cid}&limit=100`)).items.find(({ grant_id: other }) => other === id)?.uses_left;
  expect([await left(parent.grant_id), await left(child.grant_id)]).toEqual([1, 0]);
});

test('many openings at once are as many as the link has uses', async () => {
  const grant = await make({ uses: 10 });
  const codes = await Promise.all(Array.from({ length: 100 }, () => read(grant)));
  expect(codes.filter((code) => code === 200)).toHaveLength(10);
  expect(codes.filter((code) => code === 403)).toHaveLength(90);
});

test('a link can begin later', async () => {
  const grant = await make({ valid_from: new Date(Date.now() + 600_000).toISOString() });
  expect([401, 403]).toContain(await read(grant));
});

test('all links to a content, or all that one gave, are taken back at once', async () => {
  const other = await alice.upload(randomBytes(100));
  const [one, elsewhere] = [await make(), await alice.json<Made>('POST', '/api/v1/grants', { cid: other })];
  const child = await narrow(one);
  expect((await alice.json<{ revoked: number }>('DELETE', `/api/v1/grants?cid=${cid}`)).revoked).toBeGreaterThanOrEqual(2);
  expect([await read(one), await read(child)]).toEqual([403, 403]);
  expect((await weir.anonymous.fetch(new URL(elsewhere.url).pathname + new URL(elsewhere.url).search)).status).toBe(200);
  expect(await alice.json('DELETE', '/api/v1/grants?all=1')).toEqual({ revoked: 1 });
  expect((await weir.anonymous.fetch(new URL(elsewhere.url).pathname + new URL(elsewhere.url).search)).status).toBe(403);
  expect((await alice.send('DELETE', '/api/v1/grants')).status).toBe(400);
  expect((await alice.json<Listed>('GET', '/api/v1/grants?state=live')).items).toEqual([]);
  expect((await alice.json<Listed>('GET', '/api/v1/grants?state=revoked')).items.length).toBeGreaterThan(2);
});
