/** Two owners of the same bytes know nothing of each other, and a token never adds a right. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { startWeir } from './support/weir.ts';

test('a second owner of the same bytes neither sees, changes nor deletes the first owner’s holding', async () => {
  await using weir = await startWeir();
  const [alice, bob] = [await weir.principal('alice', 'user'), await weir.principal('bob', 'user')];
  const bytes = randomBytes(2_500_000);
  const cid = await alice.upload(bytes, 'mine.bin');
  expect((await bob.get(cid)).status).toBe(404);
  expect(await bob.upload(bytes, 'his.bin')).toBe(cid);
  await bob.json('PUT', `/api/v1/policies/${cid}`, { level: 'public' });
  expect((await alice.send('GET', `/api/v1/policies/${cid}`)).status).toBe(404);
  expect((await weir.anonymous.get(cid)).status).toBe(200);
  const names = (await alice.json<{ items: { title: string; level: string | null }[] }>('GET', '/api/v1/library')).items;
  expect(names).toMatchObject([{ title: 'mine.bin', level: null }]);
  await bob.json('DELETE', `/api/v1/content/${cid}`);
  expect((await weir.anonymous.get(cid)).status).toBe(404);
  expect((await bob.get(cid)).status).toBe(404);
  expect(Buffer.from(await (await alice.get(cid)).arrayBuffer()).equals(bytes)).toBe(true);
});

test('a token narrows and never adds: its role, its permissions, and tokens made with it', async () => {
  await using weir = await startWeir();
  const admin = await weir.admin();
  const alice = await weir.principal('alice', 'user');
  const cid = await alice.upload(Buffer.from('hello'));
  expect((await admin.send('POST', '/api/v1/tokens', { principal: 'alice', role: 'admin' })).status).toBe(403);
  expect((await admin.send('POST', '/api/v1/tokens', { principal: 'alice', permissions: ['manage_users'] })).status).toBe(403);
  const narrow = await alice.json<{ token: string }>('POST', '/api/v1/tokens', { permissions: ['use_account', 'read_content'] });
  const bearer = { authorization: `Bearer ${narrow.token}` };
  const asNarrow = (method: string, target: string, body?: unknown): Promise<Response> =>
    weir.anonymous.fetch(target, { method, headers: { ...bearer, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  expect((await asNarrow('GET', `/api/v1/content/${cid}`)).status).toBe(200);
  expect((await asNarrow('PUT', `/api/v1/policies/${cid}`, { level: 'public' })).status).toBe(403);
  expect((await asNarrow('POST', '/api/v1/tokens', { permissions: ['manage_policies'] })).status).toBe(403);
  const again = await (await asNarrow('POST', '/api/v1/tokens', { expires_in: 60 })).json() as { token: string };
  const rights = await (await weir.anonymous.fetch('/api/v1/permissions', { headers: { authorization: `Bearer ${again.token}` } })).json() as { permissions: Record<string, boolean> };
  expect(Object.keys(rights.permissions).filter((name) => rights.permissions[name])).toEqual(['use_account', 'read_content']);
});

test('content that is stored plain can not be called encrypted', async () => {
  await using weir = await startWeir({ environment: { WEIR_STREAMING_SECURITY__ENCRYPTION__ENABLED: 'false' } });
  const alice = await weir.principal('alice', 'user');
  const cid = await alice.upload(Buffer.from('plain bytes'));
  expect((await alice.send('PUT', `/api/v1/policies/${cid}`, { level: 'encrypted' })).status).toBe(409);
  expect((await alice.send('PUT', `/api/v1/policies/${cid}`, { level: 'private' })).status).toBe(200);
});
