/** Bad evidence of every kind and in every mixture gets one and the same refusal: nothing in it says what was wrong, and nothing breaks. */
import { createSecretKey, hash, randomBytes } from 'node:crypto';
import http from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDffmpegKey } from '../packages/security/src/request-signing/dffmpeg.ts';
import { newNonce, signRequest } from '../packages/security/src/request-signing/http-message.ts';
import { goodClaims, signedToken, signingKeyOf, type Signer } from './support/forged-tokens.ts';
import { send, type RawReply } from './support/raw-http.ts';
import { dffmpegSigned, scaled, startWeir, type Client, type TestWeir } from './support/weir.ts';

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
let weir: TestWeir;
let alice: Client & { key: string };
let bob: Client & { key: string };
let cookie: string;
let grant: string;
let signer: Signer;
let cid: string;

beforeAll(async () => {
  weir = await startWeir();
  cookie = String((await weir.admin()).evidence()['cookie']);
  [alice, bob] = [await weir.principal('alice', 'user'), await weir.principal('bob', 'user')];
  cid = await alice.upload(Buffer.from('hello'));
  grant = (await alice.json<{ token: string }>('POST', '/api/v1/grants', { cid })).token;
  signer = await signingKeyOf(weir);
});
afterAll(async () => {
  agent.destroy();
  await weir[Symbol.asyncDispose]();
});

type Headers = Record<string, string | string[]>;
type Request = Readonly<{ method: string; path: string; body: string }>;
/** What is added to a request to prove something, made for that very request. */
type Evidence = (request: Request) => Readonly<{ headers?: Headers; query?: string }>;

const requests: readonly (() => Request)[] = [
  () => ({ method: 'GET', path: '/api/v1/permissions', body: '' }), () => ({ method: 'GET', path: '/api/v1/library', body: '' }),
  () => ({ method: 'GET', path: `/api/v1/content/${cid}`, body: '' }), () => ({ method: 'POST', path: '/api/v1/tokens', body: '{"expires_in":60}' }),
  () => ({ method: 'DELETE', path: `/api/v1/content/${cid}`, body: '' }), () => ({ method: 'PUT', path: `/api/v1/policies/${cid}`, body: '{"level":"public"}' }),
  () => ({ method: 'POST', path: '/api/v1/content?filename=x', body: 'bytes' }),
];

const visible = (most: number): fc.Arbitrary<string> => fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: most });
/** One character changed, doubled or left out, or something at one end. */
const broken = fc.tuple(fc.nat(10_000), fc.constantFrom('', 'A', '.', '=', '"', ';', ':', '~', '0'), fc.constantFrom('replace', 'insert')).map(([at, by, how]) => (text: string): string => {
  const place = at % Math.max(1, text.length);
  const changed = text.slice(0, place) + by + text.slice(how === 'replace' ? place + 1 : place);
  return changed === text ? `${text}x` : changed;
});
const stranger = createSecretKey(randomBytes(32));

function messageSigned(request: Request, more: { key?: string; name?: string; tag?: string; target?: string; method?: string } = {}): { headers: Record<string, string> } {
  const digest: Record<string, string> = request.body === '' ? {} : { 'content-digest': `sha-256=:${hash('sha256', request.body, 'base64')}:`, 'content-length': String(request.body.length) };
  const type = request.body === '' ? {} : { 'content-type': 'application/json' };
  const secret = more.key === undefined ? stranger : parseDffmpegKey(more.key);
  const signed = signRequest({ method: more.method ?? request.method, target: more.target ?? request.path, headers: { ...digest, ...type } }, { id: more.name ?? 'alice', algorithm: 'hmac-sha256', secret },
    { instance: more.tag ?? weir.ready.instance, createdSeconds: Math.floor(Date.now() / 1_000), nonce: newNonce() });
  return { headers: { ...signed, ...(digest['content-digest'] === undefined ? {} : { 'content-digest': digest['content-digest'] }) } };
}

/** Good ones are only used in mixtures that disagree. */
const good = {
  dffmpeg: (who: 'alice' | 'bob'): Evidence => ({ method, path, body }) => ({ headers: dffmpegSigned(who, who === 'alice' ? alice.key : bob.key, method, path.split('?')[0] ?? '', body) }),
  message: (who: 'alice' | 'bob'): Evidence => (request) => messageSigned(request, { name: who, key: who === 'alice' ? alice.key : bob.key }),
  bearer: (who: 'alice' | 'bob'): Evidence => () => ({ headers: (who === 'alice' ? alice : bob).evidence() }),
  cookie: (): Evidence => () => ({ headers: { cookie, origin: weir.url } }),
};

