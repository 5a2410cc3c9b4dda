/** Policies over HTTP: one for all spellings of a content, set for one or many, remembered, taken back; and no door to a block but through its root. */
import { createHash, randomBytes } from 'node:crypto';
import { bases } from 'multiformats/basics';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let alice: Client;
let bob: Client;
beforeAll(async () => {
  weir = await startWeir();
  [alice, bob] = [await weir.principal('alice', 'user'), await weir.principal('bob', 'user')];
});
afterAll(() => weir[Symbol.asyncDispose]());

const status = async (client: Client, method: string, target: string, body?: unknown): Promise<number> => (await client.send(method, target, body)).status;
const film = (): Promise<string> => alice.upload(randomBytes(3_000));
type History = { items: { version: number; principal: string; before: { level: string } | null; after: { level: string } | null }[] };
const history = (cid: string): Promise<History> => alice.json('GET', `/api/v1/policies/${cid}/history`);

/** Every text that names the content: both codecs in every multibase that text can carry, and version 0. */
function spellings(cid: string): ReadonlyMap<string, string> {
  const multihash = create(0x12, CID.parse(cid).multihash.digest);
  const written = [0x55, 0x70].flatMap((codec) => Object.values(bases).filter(({ name }) => name !== 'identity')
    .map((base) => [`${base.name}, codec ${codec.toString(16)}`, CID.createV1(codec, multihash).toString(base)] as const));
  return new Map([...written, ['version 0', CID.createV0(multihash).toString()]]);
}

