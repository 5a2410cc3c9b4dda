/** Access tokens that another program makes with a shared secret: they speak for users, and never for who manages. And none of the doors is open that such programs often leave open. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { newUlid } from '../packages/contracts/src/clock.ts';
import type { ClaimsOf } from '../packages/security/src/token-claims.ts';
import type { TokenKey } from '../packages/security/src/token-keys.ts';
import { signToken } from '../packages/security/src/tokens.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWeir, type TestWeir } from './support/weir.ts';

const secret = randomBytes(48).toString('base64');
const keyOf = (text: string, id = 'shared'): TokenKey => ({ id, algorithm: 'HS256', secret: createSecretKey(text, 'utf8') });
let weir: TestWeir;

beforeAll(async () => {
  weir = await startWeir({ environment: { WEIR_STREAMING_SECURITY__SECRET_KEY: secret } });
  await weir.principal('carl', 'user');
  await weir.principal('olga', 'operator', { permissions: ['manage_users'] });
});
afterAll(() => weir[Symbol.asyncDispose]());

function token(sub: string, more: Partial<ClaimsOf['access']> = {}, key = keyOf(secret)): string {
  const now = Math.floor(Date.now() / 1_000);
  const audience = `weir:${weir.ready.instance}`;
  return signToken('access', { iss: audience, aud: audience, sub, iat: now, nbf: now, exp: now + 600, jti: newUlid(), ...more }, key);
}
const as = (value: string, target = '/api/v1/permissions'): Promise<Response> => weir.anonymous.fetch(target, { headers: { authorization: `Bearer ${value}` } });
const permissionsOf = async (value: string): Promise<Record<string, boolean>> => ((await (await as(value)).json()) as { permissions: Record<string, boolean> }).permissions;

test('a token of the shared secret speaks for its user, within its own rights', async () => {
  const reply = await as(token('carl'));
  expect(await reply.json()).toMatchObject({ principal: 'carl', role: 'user', permissions: { read_content: true, write_content: true, manage_users: false } });
  expect((await permissionsOf(token('carl', { permissions: ['read_content'] })))['write_content']).toBe(false);
});

test('it carries no right that manages, whatever the user has', async () => {
  const held = Object.entries(await permissionsOf(token('olga'))).filter(([, has]) => has).map(([name]) => name);
  expect(held).toContain('access_all_jobs');
  expect(held.filter((name) => name.startsWith('manage_'))).toEqual([]);
  expect((await as(token('olga'), '/api/v1/principals')).status).toBe(403);
});

test('it never speaks for an admin, and never names that role or such a right', async () => {
  for (const refused of [token('admin'), token('carl', { role: 'admin' }), token('olga', { permissions: ['manage_users'] })]) expect((await as(refused)).status).toBe(401);
});

test('another secret, another name of the key and an unknown user are refused', async () => {
  const other = randomBytes(48).toString('base64');
  for (const refused of [token('carl', {}, keyOf(other)), token('carl', {}, keyOf(secret, 'other')), token('nobody')]) expect((await as(refused)).status).toBe(401);
});

test('ipfs-kit §1.5 #7: there is no login by name and password, no token in an address, and nobody tells whether a token is good', async () => {
  for (const target of ['/api/token?username=admin&password=admin', '/api/token?username=test&password=test', '/api/token/revoke?token=x', `/api/token/validate?token=${token('carl')}`]) {
    for (const method of ['GET', 'POST']) expect([404, 405], `${method} ${target}`).toContain((await weir.anonymous.send(method, target)).status);
  }
  for (const name of ['token', 'access_token', 'session']) {
    const reply = await weir.anonymous.fetch(`/api/v1/permissions?${name}=${token('carl')}`);
    expect(reply.status === 400 || ((await reply.json()) as { principal: unknown }).principal === null, name).toBe(true);
  }
  const basic = { authorization: `Basic ${Buffer.from('admin:admin').toString('base64')}` };
  expect((await weir.anonymous.fetch('/api/v1/principals', { headers: basic })).status).toBe(401);
  expect(weir.log).not.toContain(secret);
});
