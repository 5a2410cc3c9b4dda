/** Tokens are listed to whom they belong, revoked one by one, by session and by principal, and open what their issuer shares by them. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from './support/command.ts';
import { PacedReader } from './support/raw-http.ts';
import { Client, startWeir, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
beforeAll(async () => { weir = await startWeir(); });
afterAll(async () => { await weir[Symbol.asyncDispose](); });

type Issued = { token: string; jti: string };
type Listed = { jti: string; principal: string; issuer: string; permissions: string[] | null; cid_access: string[]; session_id: string | null; revoked: boolean };
let count = 0;
const someone = (role = 'user'): Promise<Client & { key: string }> => weir.principal(`t${count += 1}`, role);
const bearer = (token: string): Client => new Client(weir, '', () => ({ authorization: `Bearer ${token}` }));
/** A fresh session, which is the proof that issuing for somebody else asks for. */
async function inBrowser({ name }: Client): Promise<Client> {
  const { link } = await (await weir.admin()).json<{ link: string }>('POST', `/api/v1/principals/${name}/sign-in-link`);
  const login = await weir.anonymous.send('POST', '/auth/login', { secret: link.split('#')[1] });
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
  return new Client(weir, name, () => ({ cookie, origin: weir.url }));
}
const list = async (client: Client, query = ''): Promise<Listed[]> => (await client.json<{ items: Listed[] }>('GET', `/api/v1/tokens${query}`)).items;

test('who asks sees the tokens of his own, newest first, with what they narrow to, and an admin those of anybody', async () => {
  const [alice, bob] = [await someone(), await someone()];
  const { jti } = await alice.json<Issued>('POST', '/api/v1/tokens', { permissions: ['use_account'] });
  const own = await list(alice);
  expect(own[0]).toMatchObject({ jti, principal: alice.name, issuer: alice.name, permissions: ['use_account'], cid_access: [], revoked: false });
  expect(own).toHaveLength(2);
  expect((await list(bob)).some((token) => token.principal === alice.name)).toBe(false);
  expect((await bob.send('GET', `/api/v1/tokens?owner=${alice.name}`)).status).toBe(404);
  expect(await list(await weir.admin(), `?owner=${alice.name}`)).toEqual(own);
  expect(JSON.stringify(own)).not.toContain('eyJ');
  const page = await alice.json<{ items: Listed[]; next_cursor: string }>('GET', '/api/v1/tokens?limit=1');
  expect(await list(alice, `?limit=1&cursor=${page.next_cursor}`)).toEqual([own[1]]);
});

test('all tokens of one principal are revoked at once, and nobody else’s', async () => {
  const [alice, bob] = [await someone(), await someone()];
  const made = await Promise.all(Array.from({ length: 5 }, () => alice.json<Issued>('POST', '/api/v1/tokens', {})));
  expect((await bob.send('DELETE', `/api/v1/tokens?owner=${alice.name}`)).status).toBe(404);
  expect(await (await weir.admin()).json('DELETE', `/api/v1/tokens?owner=${alice.name}`)).toEqual({ revoked: 6 });
  for (const { token } of made) expect((await bearer(token).fetch('/api/v1/status')).status).toBe(401);
  expect((await bob.fetch('/api/v1/status')).status).toBe(200);
  expect((await list(await weir.admin(), `?owner=${alice.name}`)).every(({ revoked }) => revoked)).toBe(true);
});

test('the end of a session ends the tokens that came of it, and the list says so', async () => {
  const alice = await someone();
  const browser = await inBrowser(alice);
  const { token, jti } = await browser.json<Issued>('POST', '/api/v1/tokens', {});
  const session = (await list(alice)).find((item) => item.jti === jti)?.session_id;
  expect(session).toMatch(/^[0-9A-Z]{26}$/);
  await alice.json('DELETE', `/auth/sessions/${session}`);
  expect((await bearer(token).fetch('/api/v1/status')).status).toBe(401);
  expect((await list(alice)).find((item) => item.jti === jti)?.revoked).toBe(true);
});

