/** Passkeys and step-up by raw requests: what holds against a client that lies, repeats, or comes without a fresh proof. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Authenticator, bytes, map, number, type Lies } from './support/authenticator.ts';
import { send, type RawReply } from './support/raw-http.ts';
import { makeProofsStale } from './support/stale-proofs.ts';
import { dffmpegSigned, startWeir, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let admin: Client;
let origin: string;
beforeAll(async () => {
  weir = await startWeir();
  admin = await weir.admin();
  origin = `http://localhost:${new URL(weir.url).port}`;
});
afterAll(async () => { await weir?.[Symbol.asyncDispose](); });

type Options = Parameters<Authenticator['assert']>[0];
const jsonType = { 'content-type': 'application/json' };

/** A browser at `localhost`, with the cookies that it was given. */
class Browser {
  cookie = '';

  async ask(method: string, target: string, body?: unknown, headers: Record<string, string> = {}): Promise<RawReply> {
    const reply = await send(weir.url, {
      method, target, headers: { host: new URL(origin).host, origin, ...(this.cookie === '' ? {} : { cookie: this.cookie }), ...(body === undefined ? {} : jsonType), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const given = reply.headers['set-cookie']?.[0]?.split(';')[0];
    if (given !== undefined && reply.status < 300) this.cookie = given;
    return reply;
  }

  async json<T = Options>(method: string, target: string, body?: unknown): Promise<T> {
    const reply = await this.ask(method, target, body);
    if (reply.status >= 300) throw new Error(`${method} ${target}: ${reply.status} ${reply.text}`);
    return (reply.text === '' ? undefined : JSON.parse(reply.text)) as T;
  }

  get sessionId(): string { return this.cookie.split('=')[1]?.split('.')[0] ?? ''; }
}

const codeOf = ({ status, text }: RawReply): string => `${status} ${(JSON.parse(text) as { error: { code: string } }).error.code}`;
const linkFor = async (name: string): Promise<string> => (await admin.json<{ link: string }>('POST', `/api/v1/principals/${name}/sign-in-link`)).link.split('#')[1] ?? '';

let people = 0;
/** A new principal, signed in by a link. */
async function signedIn(role = 'user'): Promise<Browser & { name: string }> {
  const name = `person-${people += 1}`;
  await admin.json('POST', '/api/v1/principals', { principal: name, role });
  const browser = new Browser();
  await browser.json('POST', '/auth/login', { secret: await linkFor(name) });
  return Object.assign(browser, { name });
}

async function addPasskey(browser: Browser, authenticator: Authenticator, name = 'Phone'): Promise<string> {
  const registration = authenticator.register(await browser.json('POST', '/auth/passkeys/challenge'));
  return (await browser.json<{ passkey_id: string }>('POST', '/auth/passkeys', { name, registration })).passkey_id;
}

async function withPasskey(role = 'user'): Promise<{ person: Browser & { name: string }; authenticator: Authenticator; id: string }> {
  const person = await signedIn(role);
  const authenticator = new Authenticator(origin);
  return { person, authenticator, id: await addPasskey(person, authenticator) };
}

test('a passkey signs in without a name, and its session is new', async () => {
  const { person, authenticator } = await withPasskey();
  const visitor = new Browser();
  const options = await visitor.json<Options & { allowCredentials: unknown[]; userVerification: string }>('POST', '/auth/passkey/challenge');
  expect(options).toMatchObject({ allowCredentials: [], userVerification: 'required', rpId: 'localhost' });
  expect(await visitor.json('POST', '/auth/passkey', authenticator.assert(options))).toMatchObject({ principal: person.name, role: 'user' });
  expect(visitor.sessionId).not.toBe(person.sessionId);
  const { items } = await visitor.json<{ items: { method: string; current: boolean }[] }>('GET', '/auth/sessions');
  expect(items.map(({ method, current }) => [method, current])).toEqual([['passkey', true], ['link', false]]);
});

test('a session id from before a sign-in is never kept: the old one ends', async () => {
  const { person, authenticator } = await withPasskey();
  const before = person.cookie;
  await person.json('POST', '/auth/passkey', authenticator.assert(await person.json('POST', '/auth/passkey/challenge')));
  expect(person.cookie).not.toBe(before);
  const thief = new Browser();
  thief.cookie = before;
  expect((await thief.ask('GET', '/auth/sessions')).status).toBe(401);
  // One that the server never made is not taken either.
  const fixed = new Browser();
  fixed.cookie = 'weir=01J00000000000000000000000.fixed';
  expect(codeOf(await fixed.ask('POST', '/auth/login', { secret: await linkFor(person.name) }))).toBe('401 identity.required');
});

const lies: readonly (readonly [string, Lies])[] = [
  ['of another origin', { origin: 'https://evil.example' }], ['of another port', { origin: 'http://localhost:1' }], ['for another host', { rpId: 'evil.example' }],
  ['without user verification', { flags: 0x01 }], ['without anybody present', { flags: 0x00 }], ['of another type', { type: 'webauthn.create' }],
  ['with a challenge of its own', { challenge: Buffer.alloc(32, 7).toString('base64url') }], ['of another user', { userHandle: Buffer.alloc(32, 1).toString('base64url') }],
  ['of a copied authenticator, whose counter is behind', { counter: 1 }], ['whose counter stands still', { counter: 11 }],
  ['that names nobody', { userHandle: undefined }], ['made in a frame', { crossOrigin: true }], ['made in a frame of another page', { crossOrigin: true, topOrigin: 'https://evil.example' }],
  ['of a page above without a frame', { topOrigin: 'https://evil.example' }], ['whose frame is no truth value', { crossOrigin: 'false' }],
  ['of a host below', { rpId: 'a.localhost' }], ['for the same host with a final dot', { rpId: 'localhost.' }], ['for a host in capitals', { rpId: 'LOCALHOST' }],
  ...['http://localhost', 'https://localhost', 'null', '', 'http://localhost:', 'HTTP://LOCALHOST', 'http://localhost.evil.example', 'http://evil.example/localhost', 'android:apk-key-hash:x'].map((of): [string, Lies] => [`of the origin "${of}"`, { origin: of }]),
  ['that is backed up and can not be', { flags: 0x15 }], ['that announces extensions and has none', { flags: 0x85 }], ['that announces a key and has none', { flags: 0x45 }],
  ['with bytes behind its data', { data: (data) => Buffer.concat([data, Buffer.alloc(1)]) }], ['with data cut off', { data: (data) => data.subarray(0, 36) }], ['without data', { data: () => Buffer.alloc(37) }],
  ['whose signature is all zeros (ECDSA r = s = 0)', { signature: () => Buffer.from('3006020100020100', 'hex') }], ['whose signature is cut off', { signature: (made) => made.subarray(0, -1) }],
  ['whose signature has another last byte', { signature: (made) => Buffer.concat([made.subarray(0, -1), Buffer.from([(made.at(-1) ?? 0) ^ 1])]) }], ['whose signature is no pair of numbers', { signature: () => Buffer.alloc(64, 1) }],
];
test.each(lies)('an assertion %s is refused', async (_, lie) => {
  const { authenticator } = await withPasskey();
  const visitor = new Browser();
  authenticator.counter = 10;
  await visitor.json('POST', '/auth/passkey', authenticator.assert(await visitor.json('POST', '/auth/passkey/challenge')));
  const stranger = new Browser();
  expect(codeOf(await stranger.ask('POST', '/auth/passkey', authenticator.assert(await stranger.json('POST', '/auth/passkey/challenge'), lie)))).toBe('401 identity.required');
  expect(stranger.cookie).toBe('');
});

test('an assertion works once, also when it was refused the first time, and for what it was asked for', async () => {
  const { person, authenticator } = await withPasskey();
  const visitor = new Browser();
  const assertion = authenticator.assert(await visitor.json('POST', '/auth/passkey/challenge'));
  await visitor.json('POST', '/auth/passkey', assertion);
  expect((await new Browser().ask('POST', '/auth/passkey', assertion)).status).toBe(401);
  const spoilt = await visitor.json('POST', '/auth/passkey/challenge');
  expect((await visitor.ask('POST', '/auth/passkey', authenticator.assert(spoilt, { origin: 'https://evil.example' }))).status).toBe(401);
  expect((await visitor.ask('POST', '/auth/passkey', authenticator.assert(spoilt))).status).toBe(401);
  expect((await visitor.ask('POST', '/auth/passkey', authenticator.assert(await person.json('POST', '/auth/step-up/challenge')))).status).toBe(401);
});

test('of many concurrent uses of one assertion one succeeds', async () => {
  const { authenticator } = await withPasskey();
  const assertion = authenticator.assert(await new Browser().json('POST', '/auth/passkey/challenge'));
  const statuses = await Promise.all(Array.from({ length: 12 }, async () => (await new Browser().ask('POST', '/auth/passkey', assertion)).status));
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
});

test('a registration is refused from another origin, without verification, for somebody else, and twice', async () => {
  const person = await signedIn();
  const other = await signedIn();
  const tryIt = async (lie: Lies, from: Browser = person): Promise<number> => {
    const registration = new Authenticator(origin).register(await from.json('POST', '/auth/passkeys/challenge'), lie);
    return (await person.ask('POST', '/auth/passkeys', { name: 'Phone', registration })).status;
  };
  expect([await tryIt({ origin: 'https://evil.example' }), await tryIt({ rpId: 'evil.example' }), await tryIt({ flags: 0x01 }), await tryIt({}, other)]).toEqual([400, 400, 400, 400]);
  const registration = new Authenticator(origin).register(await person.json('POST', '/auth/passkeys/challenge'));
  const make = { name: 'Phone', registration };
  expect([(await person.ask('POST', '/auth/passkeys', make)).status, (await person.ask('POST', '/auth/passkeys', make)).status]).toEqual([201, 400]);
});

const p256 = (): Record<string, string> => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) as Record<string, string>;
const half = (text = ''): Buffer => bytes(Buffer.from(text, 'base64url'));
const ec2 = ({ x, y } = p256(), algorithm = -7, curve = 1, kind = 2): Buffer => map([[1, number(kind)], [3, number(algorithm)], [-1, number(curve)], [-2, half(x)], [-3, half(y)]]);
const okp = (x = String(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x), algorithm = -8, curve = 6, kind = 1): Buffer => map([[1, number(kind)], [3, number(algorithm)], [-1, number(curve)], [-2, half(x)]]);
const rsa = (modulusLength: number, publicExponent: number, algorithm = -257): Buffer => {
  const { n, e } = generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey.export({ format: 'jwk' });
  return map([[1, number(3)], [3, number(algorithm)], [-1, half(n)], [-2, half(e)]]);
};
const exponentOne = map([[1, number(3)], [3, number(-257)], [-1, bytes(Buffer.alloc(256, 0xc1))], [-2, bytes(Buffer.from([1]))]]);
const selfSigned = (more: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from([0xa0 + 2 + more.length]), Buffer.from('63616c6726', 'hex'), Buffer.from('63736967', 'hex'), bytes(Buffer.alloc(70, 1)), ...more]);
const certificates = Buffer.concat([Buffer.from('63783563', 'hex'), Buffer.from([0x81]), bytes(Buffer.alloc(300, 0x30))]);

test.each<[string, () => Lies]>([['an Ed25519 key', () => ({ cose: okp() })], ['an RSA key of 2048 bits', () => ({ cose: rsa(2_048, 65_537) })], ['a key that may be backed up', () => ({ flags: 0x1d })]])('WebAuthn §7.1: a registration of %s is taken', async (_, lie) => {
  const person = await signedIn();
  const registration = new Authenticator(origin).register(await person.json('POST', '/auth/passkeys/challenge'), lie());
  expect((await person.ask('POST', '/auth/passkeys', { name: 'Phone', registration })).status).toBe(201);
});

test.each<[string, () => Lies]>([
  ['made in a frame', () => ({ crossOrigin: true })], ['under another page', () => ({ crossOrigin: true, topOrigin: 'https://evil.example' })], ['of another type', () => ({ type: 'webauthn.get' })],
  ['under another credential id', () => ({ id: Buffer.alloc(32, 9).toString('base64url') })], ['that is backed up and can not be', () => ({ flags: 0x15 })], ['that announces extensions and has none', () => ({ flags: 0x85 })],
  ...['packed', 'fido-u2f', 'tpm', 'apple', 'android-key', 'android-safetynet', 'compound', '', 'NONE'].map((format): [string, () => Lies] => [`of the format "${format}" without a statement`, () => ({ format })]),
  ['that brings certificates', () => ({ format: 'packed', statement: selfSigned([certificates]) })], ['signed by nobody', () => ({ format: 'packed', statement: selfSigned([]) })], ['without attestation, with a statement', () => ({ statement: selfSigned([]) })],
  ['of ES256 on P-384', () => ({ cose: ec2(p256(), -7, 2) })], ['of ES256 on secp256k1', () => ({ cose: ec2(p256(), -7, 8) })], ['of ES256 with an Ed25519 key', () => ({ cose: okp(undefined, -7) })], ['of EdDSA with a P-256 key', () => ({ cose: ec2(p256(), -8) })],
  ['of EdDSA on X25519', () => ({ cose: okp(undefined, -8, 4) })], ['of an algorithm that was not asked for (ES512)', () => ({ cose: ec2(p256(), -36) })], ['of SHA-1 (RS1)', () => ({ cose: rsa(2_048, 65_537, -65_535) })],
  ['of a point that is not on the curve', () => ({ cose: ec2({ x: Buffer.alloc(32, 1).toString('base64url'), y: Buffer.alloc(32, 1).toString('base64url') }) })], ['of half a point', () => ({ cose: ec2({ ...p256(), y: '' }) })],
  ['of a short Ed25519 key', () => ({ cose: okp(Buffer.alloc(31, 1).toString('base64url')) })], ['of RSA with 1024 bits', () => ({ cose: rsa(1_024, 65_537) })], ['of RSA with the exponent 3', () => ({ cose: rsa(2_048, 3) })], ['of RSA with the exponent 1', () => ({ cose: exponentOne })],
  ['with a member of its key twice', () => ({ cose: map([[1, number(2)], [3, number(-7)], [-1, number(1)], [-2, half(p256()['x'])], [-2, half(p256()['x'])]]) })], ['with an empty key', () => ({ cose: map([]) })], ['with a list for a key', () => ({ cose: Buffer.from([0x80]) })],
  ['with bytes behind its data', () => ({ data: (data) => Buffer.concat([data, Buffer.alloc(3)]) })], ['with bytes behind its object', () => ({ object: (object) => Buffer.concat([object, Buffer.alloc(3)]) })], ['cut off', () => ({ object: (object) => object.subarray(0, -1) })],
  ['with a length beyond all memory', () => ({ object: () => Buffer.from('5bffffffffffffffff', 'hex') })], ['with a map of endless members', () => ({ object: () => Buffer.from('bbffffffffffffffff', 'hex') })], ['nested without end', () => ({ object: () => Buffer.alloc(20_000, 0x81) })],
  ['of indefinite length', () => ({ object: (object) => Buffer.concat([Buffer.from([0xbf]), object.subarray(1), Buffer.from([0xff])]) })], ['that is no map', () => ({ object: () => Buffer.from('80', 'hex') })], ['with a credential id that is longer than its data', () => ({ data: (data) => Buffer.concat([data.subarray(0, 53), Buffer.from([0xff, 0xff]), data.subarray(55)]) })],
])('WebAuthn §7.1: a registration %s is refused', async (_, lie) => {
  const person = await signedIn();
  const registration = new Authenticator(origin).register(await person.json('POST', '/auth/passkeys/challenge'), lie());
  expect(codeOf(await person.ask('POST', '/auth/passkeys', { name: 'Phone', registration }))).toBe('400 request.invalid');
});

test('a principal has at most twenty passkeys', async () => {
  const person = await signedIn();
  for (let index = 0; index < 20; index += 1) await addPasskey(person, new Authenticator(origin));
  await expect(addPasskey(person, new Authenticator(origin))).rejects.toThrow('20 passkeys');
});

test('a page at an address has no passkeys, and says how to have them', async () => {
  const { text } = await send(weir.url, { target: '/auth/methods' });
  expect(JSON.parse(text)).toEqual({ passkeys: false, providers: [] });
  const reply = await send(weir.url, { method: 'POST', target: '/auth/passkey/challenge' });
  expect([reply.status, reply.text]).toEqual([409, expect.stringContaining('localhost')]);
});

test('the last way to sign in goes only when that is meant, and a removed passkey signs nobody in', async () => {
  const { person, authenticator, id } = await withPasskey();
  const second = await addPasskey(person, new Authenticator(origin), 'Key');
  expect(await person.json('PATCH', `/auth/passkeys/${second}`, { name: ' Blue key ' })).toMatchObject({ name: 'Blue key' });
  expect((await person.ask('DELETE', `/auth/passkeys/${second}`)).status).toBe(204);
  expect(codeOf(await person.ask('DELETE', `/auth/passkeys/${id}`))).toBe('409 sign_in.last_way');
  expect((await person.ask('DELETE', `/auth/passkeys/${id}?last=true`)).status).toBe(204);
  const visitor = new Browser();
  expect((await visitor.ask('POST', '/auth/passkey', authenticator.assert(await visitor.json('POST', '/auth/passkey/challenge')))).status).toBe(401);
});

test('a passkey of a disabled or deleted principal signs nobody in, nor does it pass to whoever gets the name', async () => {
  const { person, authenticator } = await withPasskey();
  const attempt = async (): Promise<number> => {
    const visitor = new Browser();
    return (await visitor.ask('POST', '/auth/passkey', authenticator.assert(await visitor.json('POST', '/auth/passkey/challenge')))).status;
  };
  await admin.json('PATCH', `/api/v1/principals/${person.name}`, { disabled: true });
  expect(await attempt()).toBe(401);
  await admin.json('DELETE', `/api/v1/principals/${person.name}`);
  await admin.json('POST', '/api/v1/principals', { principal: person.name, role: 'admin' });
  expect(await attempt()).toBe(401);
});

test('failed passkeys count against the limit on failures', async () => {
  await using limited = await startWeir({ limits: 'default' });
  const host = `localhost:${new URL(limited.url).port}`;
  const authenticator = new Authenticator(`http://${host}`);
  const statuses: number[] = [];
  for (let index = 0; index < 12; index += 1) {
    const body = JSON.stringify(authenticator.assert({ challenge: 'A'.repeat(43), rpId: 'localhost' }, { userHandle: 'AA' }));
    statuses.push((await send(limited.url, { method: 'POST', target: '/auth/passkey', headers: { host, origin: `http://${host}`, ...jsonType }, body })).status);
  }
  expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 401));
  expect(statuses.at(-1)).toBe(429);
});

