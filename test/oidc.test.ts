/** Signing in at a provider: a real one by raw requests, a lying one, and what an attacker does with addresses and cookies on the way. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFalseProvider, type FalseProvider, type Falsehood } from './support/false-provider.ts';
import { startIdentityProvider, type IdentityProvider, type Person } from './support/identity-provider.ts';
import { freePort } from './support/raw-http.ts';
import { Visitor } from './support/visitor.ts';
import { startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let admin: Client;
let real: IdentityProvider;
let liar: FalseProvider;

beforeAll(async () => {
  const port = await freePort();
  const back = (name: string): string => `http://127.0.0.1:${port}/auth/oidc/${name}/callback`;
  real = await startIdentityProvider([back('real'), back('closed'), back('domain')]);
  liar = await startFalseProvider();
  const common = `allow_networks = ["127.0.0.0/8"], issuer = "${real.issuer}", client_id = "weir", client_secret = "${real.clientSecret}"`;
  weir = await startWeir({ environment: {
    WEIR_SERVER__PORT: String(port),
    WEIR_IDENTITY__OIDC: `[
      { name = "real", ${common}, role_claim = "groups", role_map = { staff = "operator", people = "user", chiefs = "admin" }, create = true },
      { name = "closed", ${common} },
      { name = "domain", ${common}, default_role = "viewer", create = true, allowed_domains = ["example.org"] },
      { name = "liar", issuer = "${liar.issuer}", allow_networks = ["127.0.0.0/8"], client_id = "weir", default_role = "user", create = true },
      { name = "down", issuer = "http://127.0.0.1:9", allow_networks = ["127.0.0.0/8"], client_id = "weir", default_role = "user", create = true },
    ]`.replace(/\n\s*/g, ' '),
  } });
  admin = await weir.admin();
});
afterAll(async () => {
  await weir?.[Symbol.asyncDispose]();
  await real?.[Symbol.asyncDispose]();
  await liar?.[Symbol.asyncDispose]();
});

const at = (path: string): string => `${weir.url}${path}`;
const isCallback = (url: URL): boolean => url.pathname.endsWith('/callback');
/** Where a sign-in ended: the path and query of the page. */
const endOf = (url: string): string => url.slice(new URL(url).origin.length);

async function signIn(visitor: Visitor, name: string, person: Person): Promise<string> {
  real.person = person;
  return endOf(await visitor.follow(at(`/auth/oidc/${name}`), (next) => next.origin === weir.url && !isCallback(next)));
}
const whoIs = async (visitor: Visitor): Promise<{ principal: string | null; role: string }> => JSON.parse((await visitor.ask(at('/api/v1/permissions'))).text) as { principal: string | null; role: string };
const linkFor = async (name: string): Promise<string> => (await admin.json<{ link: string }>('POST', `/api/v1/principals/${name}/sign-in-link`)).link.split('#')[1] ?? '';

async function byLink(name: string): Promise<Visitor> {
  const visitor = new Visitor();
  await visitor.ask(at('/auth/login'), { method: 'POST', body: { secret: await linkFor(name) } });
  return visitor;
}

/** Up to the address that the provider sends the browser back to, which is not asked yet. */
async function upToCallback(visitor: Visitor, person: Person, name = 'real'): Promise<URL> {
  real.person = person;
  return new URL(await visitor.follow(at(`/auth/oidc/${name}`), isCallback));
}
const goOn = async (visitor: Visitor, callback: URL): Promise<string> => String((await visitor.ask(callback.href)).headers.location);

test('a person signs in at a provider with the role of the map, and comes back as the same principal', async () => {
  const visitor = new Visitor();
  expect(await signIn(visitor, 'real', { sub: 'ada-1', preferred_username: 'Ada Lovelace', groups: ['people'] })).toBe('/');
  const { principal, role } = await whoIs(visitor);
  expect([principal, role]).toEqual([expect.stringMatching(/^ada-lovelace-[0-9a-f]{20}$/), 'user']);
  const again = new Visitor();
  await signIn(again, 'real', { sub: 'ada-1', preferred_username: 'Somebody else', groups: ['other', 'staff'] });
  expect(await whoIs(again)).toMatchObject({ principal, role: 'operator' });
  expect(weir.log).not.toContain(real.clientSecret);
});

