/** Wrong evidence is refused in one way whatever is wrong with it; right evidence counts once, from where it may, and is never drowned out. */
import { createHmac, generateKeyPairSync, randomBytes, randomInt } from 'node:crypto';
import http from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { goodClaims, goodHeader, signedToken, signingKeyOf, type Signer } from './support/forged-tokens.ts';
import { send, type RawReply } from './support/raw-http.ts';
import { upgradeStatus } from './support/held-job.ts';
import { StoredState } from './support/state.ts';
import { dffmpegSigned, scaled, startWeir, type Client, type TestWeir } from './support/weir.ts';
import { bundledClip } from './support/world.ts';

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const runs = scaled(2_000, 100);
let weir: TestWeir;
let alice: Client & { key: string };
let bob: Client & { key: string };
let admin: Client;
let signer: Signer;
let state: StoredState;
let grant: { token: string };
let foreignGrant: { token: string };
let cid = '';

beforeAll(async () => {
  weir = await startWeir();
  admin = await weir.admin();
  [alice, bob] = [await weir.principal('alice', 'user'), await weir.principal('bob', 'user')];
  cid = await alice.upload(Buffer.from('hello'));
  grant = await alice.json('POST', '/api/v1/grants', { cid });
  await using stranger = await startWeir();
  const carol = await stranger.principal('carol', 'user');
  foreignGrant = await carol.json('POST', '/api/v1/grants', { cid: await carol.upload(Buffer.from('hello')) });
  signer = await signingKeyOf(weir);
  await bundledClip(admin);
  state = new StoredState(weir.dataPath);
});
afterAll(async () => {
  agent.destroy();
  state[Symbol.dispose]();
  await weir[Symbol.asyncDispose]();
});

type Headers = Record<string, string | string[]>;
const ask = (headers: Headers, method = 'GET', target = '/api/v1/permissions', body?: string): Promise<RawReply> =>
  send(weir.url, { method, target, headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers }, ...(body === undefined ? {} : { body }), agent });
const change = (headers: Headers, target = '/api/v1/tokens'): Promise<RawReply> => ask(headers, 'POST', target, '{"expires_in":60}');
const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });
const now = (): number => Math.floor(Date.now() / 1_000);

/** The one refusal, without what differs by design. */
function expectRefused(reply: RawReply): void {
  expect(reply.status).toBe(401);
  const { error } = JSON.parse(reply.text) as { error: { request_id: string } };
  expect(error.request_id.length).toBeGreaterThan(0);
  expect({ ...error, request_id: '' }).toEqual({ code: 'identity.required', message: 'Sign in: a valid token, session or request signature is needed.', request_id: '' });
  // Whether the connection goes on depends on whether there was a body, and limits are told to who shows no evidence: both are the caller's own doing.
  expect(Object.keys(reply.headers).filter((name) => !/^(connection|keep-alive|ratelimit-.*)$/.test(name)).sort()).toEqual(refusalHeaders);
}
const refusalHeaders = [
  'cache-control', 'content-length', 'content-security-policy', 'content-type', 'cross-origin-resource-policy', 'date', 'referrer-policy', 'www-authenticate', 'x-content-type-options', 'x-request-id',
];

/** Runs many wrong proofs through a reading and a changing route; nothing may come of them. */
async function expectAllRefused(proofs: fc.Arbitrary<Headers>, count = runs): Promise<void> {
  const before = state.digest();
  await fc.assert(fc.asyncProperty(proofs, fc.boolean(), async (headers, changes) => {
    expectRefused(await (changes ? change(headers) : ask(headers)));
  }), { numRuns: count, interruptAfterTimeLimit: 25_000 });
  expect(state.digest()).toBe(before);
}

const visible = (least: number, most: number): fc.Arbitrary<string> => fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), minLength: least, maxLength: most });

test('what is right is admitted, so that the refusals below mean something', async () => {
  expect((await ask(bearer(signedToken(signer, JSON.stringify(goodClaims(signer, 'alice')))))).status).toBe(200);
  expect((await ask(dffmpegSigned('alice', alice.key, 'GET', '/api/v1/permissions'))).status).toBe(200);
  expect((await change(dffmpegSigned('alice', alice.key, 'POST', '/api/v1/tokens', '{"expires_in":60}'))).status).toBe(201);
});

