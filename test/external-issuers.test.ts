/** Access tokens of another issuer open what the map says to whom it says, and every forgery that the JWT literature knows is refused. */
import { randomBytes } from 'node:crypto';
import { exportSPKI } from 'jose';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { externalName } from '../packages/data/src/security-stores/external-identities.ts';
import { hmacWith, newPair, signed, signWith, spelled, TestIssuer, type Pair } from './support/issuer.ts';
import { PacedReader } from './support/raw-http.ts';
import { Client, startWeir, type TestWeir } from './support/weir.ts';

let issuer: TestIssuer;
let closed: TestIssuer;
let ed: Pair;
let ec: Pair;
let rsa: Pair;
let closedKey: Pair;
let weir: TestWeir;

beforeAll(async () => {
  [issuer, closed] = [await TestIssuer.start(), await TestIssuer.start()];
  [ed, ec, rsa, closedKey] = await Promise.all([newPair('ed', 'EdDSA'), newPair('ec', 'ES256'), newPair('rsa', 'RS256'), newPair('only', 'EdDSA')]);
  issuer.keys = [ed.jwk, ec.jwk, rsa.jwk];
  closed.keys = [closedKey.jwk];
  weir = await startWeir({ environment: { WEIR_IDENTITY__ISSUERS: `[
    { issuer = "${issuer.url}", audience = "weir", jwks_uri = "${issuer.url}/jwks", allow_networks = ["127.0.0.1"], role_claim = "roles", role_map = { "boss" = "admin", "staff" = "user", "guest" = "viewer" }, create = true },
    { issuer = "${closed.url}", audience = "weir", jwks_uri = "${closed.url}/jwks", allow_networks = ["127.0.0.1"], algorithms = ["EdDSA"], role_claim = "realm_access.roles", role_map = { "staff" = "user" } },
  ]`.replace(/\n\s*/g, ' ') } });
});
afterAll(async () => {
  await weir[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await closed[Symbol.asyncDispose]();
});

const who = (token: string): Client => new Client(weir, '', () => ({ authorization: `Bearer ${token}` }));
const statusOf = async (token: string): Promise<number> => (await who(token).fetch('/api/v1/status')).status;
type Me = { principal: string; role: string; permissions: Record<string, boolean> };
const me = (token: string): Promise<Me> => who(token).json<Me>('GET', '/api/v1/permissions');
let subjects = 0;
const newSubject = (): string => `subject|${subjects += 1}`;
const header = (more: Record<string, unknown> = {}): string => JSON.stringify({ alg: 'EdDSA', kid: 'ed', typ: 'at+jwt', ...more });

test.each(['EdDSA', 'ES256', 'RS256'])('a good token under %s is its subject, with the mapped role, the same principal each time', async (alg) => {
  const pair = [ed, ec, rsa].find((candidate) => candidate.alg === alg) ?? ed;
  const sub = newSubject();
  const first = await me(await signed(pair, issuer.claims(sub)));
  expect(first).toMatchObject({ principal: externalName({ issuer: issuer.url, subject: sub }), role: 'user' });
  expect(await me(await signed(pair, issuer.claims(sub, { jti: 'another' }), { typ: 'JWT' }))).toMatchObject({ principal: first.principal });
  const { items } = await (await weir.admin()).json<{ items: { principal: string; kind: string; role: string }[] }>('GET', '/api/v1/principals?limit=500');
  expect(items.find(({ principal }) => principal === first.principal)).toMatchObject({ kind: 'user', role: 'user' });
});

test('two first tokens of one subject at once make one principal', async () => {
  const sub = newSubject();
  const tokens = await Promise.all(Array.from({ length: 8 }, (_, index) => signed(ed, issuer.claims(sub, { jti: String(index) }))));
  expect(new Set((await Promise.all(tokens.map((token) => me(token)))).map(({ principal }) => principal)).size).toBe(1);
});

test('the role is what the map says and nothing else: the first line that fits, nothing of the token’s own words, and unmapped is refused', async () => {
  expect((await me(await signed(ed, issuer.claims(newSubject(), { roles: ['guest', 'staff'] })))).role).toBe('user');
  expect((await me(await signed(ed, issuer.claims(newSubject(), { roles: 'guest', role: 'admin', permissions: ['manage_users'] })))).permissions).toMatchObject({ manage_users: false, write_content: false });
  for (const roles of [[], ['admin'], ['*'], 'user', undefined, { staff: true }, [['staff']], '__proto__']) {
    expect(await statusOf(await signed(ed, issuer.claims(newSubject(), { roles })))).toBe(401);
  }
});

test('a role that manages users comes only of the value that the map names for it', async () => {
  expect((await me(await signed(ed, issuer.claims(newSubject(), { roles: ['boss'] })))).permissions).toMatchObject({ manage_users: true });
});

test('the newest token says the role; an older one only narrows', async () => {
  const sub = newSubject();
  const now = Math.floor(Date.now() / 1_000);
  const older = await signed(ed, issuer.claims(sub, { iat: now - 60, roles: ['staff'] }));
  expect((await me(older)).permissions).toMatchObject({ write_content: true });
  const newer = await signed(ed, issuer.claims(sub, { iat: now, roles: ['guest'] }));
  expect((await me(newer)).permissions).toMatchObject({ write_content: false });
  expect((await me(older)).permissions).toMatchObject({ write_content: false });
});

test('where principals are not made, an unknown subject is refused, and a linked one keeps its own role, narrowed by the token', async () => {
  const token = (sub: string) => signed(closedKey, { ...closed.claims(sub), roles: undefined, realm_access: { roles: ['staff'] } });
  expect(await statusOf(await token('unknown'))).toBe(401);
  const viewer = await weir.principal('linked-viewer', 'viewer');
  const admin = await weir.admin();
  await admin.json('POST', `/api/v1/principals/${viewer.name}/identities`, { issuer: closed.url, subject: 'known' });
  const linked = await token('known');
  expect(await me(linked)).toMatchObject({ principal: viewer.name, role: 'viewer', permissions: { write_content: false } });
  expect(await admin.json('GET', `/api/v1/principals/${viewer.name}/identities`)).toMatchObject({ items: [{ issuer: closed.url, subject: 'known' }] });
  expect((await admin.send('POST', '/api/v1/principals/admin/identities', { issuer: closed.url, subject: 'known' })).status).toBe(409);
  await admin.json('DELETE', `/api/v1/principals/${viewer.name}/identities?issuer=${encodeURIComponent(closed.url)}&subject=known`);
  expect(await statusOf(linked)).toBe(401);
});

test('a disabled principal is refused, and “end everything” ends tokens of other issuers and what they read', async () => {
  const sub = newSubject();
  const now = Math.floor(Date.now() / 1_000);
  const token = await signed(ed, issuer.claims(sub, { iat: now - 5 }));
  const { principal } = await me(token);
  const cid = await who(token).upload(randomBytes(16_000_000));
  using reading = new PacedReader(weir.url, `/api/v1/content/${cid}`, { authorization: `Bearer ${token}` }, 2_000_000);
  await reading.has(500_000);
  const admin = await weir.admin();
  await admin.json('POST', `/api/v1/principals/${principal}/end-everything`);
  expect(await statusOf(token)).toBe(401);
  await reading.ended;
  // Tokens are dated in whole seconds, so one of the same second could be from before.
  await wait(2_100);
  const fresh = await signed(ed, issuer.claims(sub, { iat: Math.floor(Date.now() / 1_000) }));
  expect(await statusOf(fresh)).toBe(200);
  await admin.json('PATCH', `/api/v1/principals/${principal}`, { disabled: true });
  expect(await statusOf(fresh)).toBe(401);
});

const sub = 'attacker';
const attacks: Readonly<Record<string, () => Promise<string>>> = {
  'alg none': () => spelled(header({ alg: 'none' }), JSON.stringify(issuer.claims(sub)), () => new Uint8Array(0)),
  'HS256 with the public key as the secret': async () => spelled(header({ alg: 'HS256', kid: 'rsa' }), JSON.stringify(issuer.claims(sub)), hmacWith(await exportSPKI(rsa.publicKey))),
  'HS256 with the raw public key as the secret': () => spelled(header({ alg: 'HS256' }), JSON.stringify(issuer.claims(sub)), hmacWith(Buffer.from(ed.jwk.x ?? '', 'base64url'))),
  'an algorithm that is not pinned for this issuer': async () => signed(await newPair('ec', 'ES384'), issuer.claims(sub)),
  'an algorithm that another issuer may use': () => signed({ ...ec, kid: 'only' }, { ...closed.claims(sub), realm_access: { roles: ['staff'] } }),
  'the key of another algorithm': () => signed({ ...ec, kid: 'rsa' }, issuer.claims(sub)),
  'a key of nobody': async () => signed(await newPair('ed', 'EdDSA'), issuer.claims(sub)),
  'a key id that is a path': () => signed(ed, issuer.claims(sub), { kid: '../../../dev/null' }),
  'a key id that is a query': () => signed(ed, issuer.claims(sub), { kid: "ed' OR '1'='1" }),
  'a key id of every object': () => signed(ed, issuer.claims(sub), { kid: '__proto__' }),
  'an empty key id': () => signed(ed, issuer.claims(sub), { kid: '' }),
  'no key id': () => signed(ed, issuer.claims(sub), { kid: undefined }),
  'a key in the header': async () => { const own = await newPair('own', 'EdDSA'); return signed(own, issuer.claims(sub), { kid: 'own', jwk: own.jwk }); },
  'a known key id with another key in the header': async () => { const own = await newPair('ed', 'EdDSA'); return signed(own, issuer.claims(sub), { jwk: own.jwk }); },
  'an address of keys in the header': () => signed(ed, issuer.claims(sub), { jku: `${closed.url}/jwks` }),
  'an address of certificates in the header': () => signed(ed, issuer.claims(sub), { x5u: `${closed.url}/cert` }),
  'a certificate in the header': () => signed(ed, issuer.claims(sub), { x5c: ['AAAA'] }),
  'a critical member': () => signed(ed, issuer.claims(sub), { crit: ['b64'], b64: true }),
  'a member twice in the header': () => spelled('{"alg":"none","alg":"EdDSA","kid":"ed","typ":"at+jwt"}', JSON.stringify(issuer.claims(sub)), signWith(ed)),
  'a claim twice': () => spelled(header(), JSON.stringify(issuer.claims(sub)).replace('{', '{"sub":"somebody",'), signWith(ed)),
  'a claim twice, escaped once': () => spelled(header(), JSON.stringify(issuer.claims(sub)).replace('{', '{"\\u0073ub":"somebody",'), signWith(ed)),
  'a type of another kind': () => signed(ed, issuer.claims(sub), { typ: 'logout+jwt' }),
  'no type': () => signed(ed, issuer.claims(sub), { typ: undefined }),
  'the type of our own tokens': () => signed(ed, issuer.claims(sub), { typ: 'weir-access+jwt' }),
  'an ID token: its nonce': () => signed(ed, issuer.claims(sub, { nonce: 'n' }), { typ: 'JWT' }),
  'an ID token: its at_hash': () => signed(ed, issuer.claims(sub, { at_hash: 'h' }), { typ: 'JWT' }),
  'an ID token that says so': () => signed(ed, issuer.claims(sub, { typ: 'ID' }), { typ: 'JWT' }),
  'a token that is bound to a key': () => signed(ed, issuer.claims(sub, { cnf: { jkt: 'x' } })),
  'another audience': () => signed(ed, issuer.claims(sub, { aud: 'weir2' })),
  'several audiences': () => signed(ed, issuer.claims(sub, { aud: ['weir', 'other'] })),
  'an audience that is a prefix': () => signed(ed, issuer.claims(sub, { aud: 'wei' })),
  'no audience': () => signed(ed, issuer.claims(sub, { aud: undefined })),
  'another issuer’s name under this key': () => signed(ed, { ...closed.claims(sub), realm_access: { roles: ['staff'] } }),
  'an issuer that nobody named': () => signed(ed, issuer.claims(sub, { iss: `${issuer.url}/` })),
  'expired': () => signed(ed, issuer.claims(sub, { iat: 1_000, exp: Math.floor(Date.now() / 1_000) - 6 })),
  'not yet': () => signed(ed, issuer.claims(sub, { nbf: Math.floor(Date.now() / 1_000) + 60 })),
  'issued in the future': () => signed(ed, issuer.claims(sub, { iat: Math.floor(Date.now() / 1_000) + 60 })),
  'for ever': () => signed(ed, issuer.claims(sub, { exp: 253_402_300_000 })),
  'no end': () => signed(ed, issuer.claims(sub, { exp: undefined })),
  'an end that is a text': () => spelled(header(), JSON.stringify({ ...issuer.claims(sub), exp: '9999999999' }), signWith(ed)),
  'no subject': () => signed(ed, issuer.claims(sub, { sub: undefined })),
  'a subject with control characters': () => signed(ed, issuer.claims('a\u0000b')),
  'a huge token': () => signed(ed, issuer.claims(sub, { filler: 'x'.repeat(8_192) })),
  'deep claims': () => spelled(header(), JSON.stringify({ ...issuer.claims(sub), deep: JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`) as unknown }), signWith(ed)),
  'five parts, as if it were encrypted': async () => `${await signed(ed, issuer.claims(sub))}.a.b`,
  'a signature that is cut': async () => (await signed(ed, issuer.claims(sub))).slice(0, -2),
  'a second spelling of the signature': async () => `${await signed(ed, issuer.claims(sub))}==`,
};

test.each(Object.keys(attacks))('refused, and nobody is made of it: %s', async (name) => {
  expect(await statusOf(await (attacks[name] ?? attacks['alg none'] ?? (() => Promise.resolve('')))())).toBe(401);
  const { items } = await (await weir.admin()).json<{ items: { principal: string }[] }>('GET', '/api/v1/principals?limit=500');
  for (const subject of [sub, 'somebody']) expect(items.map(({ principal }) => principal)).not.toContain(externalName({ issuer: issuer.url, subject }));
  // The same words, signed as they should be, are good: it was this that was refused and nothing else.
  expect(await statusOf(await signed(ed, issuer.claims('the-good-one')))).toBe(200);
});

test('of the flood of tokens with unknown keys, the set is asked for at most once a minute', async () => {
  const before = issuer.readings;
  for (let index = 0; index < 20; index += 1) expect(await statusOf(await signed(ed, issuer.claims(sub), { kid: `flood-${index}` }))).toBe(401);
  expect(issuer.readings - before).toBeLessThanOrEqual(1);
});

test('what the library took in of a set is only what can verify: weak, secret and encrypting keys are left out', async () => {
  const weak = await newPair('weak', 'RS256', { modulusLength: 2_048 });
  const fresh = await TestIssuer.start();
  const enc = await newPair('enc', 'EdDSA');
  fresh.keys = [
    { kty: 'oct', kid: 'secret', k: Buffer.from('x'.repeat(32)).toString('base64url'), alg: 'HS256' }, { ...enc.jwk, use: 'enc' }, { ...weak.jwk, n: (weak.jwk.n ?? '').slice(0, 170) },
    { ...ed.jwk, kid: 'good' }, { ...enc.jwk, kid: 'good' }, { ...ed.jwk, kid: undefined },
  ];
  await using other = await startWeir({ environment: { WEIR_IDENTITY__ISSUERS: `[{ issuer = "${fresh.url}", audience = "weir", jwks_uri = "${fresh.url}/jwks", allow_networks = ["127.0.0.1"], role_claim = "roles", role_map = { "*" = "user" }, create = true }]` } });
  const ask = async (token: string): Promise<number> => (await new Client(other, '', () => ({ authorization: `Bearer ${token}` })).fetch('/api/v1/status')).status;
  expect(await ask(await spelled(header({ alg: 'HS256', kid: 'secret' }), JSON.stringify(fresh.claims('x')), hmacWith('x'.repeat(32))))).toBe(401);
  expect(await ask(await signed(enc, fresh.claims('x')))).toBe(401);
  expect(await ask(await signed({ ...enc, kid: 'good' }, fresh.claims('x')))).toBe(401);
  expect(await ask(await signed({ ...ed, kid: 'good' }, fresh.claims('x', { roles: [] })))).toBe(200);
  await fresh[Symbol.asyncDispose]();
});
