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
