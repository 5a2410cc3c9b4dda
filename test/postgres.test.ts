/** The same server on PostgreSQL: what an owner does, what a link gives, what the audit says. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { freshPostgres } from './support/postgres.ts';
import { startWeir } from './support/weir.ts';

test('a server on PostgreSQL keeps content, policies, grants and the audit chain, also over a kill (dffmpeg §2 #15)', async (context) => {
  const url = await freshPostgres(context);
  await using weir = await startWeir({ environment: { WEIR_DATABASE__URL: url } });
  const alice = await weir.principal('alice', 'user');
  const bytes = randomBytes(1_500_000);
  const cid = await alice.upload(bytes);
  const grant = await alice.json<{ grant_id: string; url: string }>('POST', '/api/v1/grants', { cid, uses: 2 });
  expect((await fetch(grant.url)).status).toBe(200);
  await weir.kill('SIGKILL');
  await weir.start();
  const target = new URL(grant.url);
  const again = await weir.anonymous.fetch(`${target.pathname}${target.search}`);
  expect(Buffer.from(await again.arrayBuffer()).equals(bytes)).toBe(true);
  expect((await weir.anonymous.fetch(`${target.pathname}${target.search}`)).status).toBe(403);
  const admin = await weir.admin();
  expect(await admin.json('POST', '/api/v1/audit/verify')).toMatchObject({ intact: true });
});

test('a text with a NUL, which PostgreSQL can not keep, is refused as such', async (context) => {
  await using weir = await startWeir({ environment: { WEIR_DATABASE__URL: await freshPostgres(context) } });
  const admin = await weir.admin();
  const cid = await admin.upload(randomBytes(16));
  const { items: [item] } = await admin.json<{ items: { library_id: string }[] }>('GET', '/api/v1/library?limit=1');
  const asked: [string, string, unknown?][] = [
    ...['tokens', 'grants', 'library', 'jobs', 'principals', 'audit'].map((list): [string, string] => ['GET', `/api/v1/${list}?cursor=%00`]), ['GET', '/api/v1/audit?text=%00'], ['GET', '/api/v1/audit?object=a%00'],
    ['PATCH', `/api/v1/library/${item?.library_id ?? ''}`, { title: 'a\0b' }], ['POST', '/api/v1/principals/admin/identities', { issuer: 'a\0b', subject: 'x' }],
    ['DELETE', '/api/v1/principals/admin/identities?issuer=%00&subject=x'], ['POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid }], labels: { title: 'a\0b' } }],
  ];
  const statuses = await Promise.all(asked.map(async ([method, target, body]) => [target, (await admin.send(method, target, body)).status]));
  expect(statuses).toEqual(asked.map(([, target]) => [target, 400]));
  // A backslash before the same characters is no NUL.
  expect(await admin.json('PATCH', `/api/v1/library/${item?.library_id ?? ''}`, { title: 'a\\u0000b' })).toMatchObject({ title: 'a\\u0000b' });
});