test('the cookies of the way and of the session are what they must be', async () => {
  const visitor = new Visitor();
  const begun = await visitor.ask(at('/auth/oidc/real'));
  expect(begun.headers['set-cookie']).toEqual([expect.stringMatching(/^weir-oidc=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/)]);
  const asked = new URL(String(begun.headers.location));
  expect([...asked.searchParams.keys()].sort()).toEqual(['client_id', 'code_challenge', 'code_challenge_method', 'nonce', 'redirect_uri', 'response_type', 'scope', 'state']);
  expect(asked.searchParams.get('code_challenge_method')).toBe('S256');
  const secret = visitor.cookie(weir.url, 'weir-oidc') ?? '';
  expect(asked.href).not.toContain(secret);
  real.person = { sub: 'cookie', groups: ['people'] };
  const callback = await visitor.follow(asked.href, isCallback);
  const { headers } = await visitor.ask(callback);
  expect(headers['set-cookie']).toEqual(['weir-oidc=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax', expect.stringMatching(/^weir=[^;]+; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/)]);
});

test('under TLS both cookies are bound to this host', async () => {
  await using secure = await startWeir({ environment: { WEIR_SERVER__TLS: 'true', WEIR_IDENTITY__OIDC: `[{ name = "liar", issuer = "${liar.issuer}", allow_networks = ["127.0.0.0/8"], client_id = "weir", default_role = "user", create = true }]` } });
  liar.falsehood = {};
  const visitor = new Visitor();
  const begun = await visitor.ask(`${secure.url}/auth/oidc/liar`);
  expect(begun.headers['set-cookie']).toEqual([expect.stringMatching(/^__Host-weir-oidc=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/)]);
  const asked = new URL(String(begun.headers.location));
  liar.nonce = asked.searchParams.get('nonce') ?? '';
  const query = new URLSearchParams({ code: 'c', state: asked.searchParams.get('state') ?? '', iss: liar.issuer });
  const { headers } = await visitor.ask(`${secure.url}/auth/oidc/liar/callback?${query.toString()}`);
  expect(headers['set-cookie']?.at(-1)).toMatch(/^__Host-weir=[^;]+; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure$/);
});

test('a name or address at the provider takes over nobody here', async () => {
  await admin.json('POST', '/api/v1/principals', { principal: 'grace', role: 'user' });
  const visitor = new Visitor();
  await signIn(visitor, 'real', { sub: 'x', preferred_username: 'grace', email: 'grace@example.org', email_verified: true, groups: ['people'] });
  expect((await whoIs(visitor)).principal).toMatch(/^grace-[0-9a-f]{20}$/);
  const closed = new Visitor();
  expect(await signIn(closed, 'closed', { sub: 'y', preferred_username: 'grace' })).toBe('/sign-in?problem=unlinked');
  expect((await whoIs(closed)).principal).toBeNull();
});

test('an unmapped role, a disabled principal, an unverified or foreign address are refused, each with its page', async () => {
  expect(await signIn(new Visitor(), 'real', { sub: 'u', groups: ['strangers'] })).toBe('/sign-in?problem=unmapped');
  expect(await signIn(new Visitor(), 'real', { sub: 'u2' })).toBe('/sign-in?problem=unmapped');
  expect(await signIn(new Visitor(), 'domain', { sub: 'd1', email: 'a@example.org', email_verified: false })).toBe('/sign-in?problem=domain');
  expect(await signIn(new Visitor(), 'domain', { sub: 'd2', email: 'a@example.org.evil.example', email_verified: true })).toBe('/sign-in?problem=domain');
  expect(await signIn(new Visitor(), 'domain', { sub: 'd3', email: 'a@EXAMPLE.org', email_verified: true })).toBe('/');
  const visitor = new Visitor();
  await signIn(visitor, 'real', { sub: 'off', preferred_username: 'off', groups: ['people'] });
  await admin.json('PATCH', `/api/v1/principals/${(await whoIs(visitor)).principal ?? ''}`, { disabled: true });
  expect(await signIn(new Visitor(), 'real', { sub: 'off', groups: ['people'] })).toBe('/sign-in?problem=disabled');
});