test('a token opens what its issuer shares by it, and nothing else of the issuer', async () => {
  const [owner, reader] = [await someone('admin'), await someone('viewer')];
  const [shared, kept] = [await owner.upload(randomBytes(2_000)), await owner.upload(randomBytes(2_000))];
  expect((await reader.get(shared)).status).toBe(404);
  const { token } = await (await inBrowser(owner)).json<Issued>('POST', '/api/v1/tokens', { principal: reader.name, cid_access: [shared] });
  expect((await bearer(token).get(shared)).status).toBe(200);
  expect((await bearer(token).get(kept)).status).toBe(404);
  expect((await reader.get(shared)).status).toBe(404);
  expect((await list(reader)).find((item) => item.cid_access.length > 0)).toMatchObject({ issuer: owner.name, cid_access: [shared] });
  // What a token was given it can not hand on.
  const further = await bearer(token).json<Issued>('POST', '/api/v1/tokens', { expires_in: 60 });
  expect((await bearer(further.token).get(shared)).status).toBe(404);
  expect((await bearer(token).send('POST', '/api/v1/tokens', { expires_in: 60, cid_access: [shared] })).status).toBeGreaterThanOrEqual(403);
});

test.each(['policy', 'holding', 'issuer', 'role', 'token'])('what a token opens ends, while it is read, with its %s', async (what) => {
  const [owner, reader] = [await someone('admin'), await someone('viewer')];
  const cid = await owner.upload(randomBytes(16_000_000));
  const { token, jti } = await (await inBrowser(owner)).json<Issued>('POST', '/api/v1/tokens', { principal: reader.name, cid_access: [cid] });
  using reading = new PacedReader(weir.url, `/api/v1/content/${cid}`, { authorization: `Bearer ${token}` }, 2_000_000);
  await reading.has(500_000);
  const admin = await weir.admin();
  const ends: Record<string, () => Promise<unknown>> = {
    policy: () => owner.json('PUT', `/api/v1/policies/${cid}`, { level: 'private', networks: ['192.0.2.0/24'] }),
    holding: () => owner.json('DELETE', `/api/v1/content/${cid}`),
    issuer: () => admin.json('PATCH', `/api/v1/principals/${owner.name}`, { disabled: true }),
    role: () => admin.json('PATCH', `/api/v1/principals/${owner.name}`, { role: 'viewer' }),
    token: () => admin.json('DELETE', `/api/v1/tokens/${jti}`),
  };
  await ends[what]?.();
  const endedAt = performance.now();
  await reading.ended;
  expect(performance.now() - endedAt).toBeLessThan(1_000);
  expect([401, 403, 404]).toContain((await bearer(token).get(cid)).status);
});

test('contents of others, and contents without the right to share, are not given away by a token', async () => {
  const [owner, other] = [await someone(), await someone()];
  const cid = await owner.upload(randomBytes(1_000));
  expect((await other.send('POST', '/api/v1/tokens', { cid_access: [cid] })).status).toBe(404);
  const { token } = await owner.json<Issued>('POST', '/api/v1/tokens', { permissions: ['use_account', 'read_content'] });
  expect((await bearer(token).send('POST', '/api/v1/tokens', { expires_in: 60, cid_access: [cid] })).status).toBe(403);
  expect((await owner.send('POST', '/api/v1/tokens', { cid_access: ['nonsense'] })).status).toBe(400);
});

test('the command issues with --cid for an issuer, lists and revokes', async () => {
  const [owner, reader] = [await someone(), await someone('viewer')];
  const cid = await owner.upload(randomBytes(1_000));
  const issued = await runCommand(weir, ['token', 'issue', '--principal', reader.name, '--cid', cid, '--issuer', owner.name, '--json']);
  expect(issued.code, issued.stderr).toBe(0);
  const { token, jti } = JSON.parse(issued.stdout) as Issued;
  expect((await bearer(token).get(cid)).status).toBe(200);
  expect((await runCommand(weir, ['token', 'issue', '--principal', reader.name, '--cid', cid])).code).toBe(2);
  expect((await runCommand(weir, ['token', 'list', '--owner', reader.name])).stdout).toContain(jti);
  expect((await runCommand(weir, ['token', 'revoke', jti])).code).toBe(0);
  expect((await bearer(token).get(cid)).status).toBe(401);
  expect((await runCommand(weir, ['token', 'revoke'])).code).toBe(2);
});