test('what needs a fresh proof is refused to an old session, and done after a step-up by passkey or link', async () => {
  const { person, authenticator } = await withPasskey('admin');
  const name = `raised-${people += 1}`;
  await person.json('POST', '/api/v1/principals', { principal: name, role: 'viewer' });
  const calls = [
    () => person.ask('POST', `/api/v1/principals/${name}/key`, {}), () => person.ask('PATCH', `/api/v1/principals/${name}`, { role: 'admin' }),
    () => person.ask('PATCH', `/api/v1/principals/${name}`, { disabled: false, networks: ['10.0.0.0/8'] }), () => person.ask('POST', `/api/v1/principals/${name}/sign-in-link`),
    () => person.ask('POST', '/api/v1/tokens', { principal: name }), () => person.ask('POST', '/auth/passkeys/challenge'), () => person.ask('POST', '/api/v1/principals', { principal: 'new', role: 'user' }),
  ];
  await makeProofsStale(weir.dataPath, person.name);
  for (const call of calls) expect(codeOf(await call())).toBe('403 step_up.required');
  // What takes rights away, or is the caller's own, needs none.
  expect((await person.ask('PATCH', `/api/v1/principals/${name}`, { disabled: true })).status).toBe(200);
  expect((await person.ask('GET', '/auth/passkeys')).status).toBe(200);
  expect((await person.ask('POST', '/auth/step-up', { method: 'passkey', assertion: authenticator.assert(await person.json('POST', '/auth/step-up/challenge')) })).status).toBe(204);
  expect((await calls[0]?.())?.status).toBe(201);
  await makeProofsStale(weir.dataPath, person.name);
  expect((await calls[0]?.())?.status).toBe(403);
  expect((await person.ask('POST', '/auth/step-up', { method: 'link', secret: await linkFor(person.name) })).status).toBe(204);
  expect((await calls[1]?.())?.status).toBe(200);
});