const badDffmpeg: fc.Arbitrary<Evidence> = fc.tuple(fc.constantFrom('x-dffmpeg-client-id', 'x-dffmpeg-timestamp', 'x-dffmpeg-signature'), fc.oneof(broken.map((change) => ({ change })), visible(80).map((text) => ({ change: () => text })), fc.constant({ change: undefined })))
  .map(([name, { change }]) => (request) => {
    const { [name]: value = '', ...rest } = dffmpegSigned('alice', alice.key, request.method, request.path.split('?')[0] ?? '', request.body);
    if (change === undefined) return { headers: rest };
    const changed = change(value);
    // A right signature at another time is told so; here it has to be wrong.
    return { headers: { ...rest, [name]: changed === value || name === 'x-dffmpeg-client-id' && changed === 'alice' ? 'x' : changed } };
  });

const badMessage: fc.Arbitrary<Evidence> = fc.oneof(
  fc.tuple(fc.constantFrom('signature', 'signature-input'), broken).map(([name, change]): Evidence => (request) => {
    const { headers } = messageSigned(request, { key: alice.key });
    return { headers: { ...headers, [name]: change(headers[name] ?? '') } };
  }),
  fc.constantFrom('signature', 'signature-input').map((name): Evidence => (request) => {
    const { [name]: _gone, ...headers } = messageSigned(request, { key: alice.key }).headers;
    return { headers };
  }),
  fc.constantFrom<Parameters<typeof messageSigned>[1]>({}, { name: 'bob' }, { name: 'nobody' }, { name: 'ALICE' }, { tag: 'weir-other' }, { target: '/api/v1/principals' }, { method: 'PATCH' })
    .map((more): Evidence => (request) => messageSigned(request, { ...(more?.tag !== undefined || more?.target !== undefined || more?.method !== undefined ? { key: alice.key } : {}), ...more })),
  fc.constantFrom('signature', 'signature-input').map((name): Evidence => (request) => {
    const { headers } = messageSigned(request, { key: alice.key });
    return { headers: { ...headers, [name]: [headers[name] ?? '', headers[name] ?? ''] } };
  }),
  fc.tuple(visible(200), visible(200)).map(([input, signature]): Evidence => () => ({ headers: { 'signature-input': input, signature } })),
);

const badBearer: fc.Arbitrary<Evidence> = fc.oneof(
  broken.map((change): Evidence => () => ({ headers: { authorization: `Bearer ${change(signedToken(signer, JSON.stringify(goodClaims(signer, 'alice'))))}` } })),
  fc.constantFrom<Record<string, unknown>>({ sub: 'nobody' }, { aud: 'weir:x' }, { iss: 'weir:x' }, { exp: 1 }, { role: 'no-such' }, { extra: 1 }, { jti: '' }, { sub: null })
    .map((more): Evidence => () => ({ headers: { authorization: `Bearer ${signedToken(signer, JSON.stringify({ ...goodClaims(signer, 'alice'), ...more }))}` } })),
  visible(300).map((text): Evidence => () => ({ headers: { authorization: `Bearer ${text}` } })),
  visible(60).filter((text) => !/^bearer /i.test(text)).map((text): Evidence => () => ({ headers: { authorization: text } })),
  fc.constant<Evidence>(() => ({ headers: { authorization: [String(alice.evidence()['authorization']), String(bob.evidence()['authorization'])] } })),
  fc.constant<Evidence>(() => ({ headers: { authorization: `Bearer ${grant}` } })),
  fc.constant<Evidence>(() => ({ headers: { authorization: `Bearer ${cookie.slice(5)}` } })),
);

const badCookie: fc.Arbitrary<Evidence> = fc.oneof(
  broken.map((change): Evidence => () => ({ headers: { cookie: `weir=${change(cookie.slice(5)).replaceAll(/[;,"\s]/g, '_')}`, origin: weir.url } })),
  visible(80).map((text): Evidence => () => ({ headers: { cookie: `weir=${text.replaceAll(/[;,"\\]/g, '_')}`, origin: weir.url } })),
  fc.constant<Evidence>(() => ({ headers: { cookie: `${cookie}; ${cookie}`, origin: weir.url } })),
);

const badGrant: fc.Arbitrary<Evidence> = fc.oneof(
  broken.map((change): Evidence => () => ({ query: `grant=${encodeURIComponent(change(grant))}` })),
  visible(120).map((text): Evidence => () => ({ query: `grant=${encodeURIComponent(text)}` })),
  fc.constant<Evidence>(() => ({ query: `grant=${grant}&grant=${grant}` })),
  fc.constant<Evidence>(() => ({ query: `grant=${String(alice.evidence()['authorization']).slice(7)}` })),
);

const badTicket: fc.Arbitrary<Evidence> = fc.oneof(
  visible(120).map((text): Evidence => () => ({ query: `ticket=${encodeURIComponent(text)}` })),
  fc.constant<Evidence>(() => ({ query: `ticket=${grant}` })), fc.constant<Evidence>(() => ({ query: 'ticket=a&ticket=a' })),
  fc.constant<Evidence>(() => ({ query: `ticket=${String(alice.evidence()['authorization']).slice(7)}` })),
);