test('ipfs-kit §1.5 #2: every spelling of a content id names the same policy, content, grant and job input, and a link opens it under each', async () => {
  const cid = await film();
  const { token } = await alice.json<{ token: string }>('POST', '/api/v1/grants', { cid });
  const names = spellings(cid);
  expect(names.size).toBe(2 * (Object.keys(bases).length - 1) + 1);
  for (const [name, text] of names) {
    const address = encodeURIComponent(text);
    const policy = `/api/v1/policies/${address}`;
    expect(await alice.json('PUT', policy, { level: 'private', valid_until: '2999-01-01T00:00:00.000Z' }), name).toMatchObject({ level: 'private' });
    expect(await bob.get(address).then(({ status: code }) => code), `${name}: private for others`).toBe(404);
    expect(await weir.anonymous.get(address).then(({ status: code }) => code), `${name}: private for strangers`).toBe(404);
    expect(await alice.get(address).then(({ status: code }) => code), `${name}: its owner's`).toBe(200);
    expect(await weir.anonymous.fetch(`/api/v1/content/${address}?grant=${token}`).then(({ status: code }) => code), `${name}: by link`).toBe(200);
    expect(await status(bob, 'POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid: text }] }), `${name}: no input of another's job`).toBe(404);
    expect(await status(bob, 'POST', '/api/v1/grants', { cid: text }), `${name}: another gives no grant`).toBe(404);
    expect(await status(bob, 'PUT', policy, { level: 'public' }), `${name}: another sets no policy`).toBe(404);
    const { grant_id: grant } = await alice.json<{ grant_id: string }>('POST', '/api/v1/grants', { cid: text });
    expect((await alice.json<{ items: { grant_id: string }[] }>('GET', `/api/v1/grants?cid=${address}`)).items[0]?.grant_id, name).toBe(grant);
    expect(await status(alice, 'POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid: text }] }), name).toBe(201);
    expect(await status(alice, 'DELETE', policy), name).toBe(204);
    expect(await status(alice, 'GET', `/api/v1/policies/${cid}`), `${name}: the one policy is gone`).toBe(404);
  }
});

test('a block of a content is served to nobody: only the root is a door', async () => {
  const bytes = randomBytes(3 * 2 ** 20);
  const root = await alice.upload(bytes);
  await alice.json('PUT', `/api/v1/policies/${root}`, { level: 'public' });
  for (let start = 0; start < bytes.length; start += 2 ** 20) {
    const digest = createHash('sha256').update(bytes.subarray(start, start + 2 ** 20)).digest();
    const block = bases.base32.encode(Uint8Array.of(1, 0x55, 0x12, 32, ...digest));
    for (const caller of [alice, bob, weir.anonymous]) {
      expect((await caller.get(block)).status).toBe(404);
      expect(await status(caller, 'GET', `/api/v1/policies/${block}`)).not.toBe(200);
    }
  }
  expect((await weir.anonymous.get(root)).status).toBe(200);
});

test('without its policy a content is its owner’s alone again, and who was reading is refused', async () => {
  const cid = await film();
  await alice.json('PUT', `/api/v1/policies/${cid}`, { level: 'public' });
  expect((await weir.anonymous.get(cid)).status).toBe(200);
  expect(await status(bob, 'DELETE', `/api/v1/policies/${cid}`)).toBe(404);
  await alice.json('DELETE', `/api/v1/policies/${cid}`);
  expect((await weir.anonymous.get(cid)).status).toBe(404);
  expect((await alice.get(cid)).status).toBe(200);
});

test('the history says who changed what, and an earlier version comes back', async () => {
  const cid = await film();
  await alice.json('PUT', `/api/v1/policies/${cid}`, { level: 'protected', allowed_users: ['bob'] });
  await alice.json('PUT', `/api/v1/policies/${cid}`, { level: 'public' });
  expect((await bob.get(cid)).status).toBe(200);
  expect(await alice.json('POST', `/api/v1/policies/${cid}/revert`, { version: 1 })).toMatchObject({ version: 3, policy: { level: 'protected', allowed_users: ['bob'] } });
  expect((await weir.anonymous.get(cid)).status).toBe(404);
  expect(await alice.json('POST', `/api/v1/policies/${cid}/revert`, { version: 0 })).toEqual({ version: 4, policy: null });
  expect((await bob.get(cid)).status).toBe(404);
  expect((await history(cid)).items.map(({ version, before, after, principal }) => [version, before?.level, after?.level, principal])).toEqual([
    [4, 'protected', undefined, 'alice'], [3, 'public', 'protected', 'alice'], [2, 'protected', 'public', 'alice'], [1, undefined, 'protected', 'alice'],
  ]);
  expect(await status(alice, 'POST', `/api/v1/policies/${cid}/revert`, { version: 9 })).toBe(404);
  const admin = await weir.admin();
  expect((await admin.json<History>('GET', `/api/v1/policies/${cid}/history?owner=alice`)).items).toHaveLength(4);
  expect(await status(bob, 'GET', `/api/v1/policies/${cid}/history?owner=alice`)).toBe(404);
});

test('who knows another version than there is changes nothing', async () => {
  const cid = await film();
  const put = (level: string, headers: Record<string, string>): Promise<Response> =>
    alice.fetch(`/api/v1/policies/${cid}`, { method: 'PUT', body: JSON.stringify({ level }), headers: { 'content-type': 'application/json', ...headers } });
  expect((await put('public', { 'if-match': '*' })).status).toBe(409);
  const first = await put('protected', { 'if-none-match': '*' });
  expect([first.status, first.headers.get('etag')]).toEqual([200, '"1"']);
  expect((await put('public', { 'if-none-match': '*' })).status).toBe(409);
  expect((await put('public', { 'if-match': '"0"' })).status).toBe(409);
  expect((await put('public', { 'if-match': 'W/"1"' })).status).toBe(400);
  expect((await alice.fetch(`/api/v1/policies/${cid}`)).headers.get('etag')).toBe('"1"');
  expect((await put('private', { 'if-match': '"1"' })).headers.get('etag')).toBe('"2"');
  expect((await alice.fetch(`/api/v1/policies/${cid}`, { method: 'DELETE', headers: { 'if-match': '"1"' } })).status).toBe(409);
  expect((await history(cid)).items).toHaveLength(2);
  // Of many who know the same version, one changes it.
  const codes = await Promise.all(Array.from({ length: 8 }, async (_, index) => (await put(index % 2 === 0 ? 'public' : 'protected', { 'if-match': '"2"' })).status));
  expect(codes.filter((code) => code === 200)).toHaveLength(1);
});

test('one policy for many is set for all or for none, with a reason for each refused one, and audited for each (streamkit §2.10 #5)', async () => {
  const cids = [await film(), await film(), await film()];
  const foreign = await bob.upload(randomBytes(100));
  const bulk = (body: unknown): Promise<Response> => alice.send('POST', '/api/v1/policies/bulk', body);
  const refused = await bulk({ cids: [...cids, foreign, 'nonsense'], policy: { level: 'public' } });
  expect(refused.status).toBe(404);
  const { error } = await refused.json() as { error: { refused: string[] } };
  expect(error.refused.map((line) => line.split(': ').slice(0, 2))).toEqual([[foreign, 'object.absent'], ['nonsense', 'content.id']]);
  for (const cid of cids) expect((await weir.anonymous.get(cid)).status).toBe(404);
  expect((await bulk({ cids, policy: { level: 'public' } })).status).toBe(200);
  for (const cid of cids) expect((await weir.anonymous.get(cid)).status).toBe(200);
  const admin = await weir.admin();
  const { items } = await admin.json<{ items: { action: string }[] }>('GET', '/api/v1/audit?action=policy.write&principal=alice&limit=3');
  expect(items).toHaveLength(3);
  expect((await bulk({ filter: { level: 'public', content_type: 'application/octet-stream' }, policy: null })).status).toBe(200);
  for (const cid of cids) expect((await weir.anonymous.get(cid)).status).toBe(404);
  expect((await bulk({ filter: { renditions_of: foreign }, policy: null })).status).toBe(404);
  for (const bad of [{ policy: null }, { cids: [], policy: null }, { filter: {}, policy: null }, { cids, filter: { level: 'public' }, policy: null }, { cids }]) expect((await bulk(bad)).status).toBe(400);
});

test('a time in another form than the one that answers have is refused with an example', async () => {
  const alice = await weir.principal('timely', 'user');
  const cid = await alice.upload(randomBytes(16));
  for (const time of ['2030-01-01T00:00:00Z', '2030-01-01T00:00:00.000+02:00', '2030-01-01', '2030-02-30T00:00:00.000Z', 'tomorrow']) {
    const reply = await alice.send('PUT', `/api/v1/policies/${cid}`, { level: 'private', valid_until: time });
    expect({ status: reply.status, text: await reply.text() }, time).toEqual({ status: 400, text: expect.stringContaining('such as 2030-01-31T12:00:00.000Z') as string });
  }
});