test('request signatures that are incomplete, malformed or of something else are all the same refusal', async () => {
  const good = (method: string, path: string, body: string, at = now()): Headers => dffmpegSigned('alice', alice.key, method, path, body, at);
  const names = ['x-dffmpeg-client-id', 'x-dffmpeg-timestamp', 'x-dffmpeg-signature'] as const;
  const read = (): Headers => good('GET', '/api/v1/permissions', '');
  const broken = fc.oneof(
    // Some of the three headers, in any combination but all.
    fc.subarray([...names], { maxLength: 2, minLength: 1 }).map((kept) => Object.fromEntries(kept.map((name) => [name, read()[name] ?? '']))),
    fc.constantFrom(...names).chain((name) => visible(0, 60).map((value): Headers => ({ ...read(), [name]: value }))),
    fc.constantFrom('٠١٢٣', '１７００００００００', '-1', '+1', '1e9', '1.5', ' ', '0x10', '99999999999999999999', 'NaN', '').map((timestamp): Headers => ({ ...read(), 'x-dffmpeg-timestamp': Buffer.from(timestamp).toString('latin1') })),
    fc.constantFrom('admin', 'bob', 'nobody', 'ALICE', 'al%69ce', 'alice\u00a0', "alice'--", '../alice', 'built-in').map((name): Headers => ({ ...read(), 'x-dffmpeg-client-id': name })),
    // A bit of the signature, its padding, its alphabet.
    fc.nat(255).map((bit): Headers => ({ ...read(), 'x-dffmpeg-signature': flipped(String(read()['x-dffmpeg-signature']), bit) })),
    fc.constantFrom((text: string) => text.replace(/=$/, ''), (text: string) => `${text}=`, (text: string) => text.replaceAll('+', '-').replaceAll('/', '_').replace(/=$/, ''), (text: string) => `${text} ${text}`, (text: string) => Buffer.from(text, 'base64').toString('hex'))
      .map((spell): Headers => ({ ...read(), 'x-dffmpeg-signature': spell(String(read()['x-dffmpeg-signature'])) })),
    // Good signatures of another request.
    fc.constantFrom(['POST', '/api/v1/permissions', ''], ['GET', '/api/v1/permission', ''], ['GET', '/api/v1/permissions/', ''], ['GET', '/api/v1/permissions', 'x'], ['HEAD', '/api/v1/permissions', ''], ['GET', '/API/v1/permissions', ''])
      .map(([method = '', path = '', body = '']): Headers => good(method, path, body)),
    fc.constant(null).map((): Headers => dffmpegSigned('alice', bob.key, 'GET', '/api/v1/permissions')),
  );
  await expectAllRefused(broken.map(orRefused), runs);
});

test('a clock may be 29 seconds off in either direction and not 31', async () => {
  for (const [skew, status] of [[-29, 200], [29, 200], [-31, 401], [31, 401]] as const) {
    await nextSecond();
    const reply = await ask(dffmpegSigned('alice', alice.key, 'GET', '/api/v1/permissions', '', now() + skew));
    expect(reply.status, `${skew} s`).toBe(status);
    // Who signed rightly is told the time; who did not, at the same distance, is told what every stranger is.
    if (status === 401) expect((JSON.parse(reply.text) as { error: unknown }).error).toMatchObject({ code: 'identity.clock', server_time: expect.stringMatching(/^20\d\d-/) });
    expectRefused(await ask(dffmpegSigned('alice', bob.key, 'GET', '/api/v1/permissions', '', now() + skew)));
    expectRefused(await ask(dffmpegSigned('nobody', alice.key, 'GET', '/api/v1/permissions', '', now() + skew)));
  }
});

