/** Settings of providers: what stops the start, and what their claims make of somebody. */
import { Redactor } from '@weir/security/redaction';
import { builtinRoles } from '@weir/security/roles';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Config, type OidcSettings } from '../src/config/schema.ts';
import { claimAt, domainAllowed, readableName, roleFor, type Claims } from '../src/sign-in/oidc-claims.ts';
import { openOidcProviders } from '../src/sign-in/oidc-provider.ts';

const base = { name: 'p', issuer: 'https://id.example', client_id: 'w' };
const settings = (more: object = {}): OidcSettings => {
  const [first] = Config.parse({ identity: { oidc: [{ ...base, ...more }] } }).identity.oidc;
  if (first === undefined) throw new Error('no provider');
  return first;
};
const open = (...all: OidcSettings[]) => openOidcProviders(all, builtinRoles, new Redactor());

test.each([
  ['a default role that may manage users', { default_role: 'admin' }, 'default_role'], ['an unknown role', { default_role: 'king' }, 'no role "king"'],
  ['an unknown role in the map', { role_claim: 'g', role_map: { a: 'king' } }, 'no role "king"'], ['a map without a claim', { role_map: { a: 'user' } }, 'role_claim'],
  ['two secrets', { client_secret: 'aaaaaa', client_secret_file: '/x' }, 'not both'], ['no openid', { scopes: ['email'] }, 'openid'],
  ['creation without a role', { create: true }, 'create needs'],
])('%s is refused', async (_, more, says) => {
  await expect(open(settings(more))).rejects.toThrow(says);
});

test.each(['http://id.example', 'http://127.0.0.1.example', 'https://a:b@id.example', 'ftp://id.example', 'id.example'])('the issuer %s is refused', (issuer) => {
  expect(() => settings({ issuer })).toThrow('the address');
});

test('a name is used once, and a map may name an admin literally', async () => {
  await expect(open(settings(), settings())).rejects.toThrow('used twice');
  expect((await open(settings({ role_claim: 'g', role_map: { chiefs: 'admin' } }))).size).toBe(1);
});

test('a secret does not print', () => {
  expect(JSON.stringify(settings({ client_secret: 'very secret indeed' }))).not.toContain('very');
});

test('the first entry of the map that the claim has decides, then the default, then nothing', () => {
  const mapped = settings({ role_claim: 'realm.roles', role_map: { chiefs: 'admin', people: 'user' }, default_role: 'viewer' });
  const role = (roles: unknown) => roleFor(mapped, { realm: { roles } });
  expect([role(['people', 'chiefs']), role('people'), role(['x']), role({ chiefs: true }), role(undefined)]).toEqual(['admin', 'user', 'viewer', 'viewer', 'viewer']);
  expect(roleFor(settings({ role_claim: 'g', role_map: { a: 'user' } }), { g: ['b'] })).toBeUndefined();
});

test('no claims give a role that the map does not name', () => {
  const mapped = settings({ role_claim: 'g', role_map: { chiefs: 'admin', people: 'user' } });
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), (g) => {
    const said = Array.isArray(g) ? g : [g];
    const expected = said.includes('chiefs') ? 'admin' : said.includes('people') ? 'user' : undefined;
    expect(roleFor(mapped, { g })).toBe(expected);
  }), { numRuns: 2_000 });
});

test('a claim is found by its whole name before its path, and never in a prototype', () => {
  const claims: Claims = { 'https://x.example/roles': ['a'], a: { b: { c: 1 } } };
  expect([claimAt(claims, 'https://x.example/roles'), claimAt(claims, 'a.b.c'), claimAt(claims, 'a.b.toString'), claimAt(claims, '__proto__'), claimAt(claims, 'a.constructor.name')])
    .toEqual([['a'], 1, undefined, undefined, undefined]);
});

test('only a verified address of exactly an allowed domain is let in', () => {
  const limited = settings({ allowed_domains: ['example.org'] });
  const allowed = (email: unknown, verified: unknown = true) => domainAllowed(limited, { email, email_verified: verified });
  expect([allowed('a@example.org'), allowed('"b@c"@EXAMPLE.org')]).toEqual([true, true]);
  for (const email of ['a@sub.example.org', 'a@example.org.evil', 'a@evil-example.org', '@example.org', 'example.org', '', 7, ['a@example.org']]) expect(allowed(email)).toBe(false);
  expect([allowed('a@example.org', 'true'), allowed('a@example.org', null)]).toEqual([false, false]);
  expect(domainAllowed(settings(), {})).toBe(true);
});

test('the name of a subject is a name, and no other subject can have it', () => {
  const subject = { issuer: 'https://id.example', subject: 's' };
  for (const wish of ['Ada Lovelace', '..', 'grace@example.org', 'Ω', 'x'.repeat(200), '', 7]) expect(readableName(subject, { preferred_username: wish })).toMatch(/^[a-z0-9._-]{1,64}$/);
  expect(readableName(subject, { email: 'Ada@x.example' })).toMatch(/^ada-[0-9a-f]{20}$/);
  expect(readableName({ ...subject, subject: 't' }, { preferred_username: 'ada' })).not.toBe(readableName(subject, { preferred_username: 'ada' }));
});