test('a callback works once', async () => {
  const visitor = new Visitor();
  const callback = await upToCallback(visitor, { sub: 'once', groups: ['people'] });
  const secret = visitor.cookie(weir.url, 'weir-oidc') ?? '';
  expect(await goOn(visitor, callback)).toBe('/');
  visitor.setCookie(weir.url, 'weir-oidc', secret);
  expect(await goOn(visitor, callback)).toBe('/sign-in?problem=expired');
});

test('a code that another browser got is of no use: its state is not of this one, and the attempt does not end the way that this one began', async () => {
  const attacker = new Visitor();
  const injected = await upToCallback(attacker, { sub: 'attacker', groups: ['people'] });
  const victim = new Visitor();
  const own = await upToCallback(victim, { sub: 'victim', groups: ['people'] });
  expect(await goOn(new Visitor(), injected)).toBe('/sign-in?problem=expired');
  expect(await goOn(victim, injected)).toBe('/sign-in?problem=expired');
  const swapped = new URL(own);
  swapped.searchParams.set('state', injected.searchParams.get('state') ?? '');
  const third = new Visitor();
  await upToCallback(third, { sub: 'third', groups: ['people'] });
  expect(await goOn(third, swapped)).toBe('/sign-in?problem=expired');
});

test('a code of another way under the own state is refused: the verifier and the nonce do not fit', async () => {
  const attacker = new Visitor();
  const injected = await upToCallback(attacker, { sub: 'attacker', groups: ['people'] });
  const victim = new Visitor();
  const own = await upToCallback(victim, { sub: 'victim', groups: ['people'] });
  own.searchParams.set('code', injected.searchParams.get('code') ?? '');
  expect(await goOn(victim, own)).toBe('/sign-in?problem=refused');
});

test.each([['another issuer', 'https://evil.example'], ['no issuer', undefined]])('an answer of %s is refused (mix-up, RFC 9207)', async (_, issuer) => {
  const visitor = new Visitor();
  const callback = await upToCallback(visitor, { sub: 'mix', groups: ['people'] });
  if (issuer === undefined) callback.searchParams.delete('iss');
  else callback.searchParams.set('iss', issuer);
  expect(await goOn(visitor, callback)).toBe('/sign-in?problem=refused');
});

test('an answer at the callback of another provider is refused, and a state that comes twice', async () => {
  const visitor = new Visitor();
  const callback = await upToCallback(visitor, { sub: 'mix', groups: ['people'] });
  const twice = new URL(callback);
  twice.searchParams.append('state', callback.searchParams.get('state') ?? '');
  expect((await visitor.ask(twice.href)).status).toBe(400);
  const other = new Visitor();
  const elsewhere = await upToCallback(other, { sub: 'mix', groups: ['people'] });
  elsewhere.pathname = '/auth/oidc/liar/callback';
  expect(await goOn(other, elsewhere)).toBe('/sign-in?problem=expired');
});

/** Begins at the liar and comes back with a code, as if it had sent the browser. */
async function byLiar(falsehood: Falsehood, change: (query: URLSearchParams) => void = () => undefined): Promise<string> {
  liar.falsehood = falsehood;
  const visitor = new Visitor();
  const asked = new URL(String((await visitor.ask(at('/auth/oidc/liar'))).headers.location));
  liar.nonce = asked.searchParams.get('nonce') ?? '';
  const query = new URLSearchParams({ code: 'c', state: asked.searchParams.get('state') ?? '', iss: liar.issuer });
  change(query);
  return goOn(visitor, new URL(at(`/auth/oidc/liar/callback?${query.toString()}`)));
}

test('the liar is believed when it does not lie, or what follows shows nothing', async () => {
  expect(await byLiar({})).toBe('/');
  // The first half of the SHA-256 of its access token "a", and of the SHA-512.
  for (const half of ['ypeBEsobvcr6wjGzmiPcTQ', 'H0D8ktokFpR1CXnubPWC8tXX0o4YM13gWrxU0FYOD1M']) expect(await byLiar({ claims: { azp: 'weir', at_hash: half } })).toBe('/');
});