const bad = fc.oneof(badDffmpeg, badMessage, badBearer, badCookie, badGrant, badTicket);
/** Each is good for somebody, and together they name two. */
const disagreeing: fc.Arbitrary<readonly Evidence[]> = fc.constantFrom<readonly (() => Evidence)[]>(
  [() => good.dffmpeg('alice'), () => good.bearer('bob')], [() => good.message('alice'), () => good.bearer('bob')], [() => good.dffmpeg('alice'), () => good.message('bob')],
  [() => good.bearer('alice'), () => good.cookie()], [() => good.message('bob'), () => good.cookie()], [() => good.dffmpeg('bob'), () => good.cookie()],
).map((pair) => pair.map((make) => make()));
const goodOnes: fc.Arbitrary<Evidence> = fc.constantFrom(() => good.dffmpeg('alice'), () => good.message('alice'), () => good.bearer('alice'), () => good.cookie()).map((make) => make());
/** Names that would be evidence elsewhere; they make nothing better. */
const noise: fc.Arbitrary<Evidence> = fc.constantFrom<Evidence>(
  () => ({ headers: { 'x-weir-role': 'admin', 'x-role': 'admin', 'x-weir-user': 'alice' } }), () => ({ headers: { 'proxy-authorization': 'Bearer x', 'x-api-key': 'x' } }),
  () => ({ query: 'token=x&ticket=y&access_token=z' }), () => ({ headers: { forwarded: 'for=127.0.0.1', 'x-real-ip': '127.0.0.1' } }), () => ({}),
);
const refused: fc.Arbitrary<readonly Evidence[]> = fc.oneof(
  { weight: 6, arbitrary: bad.map((one) => [one]) }, { weight: 3, arbitrary: fc.array(bad, { minLength: 2, maxLength: 4 }) },
  { weight: 1, arbitrary: disagreeing }, { weight: 2, arbitrary: fc.tuple(goodOnes, bad).map((pair) => [...pair]) },
);

/** Headers of one kind of evidence belong together. */
const kindOf = (name: string): string => (name.startsWith('x-dffmpeg-') ? 'dffmpeg' : name.startsWith('signature') || name === 'content-digest' ? 'message' : name);

/** One request with all of it. A later one takes the whole place of an earlier one of its kind, so that no two make a good one together. */
function build(request: Request, evidence: readonly Evidence[]): { target: string; headers: Headers } {
  const queries = evidence.flatMap((one) => one(request).query ?? []);
  const target = queries.length === 0 ? request.path : `${request.path}${request.path.includes('?') ? '&' : '?'}${queries.join('&')}`;
  // A message signature covers the query, so it is made for the target as it will be.
  let headers: Headers = {};
  for (const one of evidence) {
    const added = one({ ...request, path: target }).headers ?? {};
    const kinds = new Set(Object.keys(added).map(kindOf));
    headers = { ...Object.fromEntries(Object.entries(headers).filter(([name]) => !kinds.has(kindOf(name)))), ...added };
  }
  return { target, headers: request.body === '' ? headers : { 'content-type': 'application/json', ...headers } };
}

const isSendable = (headers: Headers): boolean => {
  try {
    for (const [name, value] of Object.entries(headers)) for (const each of [value].flat()) http.validateHeaderValue(name, each);
    return true;
  } catch {
    return false;
  }
};

/** Without what differs by design: ids, dates, and whether a body was left unread. */
function shown({ status, headers, text }: RawReply): unknown {
  const { date: _date, 'x-request-id': _id, 'content-length': _length, connection: _connection, 'keep-alive': _keepAlive, ...rest } = headers;
  return { status, headers: rest, body: text.replace(/"request_id":"[^"]+"/, '"request_id":""') };
}

test('dffmpeg §2 #7, #11: bad evidence, generated in thousands, is one refusal, never an error, and changes nothing', async () => {
  const reference = shown(await send(weir.url, { target: '/api/v1/permissions', headers: { authorization: 'Bearer x' }, agent }));
  expect(reference).toMatchObject({ status: 401 });
  let sent = 0;
  await fc.assert(fc.asyncProperty(fc.constantFrom(...requests), refused, noise, async (make, evidence, more) => {
    const request = make();
    const { target, headers } = build(request, [...evidence, more]);
    if (!isSendable(headers)) return;
    sent += 1;
    const reply = await send(weir.url, { method: request.method, target, headers, agent, ...(request.body === '' ? {} : { body: request.body }) });
    expect(shown(reply), JSON.stringify({ ...request, target, headers })).toEqual(reference);
  }), { numRuns: scaled(5_000, 300), interruptAfterTimeLimit: 100_000 });
  console.log(`${sent} refusals, all alike`);
  expect(sent).toBeGreaterThan(100);
  // Nothing came of any of it: the content is there, its policy is not public, the proofs are good still.
  expect((await weir.anonymous.get(cid)).status).toBe(404);
  expect(await (await alice.get(cid)).text()).toBe('hello');
  expect(weir.log).not.toContain('a request failed');
}, 120_000);
