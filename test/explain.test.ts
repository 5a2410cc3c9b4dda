/** Explanations over HTTP: for administrators of everything, for others of their own content. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let admin: Client;
let alice: Client;
let bob: Client;
let cid: string;
beforeAll(async () => {
  weir = await startWeir();
  admin = await weir.admin();
  [alice, bob] = [await weir.principal('alice', 'user'), await weir.principal('bob', 'viewer')];
  cid = await alice.upload(randomBytes(1_000));
});
afterAll(() => weir[Symbol.asyncDispose]());

type Explained = { allowed: boolean; code: string | null; reason: string; steps: { clause: string; held: boolean; about: string | null; why: string }[] };
const explain = (by: Client, body: object): Promise<Explained> => by.json('POST', '/api/v1/access/explain', body);

test('an owner learns who may read a content, from where and when, and is told what the reader would be', async () => {
  await alice.json('PUT', `/api/v1/policies/${cid}`, { level: 'private', allowed_users: ['bob'], networks: ['127.0.0.0/8'], valid_until: '2999-01-01T00:00:00.000Z' });
  const ask = (more: object): Promise<Explained> => explain(alice, { principal: 'bob', action: 'content.read', object: cid, ...more });
  expect(await ask({})).toMatchObject({ allowed: true, code: null, reason: 'user' });
  expect((await bob.get(cid)).status).toBe(200);
  expect(await ask({ address: '192.0.2.1' })).toMatchObject({ allowed: false, code: 'object.absent', reason: 'network' });
  expect(await ask({ at: '2999-01-02T00:00:00.000Z' })).toMatchObject({ allowed: false, reason: 'window' });
  const { steps } = await ask({ principal: 'anonymous' });
  expect(steps.map(({ clause, held }) => [clause, held]).at(-1)).toEqual(['authentication', false]);
  expect((await weir.anonymous.get(cid)).status).toBe(404);
});

test('of what is not one’s own, others learn nothing', async () => {
  const carol = await weir.principal('carol', 'user');
  for (const body of [{ principal: 'bob', action: 'content.read', object: cid }, { principal: 'bob', action: 'job.submit' }, { role: 'admin', action: 'user.write' }]) {
    expect((await carol.send('POST', '/api/v1/access/explain', body)).status).toBe(403);
    expect((await bob.send('POST', '/api/v1/access/explain', body)).status).toBe(403);
  }
  // Whether a principal is unknown, disabled or elsewhere is not an owner's to learn.
  await weir.principal('gone', 'user');
  await admin.json('PATCH', '/api/v1/principals/gone', { disabled: true });
  await weir.principal('elsewhere', 'user', { networks: ['192.0.2.0/24'] }).catch(() => undefined);
  const answers = await Promise.all(['gone', 'elsewhere', 'never-was'].map(async (principal) => JSON.stringify(await explain(alice, { principal, action: 'content.read', object: cid })).replaceAll(principal, 'X')));
  expect(new Set(answers).size).toBe(1);
  // Of the same bytes in another's hands neither: only the asker's own holding is looked at.
  const bytes = randomBytes(500);
  const shared = await alice.upload(bytes);
  await carol.upload(bytes);
  await alice.json('PUT', `/api/v1/policies/${shared}`, { level: 'public' });
  const { allowed, steps } = await explain(carol, { principal: 'anonymous', action: 'content.read', object: shared });
  expect([allowed, steps.every(({ about }) => about === null || about === 'holding of carol')]).toEqual([false, true]);
});

test('an administrator asks about any action and object; unknown and disabled principals have no evidence that is good', async () => {
  const { job_id: job } = await alice.json<{ job_id: string }>('POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid }] });
  expect(await explain(admin, { principal: 'alice', action: 'job.cancel', object: `job:${job}` })).toMatchObject({ allowed: true, reason: 'own' });
  expect(await explain(admin, { principal: 'bob', action: 'job.cancel', object: `job:${job}` })).toMatchObject({ allowed: false, code: 'permission.refused' });
  expect(await explain(admin, { principal: 'alice', action: 'policy.write', object: cid })).toMatchObject({ allowed: true, reason: 'own' });
  expect(await explain(admin, { principal: 'carol', action: 'policy.write', object: cid })).toMatchObject({ allowed: false, code: 'object.absent' });
  expect(await explain(admin, { role: 'viewer', action: 'content.write' })).toMatchObject({ allowed: false, reason: 'permission write_content' });
  expect(await explain(admin, { principal: 'nobody', action: 'content.read', object: cid })).toMatchObject({ allowed: false, code: 'identity.required', reason: 'principal unknown' });
  expect((await admin.send('POST', '/api/v1/access/explain', { principal: 'bob', action: 'no.such' })).status).toBe(400);
  expect((await admin.send('POST', '/api/v1/access/explain', { role: 'no-such', action: 'content.read' })).status).toBe(400);
});

test('what a role can do is what the reviewed table says', async () => {
  const [head = '', ...lines] = (await readFile(new URL('access.csv', import.meta.url), 'utf8')).trim().split('\n');
  const columns = head.split(',');
  for (const role of ['viewer', 'client', 'worker', 'user', 'operator', 'admin']) {
    const { items } = await admin.json<{ items: { action: string; allowed: boolean; reach: string }[] }>('GET', `/api/v1/access/actions?role=${role}`);
    const table = new Map(lines.map((line) => line.split(',')).map((cells) => [cells[0] ?? '', cells[columns.indexOf(role)] ?? '']));
    for (const { action, allowed, reach } of items) {
      const cell = table.get(action) ?? 'absent';
      expect(`${role} ${action} ${String(allowed)}`).toBe(`${role} ${action} ${String(cell !== 'no')}`);
      if (cell === 'policy' || cell === 'leased') expect(`${role} ${action} ${reach}`).toBe(`${role} ${action} ${cell}`);
    }
  }
  const ofBob = await admin.json<{ items: { action: string; allowed: boolean }[] }>('GET', '/api/v1/access/actions?principal=bob');
  expect(ofBob.items.find(({ action }) => action === 'content.write')?.allowed).toBe(false);
  expect((await admin.send('GET', '/api/v1/access/actions')).status).toBe(400);
  expect((await admin.send('GET', '/api/v1/access/actions?principal=nobody')).status).toBe(404);
});

test('who may read a content is told with the roles’ numbers and the links that work now', async () => {
  await alice.json('PUT', `/api/v1/policies/${cid}`, { level: 'protected', allowed_users: ['bob'], allowed_roles: ['viewer'], required_permissions: ['read_content'] });
  const before = await alice.json<{ live_grants: number }>('GET', `/api/v1/policies/${cid}/readers`);
  const { grant_id: grant } = await alice.json<{ grant_id: string }>('POST', '/api/v1/grants', { cid });
  expect(await alice.json('GET', `/api/v1/policies/${cid}/readers`)).toEqual({
    cid, owner: 'alice', level: 'protected', everyone: false, everyone_signed_in: false, users: ['bob'], roles: [{ role: 'viewer', principals: 1 }],
    required_permissions: ['read_content'], live_grants: before.live_grants + 1, bound_by: [],
  });
  await alice.json('DELETE', `/api/v1/grants/${grant}`);
  expect(await alice.json('GET', `/api/v1/policies/${cid}/readers`)).toMatchObject({ live_grants: before.live_grants });
  expect(await admin.json('GET', `/api/v1/policies/${cid}/readers?owner=alice`)).toMatchObject({ owner: 'alice' });
});

test('asking leaves no refusal in the audit', async () => {
  for (let index = 0; index < 5; index += 1) await explain(admin, { principal: 'bob', action: 'user.write' });
  const { items } = await admin.json<{ items: { principal: string; action: string }[] }>('GET', '/api/v1/audit?limit=200');
  expect(items.filter(({ principal, action }) => principal === 'bob' && action === 'user.write')).toEqual([]);
});