const past = Math.floor(Date.now() / 1_000) - 3_600;
const falsehoods: readonly (readonly [string, Falsehood])[] = [
  ['with another nonce', { claims: { nonce: 'another' } }], ['without a nonce', { claims: { nonce: undefined } }], ['of another issuer', { claims: { iss: 'https://evil.example' } }],
  ['for another client', { claims: { aud: 'other' } }], ['for two clients without saying which', { claims: { aud: ['weir', 'other'] } }], ['that expired', { claims: { exp: past } }],
  ['of the future', { claims: { nbf: past + 7_200 } }], ['without a subject', { claims: { sub: undefined } }], ['signed by an unknown key', { foreignKey: true }],
  ['without a signature', { header: { alg: 'none' } }], ['of another algorithm', { header: { alg: 'HS256' } }], ['for another party', { claims: { azp: 'other' } }], ['for one client in a list, and another party', { claims: { aud: ['weir'], azp: 'other' } }], ['with the hash of another access token', { claims: { at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' } }],
  ['whose subject is half a character', { claims: { sub: '\ud800' } }], ['whose subject is too long', { claims: { sub: 'a'.repeat(256) } }], ['whose subject is a number', { claims: { sub: 7 } }], ['whose end is text', { claims: { exp: '99999999999' } }],
  ['whose nonce is a list', { claims: { nonce: [] } }], ['whose issuer is a list', { claims: { iss: [] } }], ['without an end', { claims: { exp: undefined } }], ['without a beginning', { claims: { iat: undefined } }],
  ['with a critical header', { header: { crit: ['x'], x: 1 } }],
];
test.each(falsehoods)('an ID token %s is refused', async (_, falsehood) => {
  expect(await byLiar(falsehood)).toBe('/sign-in?problem=refused');
});

test('a provider that redirects, floods, or says no is not followed', async () => {
  const elsewhere: Falsehood = { answer: (response) => response.writeHead(307, { location: `${real.issuer}/token` }).end() };
  expect(await byLiar(elsewhere)).toBe('/sign-in?problem=unreachable');
  const flood: Falsehood = { answer: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end(Buffer.alloc(2 << 20, 0x20)) };
  expect(await byLiar(flood)).toBe('/sign-in?problem=unreachable');
  expect(await byLiar({ answer: (response) => response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}') })).toBe('/sign-in?problem=refused');
  expect(await byLiar({}, (query) => { query.delete('code'); query.set('error', 'access_denied'); })).toBe('/sign-in?problem=refused');
  expect(endOf(await new Visitor().follow(at('/auth/oidc/down'), (next) => next.pathname === '/sign-in'))).toBe('/sign-in?problem=unreachable');
  expect((await new Visitor().ask(at('/auth/oidc/absent'))).status).toBe(404);
});

test('no token, code, state or secret of a way is in the log', async () => {
  const before = liar.tokenRequests.length;
  await byLiar({ claims: { nonce: 'wrong' } });
  const sent = liar.tokenRequests[before];
  for (const name of ['code_verifier', 'redirect_uri']) expect(sent?.get(name)).toBeTruthy();
  expect(weir.log).not.toContain(sent?.get('code_verifier') ?? '-');
  expect(weir.log).not.toContain('eyJ');
});

test('a person links an identity from the own account, signs in by it, and unlinks it', async () => {
  await admin.json('POST', '/api/v1/principals', { principal: 'linker', role: 'viewer' });
  const visitor = await byLink('linker');
  real.person = { sub: 'linker-there', preferred_username: 'whatever' };
  const start = async (who: Visitor): Promise<string> => {
    const { location } = JSON.parse((await who.ask(at('/auth/oidc/closed/link'), { method: 'POST' })).text) as { location: string };
    return endOf(await who.follow(location, (next) => next.origin === weir.url && !isCallback(next)));
  };
  expect(await start(visitor)).toBe('/account');
  const { items } = JSON.parse((await visitor.ask(at('/auth/identities'))).text) as { items: { issuer: string; subject: string; provider: string }[] };
  expect(items).toMatchObject([{ issuer: real.issuer, subject: 'linker-there' }]);
  const other = new Visitor();
  expect(await signIn(other, 'closed', real.person)).toBe('/');
  // The role is Weir's own: the link says who somebody is, not what.
  expect(await whoIs(other)).toMatchObject({ principal: 'linker', role: 'viewer' });
  await admin.json('POST', '/api/v1/principals', { principal: 'second', role: 'viewer' });
  expect(await start(await byLink('second'))).toBe('/account?problem=linked_elsewhere');
  const query = new URLSearchParams({ issuer: real.issuer, subject: 'linker-there' }).toString();
  const unlink = async (more = ''): Promise<number> => (await visitor.ask(at(`/auth/identities?${query}${more}`), { method: 'DELETE' })).status;
  expect([await unlink(), await unlink('&last=true')]).toEqual([409, 204]);
  expect(await signIn(new Visitor(), 'closed', real.person)).toBe('/sign-in?problem=unlinked');
});

test('a link begun by a session that ended meanwhile is not made', async () => {
  await admin.json('POST', '/api/v1/principals', { principal: 'gone', role: 'viewer' });
  const visitor = await byLink('gone');
  real.person = { sub: 'gone-there' };
  const { location } = JSON.parse((await visitor.ask(at('/auth/oidc/closed/link'), { method: 'POST' })).text) as { location: string };
  const callback = await visitor.follow(location, isCallback);
  await visitor.ask(at('/auth/logout'), { method: 'POST' });
  expect(await goOn(visitor, new URL(callback))).toBe('/account?problem=expired');
});

test('a provider steps a session up only by a fresh sign-in there, of the person it is linked to', async () => {
  const visitor = new Visitor();
  const chief: Person = { sub: 'chief', preferred_username: 'chief', groups: ['chiefs'] };
  await signIn(visitor, 'real', chief);
  // Signed in, but the provider did not say when it last asked.
  const rotate = async (): Promise<number> => (await visitor.ask(at('/api/v1/principals/grace/key'), { method: 'POST', body: {} })).status;
  expect(await rotate()).toBe(403);
  const stepUp = async (person: Person): Promise<string> => {
    real.person = person;
    visitor.forget(real.issuer);
    const { location } = JSON.parse((await visitor.ask(at('/auth/oidc/real/step-up'), { method: 'POST' })).text) as { location: string };
    expect(new URL(location).searchParams.get('prompt')).toBe('login');
    return endOf(await visitor.follow(location, (next) => next.origin === weir.url && !isCallback(next)));
  };
  expect(await stepUp({ sub: 'stranger', groups: ['people'] })).toBe('/stepped-up?problem=unlinked');
  expect(await rotate()).toBe(403);
  const before = real.signIns;
  expect(await stepUp(chief)).toBe('/stepped-up');
  expect(real.signIns).toBe(before + 1);
  await wait(300);
  expect(await rotate()).toBe(201);
});

test('an old sign-in at the provider is no step-up', async () => {
  await admin.json('POST', '/api/v1/principals', { principal: 'slow', role: 'admin' });
  const visitor = await byLink('slow');
  const go = async (path: string, claims: Record<string, unknown>): Promise<string> => {
    liar.falsehood = { claims: { sub: 'slow', ...claims } };
    const asked = new URL((JSON.parse((await visitor.ask(at(path), { method: 'POST' })).text) as { location: string }).location);
    liar.nonce = asked.searchParams.get('nonce') ?? '';
    return goOn(visitor, new URL(at(`/auth/oidc/liar/callback?${new URLSearchParams({ code: 'c', state: asked.searchParams.get('state') ?? '', iss: liar.issuer }).toString()}`)));
  };
  expect(await go('/auth/oidc/liar/link', {})).toBe('/account');
  expect(await go('/auth/oidc/liar/step-up', { auth_time: past })).toBe('/stepped-up?problem=refused');
  expect(await go('/auth/oidc/liar/step-up', { auth_time: undefined })).toBe('/stepped-up?problem=refused');
  expect(await go('/auth/oidc/liar/step-up', {})).toBe('/stepped-up');
});

test('failed callbacks count against the limit on failures', async () => {
  await using small = await startWeir({ environment: { WEIR_IDENTITY__OIDC: `[{ name = "liar", issuer = "${liar.issuer}", allow_networks = ["127.0.0.0/8"], client_id = "weir" }]` }, limits: 'default' });
  const ask = async (): Promise<number> => (await new Visitor().ask(`${small.url}/auth/oidc/liar/callback?state=x&code=y`)).status;
  const statuses: number[] = [];
  for (let index = 0; index < 12; index += 1) statuses.push(await ask());
  expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 303));
  expect(statuses.at(-1)).toBe(429);
});