test('a session is not stepped up by a link or passkey of another, nor by one that was asked for by another session', async () => {
  const { person, authenticator } = await withPasskey('admin');
  const { person: other, authenticator: foreign } = await withPasskey('admin');
  await makeProofsStale(weir.dataPath, person.name);
  const prove = async (proof: unknown): Promise<string> => codeOf(await person.ask('POST', '/auth/step-up', proof));
  expect(await prove({ method: 'link', secret: await linkFor(other.name) })).toBe('403 step_up.required');
  expect(await prove({ method: 'passkey', assertion: foreign.assert(await person.json('POST', '/auth/step-up/challenge')) })).toBe('403 step_up.required');
  expect(await prove({ method: 'passkey', assertion: authenticator.assert(await other.json('POST', '/auth/step-up/challenge')) })).toBe('403 step_up.required');
  expect(await prove({ method: 'passkey', assertion: authenticator.assert(await person.json('POST', '/auth/passkey/challenge')) })).toBe('403 step_up.required');
  expect(codeOf(await person.ask('POST', `/api/v1/principals/${other.name}/key`, {}))).toBe('403 step_up.required');
});

test('a token proves nothing, and a request signature proves by itself', async () => {
  const holder = await weir.principal('signer', 'admin');
  const body = JSON.stringify({ overlap_seconds: 60 });
  const call = (headers: Record<string, string>) => send(weir.url, { method: 'POST', target: '/api/v1/principals/signer/key', headers: { ...headers, ...jsonType }, body });
  expect(codeOf(await call(holder.evidence()))).toBe('403 step_up.required');
  expect(codeOf(await send(weir.url, { method: 'POST', target: '/auth/step-up', headers: { ...holder.evidence(), ...jsonType }, body: JSON.stringify({ method: 'link', secret: await linkFor('signer') }) }))).toBe('403 step_up.required');
  expect((await call(dffmpegSigned('signer', holder.key, 'POST', '/api/v1/principals/signer/key', body))).status).toBe(201);
});

test('signing out everywhere ends every session and token; ending the others keeps this one', async () => {
  const person = await signedIn();
  const second = new Browser();
  await second.json('POST', '/auth/login', { secret: await linkFor(person.name) });
  const { token } = await second.json<{ token: string }>('POST', '/api/v1/tokens', {});
  const third = new Browser();
  await third.json('POST', '/auth/login', { secret: await linkFor(person.name) });
  await person.json('POST', '/auth/sessions/end-others');
  expect([(await person.ask('GET', '/auth/sessions')).status, (await second.ask('GET', '/auth/sessions')).status, (await third.ask('GET', '/auth/sessions')).status]).toEqual([200, 401, 401]);
  const bearer = { authorization: `Bearer ${token}` };
  expect((await new Browser().ask('GET', '/auth/sessions', undefined, bearer)).status).toBe(401);
  const kept = await person.json<{ token: string }>('POST', '/api/v1/tokens', {});
  await person.json('POST', '/auth/logout-everywhere');
  expect((await new Browser().ask('GET', '/auth/sessions', undefined, { authorization: `Bearer ${kept.token}` })).status).toBe(401);
  expect(person.cookie).toBe('weir=');
});