test('tokens that are malformed, of another key, time, type or spelling are all the same refusal', async () => {
  const claims = goodClaims(signer, 'alice');
  const good = signedToken(signer, JSON.stringify(claims));
  const with_ = (more: Record<string, unknown>): string => signedToken(signer, JSON.stringify({ ...claims, ...more }));
  const header = (more: Record<string, unknown>): string => JSON.stringify({ ...(JSON.parse(goodHeader(signer)) as object), ...more });
  const [head = '', payload = '', signature = ''] = good.split('.');
  const stranger: Signer = { ...signer, key: generateKeyPairSync('ed25519').privateKey };
  const publicX = ((await (await weir.anonymous.fetch('/.well-known/jwks.json')).json()) as { keys: { x: string }[] }).keys[0]?.x ?? '';
  const confused = `${Buffer.from(header({ alg: 'HS256' })).toString('base64url')}.${payload}`;
  const cases = [
    `${Buffer.from(header({ alg: 'none' })).toString('base64url')}.${payload}.`, `${head}.${payload}.`, `${head}.${payload}`, head, '.', '..', '...', `${good}.x`,
    `${confused}.${createHmac('sha256', Buffer.from(publicX, 'base64url')).update(confused).digest('base64url')}`,
    signedToken(stranger, JSON.stringify(claims)), signedToken({ ...signer, kid: 'other' }, JSON.stringify(claims)),
    ...['none', 'None', 'HS256', 'ES256', 'EdDSA ', ''].map((alg) => signedToken(signer, JSON.stringify(claims), header({ alg }))),
    ...['JWT', 'weir-grant+jwt', 'weir-job+jwt', 'weir-ticket+jwt', 'weir-playlist+jwt', 'weir-audit+jwt', ''].map((typ) => signedToken(signer, JSON.stringify(claims), header({ typ }))),
    signedToken(signer, JSON.stringify(claims), header({ jwk: { kty: 'OKP', crv: 'Ed25519', x: publicX } })), signedToken(signer, JSON.stringify(claims), header({ crit: ['exp'] })),
    with_({ exp: now() - 1 }), with_({ exp: now() }), with_({ iat: now() - 60, nbf: now() - 60, exp: now() - 30 }), with_({ nbf: now() + 60 }), with_({ exp: now() + 40_000_000 }),
    with_({ iss: 'weir:other' }), with_({ aud: 'weir:other' }), with_({ aud: [signer.audience] }), with_({ sub: 'nobody' }), with_({ sub: 'ALICE' }), with_({ sub: '' }), with_({ sub: ['alice'] }),
    with_({ role: 'no-such-role' }), with_({ role: 1 }), with_({ permissions: 'manage_users' }), with_({ unknown: 1 }), with_({ exp: String(now() + 60) }), with_({ exp: 1e300 }), with_({ sid: '01J00000000000000000000000' }),
    signedToken(signer, JSON.stringify(claims).replace('"sub":"alice"', '"sub":"admin","sub":"alice"')), signedToken(signer, JSON.stringify(claims).replace('"sub":"alice"', '"sub":"alice","\\u0073ub":"admin"')),
    signedToken(signer, JSON.stringify(claims), goodHeader(signer).replace('{', '{"alg":"none",')),
    signedToken(signer, 'null'), signedToken(signer, '[]'), signedToken(signer, '{}'), signedToken(signer, '{"__proto__":{}}'), signedToken(signer, ''), signedToken(signer, `${'['.repeat(3_000)}`),
    `${head}.${payload}=.${signature}`, `${head}.${payload}.${signature}=`, `${head}. ${payload}.${signature}`, `${good}${'A'.repeat(8_300)}`, good.toLowerCase(),
    with_({ permissions: Array.from({ length: 100 }, (_, index) => `p${'x'.repeat(45)}${index}`) }).padEnd(8_193, 'A'), grant.token, foreignGrant.token,
  ];
  await expectAllRefused(fc.oneof(
    fc.constantFrom(...cases).map(bearer),
    // Any one character of a good token changed, removed or doubled.
    fc.tuple(fc.nat(good.length - 1), fc.constantFrom('', 'A', '_', '-', '.', '=', '~')).filter(([at, by]) => good[at] !== by)
      .map(([at, by]) => bearer(good.slice(0, at) + by + good.slice(at + 1))),
    visible(1, 200).map((text): Headers => ({ authorization: text })),
    visible(1, 200).map(bearer),
    fc.constantFrom('Basic YWxpY2U6', 'Bearer', 'Bearer ', `Bearer  ${good}`, `Bearer ${good} x`, `bearer: ${good}`, `Bearer\t${good}`, `Token ${good}`, good).map((text): Headers => ({ authorization: text })),
  ).filter((headers) => headers['authorization'] !== `Bearer ${good}`));
});

test('cookies that no sign-in gave are all the same refusal, and a cookie alone never changes anything', async () => {
  const { cookie = '' } = admin.evidence();
  const value = cookie.slice('weir='.length);
  const [id = '', secret = ''] = value.split('.');
  await expectAllRefused(fc.oneof(
    visible(1, 80).filter((text) => !/[;,"\\ ]/.test(text)).map((text): Headers => ({ cookie: `weir=${text}`, origin: weir.url })),
    fc.constantFrom(id, `${id}.`, `.${secret}`, `${id}.${secret}x`, `${id}.${secret}.x`, `${id}.${secret.slice(1)}`, `${id.toLowerCase()}.${secret}`, `${id}.${'A'.repeat(5_000)}`, `"${value}"`, encodeURIComponent(`${value}\0`))
      .map((text): Headers => ({ cookie: `weir=${text}`, origin: weir.url })),
    fc.constantFrom(`weir=${value}; weir=${value}`, `weir=${value}; weir=`, `weir=${value}, weir=${value}`, `weir=${value}\u00a0`).map((cookie_): Headers => ({ cookie: cookie_, origin: weir.url })),
    fc.constant({ cookie: `weir=${value}; a=${'b'.repeat(8_200)}`, origin: weir.url }),
  ), Math.min(runs, 500));
  // What a host below could set, because to a browser it is another name (a blank before the name is one to some readers).
  for (const name of ['\u00a0weir', '\u0085weir', 'Weir', 'weir ', '"weir"', '%77eir', '$Path=/; xweir']) expect([(JSON.parse((await ask({ cookie: `${name}=${value}`, origin: weir.url })).text) as { principal: string | null }).principal, name]).toEqual([null, name]);
  // A change by cookie needs the browser's word that our own page sent it.
  for (const headers of [{}, { 'sec-fetch-site': 'none' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'cross-site' }, { origin: weir.url, 'sec-fetch-site': 'cross-site' }]) {
    expectRefused(await change({ cookie, ...headers }));
  }
  for (const headers of [{ origin: weir.url }, { 'sec-fetch-site': 'same-origin' }]) expect((await change({ cookie, ...headers })).status).toBe(201);
  for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:1', `${weir.url}.evil.example`, weir.url.replace('http:', 'https:')]) {
    for (const proof of [{ cookie }, { ...alice.evidence() }, {}]) {
      const reply = await change({ ...proof, origin });
      expect([reply.status, (JSON.parse(reply.text) as { error: { code: string } }).error.code]).toEqual([403, 'origin.refused']);
    }
  }
});

test('two kinds of evidence must name the same principal, and give what both give', async () => {
  const { cookie = '' } = admin.evidence();
  const token = (await alice.json<{ token: string }>('POST', '/api/v1/tokens', { permissions: ['use_account'] })).token;
  expectRefused(await ask({ ...alice.evidence(), cookie }));
  expectRefused(await ask({ ...dffmpegSigned('bob', bob.key, 'GET', '/api/v1/permissions'), ...bearer(token) }));
  expectRefused(await ask({ ...dffmpegSigned('alice', bob.key, 'GET', '/api/v1/permissions'), ...bearer(token) }));
  expectRefused(await ask({ ...alice.evidence(), cookie: 'weir=wrong' }));
  const good = String(alice.evidence()['authorization']);
  for (const pair of [[good, good], [good, 'Bearer x'], ['Bearer x', good]]) expectRefused(await ask({ authorization: pair }));
  const reply = await ask({ ...dffmpegSigned('alice', alice.key, 'GET', '/api/v1/permissions'), ...bearer(token) });
  const { permissions } = JSON.parse(reply.text) as { permissions: Record<string, boolean> };
  expect(Object.keys(permissions).filter((name) => permissions[name])).toEqual(['use_account']);
});

test('grants of other instances, of other content and in other places open nothing', async () => {
  const target = (token: string): string => `/api/v1/content/${cid}?grant=${encodeURIComponent(token)}`;
  expect((await ask({}, 'GET', target(grant.token))).status).toBe(200);
  for (const token of [foreignGrant.token, '', 'x', `${grant.token}x`, grant.token.slice(0, -2), String(alice.evidence()['authorization']).slice(7)]) expectRefused(await ask({}, 'GET', target(token)));
  expectRefused(await ask({}, 'GET', `${target(grant.token)}&grant=${grant.token}`));
  const other = await bob.upload(randomBytes(100));
  const elsewhere = await ask({}, 'GET', `/api/v1/content/${other}?grant=${grant.token}`);
  expect([403, 404]).toContain(elsewhere.status);
  expect([400, 401]).toContain((await ask({}, 'GET', `/api/v1/library?grant=${grant.token}`)).status);
  // A link of her own does not let alice act as herself by it.
  expect([400, 401]).toContain((await ask({ ...alice.evidence() }, 'GET', `/api/v1/library?grant=${grant.token}`)).status);
});

test('dffmpeg §2 #4: a signed change counts once; a signed reading may be repeated', async () => {
  await nextSecond();
  const body = '{"expires_in":60}';
  const headers = dffmpegSigned('alice', alice.key, 'POST', '/api/v1/tokens', body);
  expect((await change(headers)).status).toBe(201);
  const before = state.digest();
  const again = await Promise.all(Array.from({ length: 20 }, () => change(headers)));
  for (const reply of again) expectRefused(reply);
  // Signatures do not cover the query, so another query is no other request.
  expectRefused(await change(headers, '/api/v1/tokens?x=1'));
  expect(state.digest()).toBe(before);
  const read = dffmpegSigned('alice', alice.key, 'GET', '/api/v1/permissions');
  for (let index = 0; index < 3; index += 1) expect((await ask(read)).status).toBe(200);
  const raced = dffmpegSigned('bob', bob.key, 'POST', '/api/v1/tokens', body);
  const statuses = (await Promise.all(Array.from({ length: 20 }, () => change(raced)))).map(({ status }) => status);
  expect(statuses.filter((status) => status === 201)).toHaveLength(1);
  expect(statuses.filter((status) => status === 401)).toHaveLength(19);
});

test('a change that was signed before a restart is not accepted after it', async () => {
  await nextSecond();
  const headers = dffmpegSigned('alice', alice.key, 'POST', '/api/v1/tokens', '{"expires_in":60}');
  expect((await change(headers)).status).toBe(201);
  await weir.kill('SIGKILL');
  await weir.start();
  expectRefused(await change(headers));
});

test('dffmpeg §2 #5: only names of this server are answered, and the signed path is the one in the request line', async () => {
  const port = new URL(weir.url).port;
  for (const host of ['evil.example', `evil.example:${port}`, `127.0.0.1.evil.example:${port}`, `127.0.0.1:${port}@evil.example`, 'localhost.evil.example', '', '0.0.0.0', `[::]:${port}`, '2130706433', '127.1', 'x/workers?', `127.0.0.1:${port}/api/v1/library?`]) {
    for (const target of ['/api/v1/permissions', '/healthz', '/', '/no/such/page']) {
      const reply = await ask({ host, ...alice.evidence() }, 'GET', target);
      expect([400, 421], `${host} ${target}`).toContain(reply.status);
      expect(reply.text).not.toContain('alice');
    }
  }
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST.:${port}`, `[::1]:${port}`, `${weir.ready.instance}.localhost:${port}`]) expect((await ask({ host }, 'GET', '/healthz')).status, host).toBe(200);
});

test('X-Forwarded-For is believed from trusted proxies alone, and a principal’s network is held to it', async () => {
  const nets = await weir.principal('nets', 'user', { networks: ['198.51.100.0/24'] });
  // Loopback is a trusted proxy by default.
  expect((await ask({ ...nets.evidence(), 'x-forwarded-for': '198.51.100.7' })).status).toBe(200);
  for (const forwarded of ['198.51.100.7, 203.0.113.9', '203.0.113.9', '::ffff:203.0.113.9']) expectRefused(await ask({ ...nets.evidence(), 'x-forwarded-for': forwarded }));
  expectRefused(await ask({ ...nets.evidence() }));
  expectRefused(await ask({ ...nets.evidence(), 'x-real-ip': '198.51.100.7', forwarded: 'for=198.51.100.7', 'cf-connecting-ip': '198.51.100.7' }));
  for (const forwarded of ['unknown', '198.51.100.7.', `198.51.100.7${', 127.0.0.1'.repeat(40)}`, 'a'.repeat(3_000)]) {
    expect((await ask({ ...nets.evidence(), 'x-forwarded-for': forwarded })).status, forwarded.slice(0, 30)).toBe(400);
  }
  await using closed = await startWeir({ environment: { WEIR_SERVER__TRUSTED_PROXIES: '192.0.2.1' } });
  const local = await closed.principal('local', 'user', { networks: ['198.51.100.0/24'] });
  expectRefused(await send(closed.url, { target: '/api/v1/permissions', headers: { ...local.evidence(), 'x-forwarded-for': '198.51.100.7' }, agent }));
});

test('dffmpeg §2 #14: past a limit comes 429 with what to wait for, and failures never stop a correct proof', async () => {
  await using limited = await startWeir({ limits: 'default' });
  const dora = await limited.principal('dora', 'user');
  const at = (headers: Headers, target = '/api/v1/permissions'): Promise<RawReply> => send(limited.url, { target, headers, agent });
  const failures: number[] = [];
  for (let index = 0; index < 40; index += 1) failures.push((await at(bearer(randomBytes(randomInt(20, 200)).toString('base64url')))).status);
  expect(failures.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 401));
  expect(failures.slice(12).every((status) => status === 429)).toBe(true);
  const refused = await at(bearer('wrong'));
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  const statuses: number[] = [];
  for (let index = 0; index < 130; index += 1) {
    const reply = await at(dora.evidence());
    statuses.push(reply.status);
    expect(Number(reply.headers['ratelimit-limit'])).toBe(100);
    expect(reply.headers).toHaveProperty('ratelimit-remaining');
    expect(reply.headers).toHaveProperty('ratelimit-reset');
    if (reply.status === 429) {
      expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
      expect(JSON.parse(reply.text)).toMatchObject({ error: { code: 'rate.exceeded' } });
    }
  }
  expect(statuses.slice(0, 95).every((status) => status === 200)).toBe(true);
  expect(statuses.at(-1)).toBe(429);
  // One principal's limit is not another's, nor the address's, and health is never limited.
  expect((await at({ cookie: String((await limited.admin()).evidence()['cookie']) })).status).toBe(200);
  expect((await at({}, '/healthz')).status).toBe(200);
});

test('dffmpeg §2 #1: no credential acts as another kind of actor', async () => {
  const [hands, maker] = [await weir.principal('hands', 'worker'), await weir.principal('maker', 'client')];
  const connect = '/api/v1/workers/connect';
  expect(await upgradeStatus(weir.url, connect, dffmpegSigned('hands', hands.key, 'GET', connect))).toBe(101);
  expect(await upgradeStatus(weir.url, connect, dffmpegSigned('maker', maker.key, 'GET', connect))).toBe(403);
  expect(await upgradeStatus(weir.url, connect, dffmpegSigned('hands', maker.key, 'GET', connect))).toBe(401);
  const job = JSON.stringify({ recipe: 'probe', inputs: [{ cid }] });
  const submit = async (name: string, key: string): Promise<number> => (await ask(dffmpegSigned(name, key, 'POST', '/api/v1/jobs', job), 'POST', '/api/v1/jobs', job)).status;
  expect(await submit('hands', hands.key)).toBe(403);
  // The client may submit; the content that it names is not its own.
  expect(await submit('maker', maker.key)).toBe(404);
});

/** Early in a new second: signatures of the last one are others, and the server reads the same second as the test. */
const nextSecond = (): Promise<void> => wait(1_020 - (Date.now() % 1_000));

/** Header values that Node's own client refuses to send say nothing about the server. */
function orRefused(headers: Headers): Headers {
  try {
    for (const [name, value] of Object.entries(headers)) http.validateHeaderValue(name, String(value));
    return headers;
  } catch {
    return bearer('unsendable');
  }
}

function flipped(base64: string, bit: number): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return bytes.toString('base64');
}
