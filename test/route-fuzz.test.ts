/**
 * Every route gets requests that are made from its own schemas, whole, half and wrong, by callers who may everything, something and nothing:
 * none fails in a way that the table of errors does not know, and afterwards the audit is whole and what was stored is there.
 */
import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errors, isErrorCode } from '../packages/contracts/src/errors.ts';
import { actions } from '../packages/security/src/actions.ts';
import { contentDigest } from '../packages/security/src/request-signing/content-digest.ts';
import { parseDffmpegKey } from '../packages/security/src/request-signing/dffmpeg.ts';
import { newNonce, signRequest } from '../packages/security/src/request-signing/http-message.ts';
import { allRoutes } from '../packages/server/src/http-server.ts';
import { scaled, startWeir, type TestWeir } from './support/weir.ts';

type Json = Readonly<Record<string, unknown>>;
type Declared = (typeof allRoutes)[number]['declaration'];

type Caller = (method: string, target: string, body?: string, contentType?: string) => Promise<Record<string, string>>;

let weir: TestWeir;
let callers: readonly (readonly [string, Caller])[];
let keeping: Caller;
/** What is there, by the name of the field that may mean it. */
const known: Record<string, string[]> = {};
const note = (names: readonly string[], ...values: readonly string[]): void => { for (const name of names) (known[name] ??= []).push(...values); };
let kept: Readonly<{ cid: string; bytes: Buffer }>;
beforeAll(async () => {
  weir = await startWeir();
  const [admin, user, victim, keeper] = [await weir.principal('ada', 'admin'), await weir.principal('uma', 'user'), await weir.principal('victim', 'user'), await weir.principal('keeper', 'user')];
  callers = [['admin', signing(admin)], ['user', signing(user)], ['session', await sessions()], ['nobody', () => Promise.resolve({})]];
  keeping = signing(keeper);
  const bytes = randomBytes(3_000_000);
  kept = { cid: await keeper.upload(bytes), bytes };
  const others = await Promise.all(Array.from({ length: 8 }, (_, i) => weir.principal(`other-${i}`, i % 2 === 0 ? 'user' : 'viewer')));
  note(['name', 'principal', 'for', 'user', 'users'], 'victim', 'nobody-at-all', ...others.map((other) => other.name));
  note(['owner'], 'uma', 'victim');
  note(['recipe'], 'probe', 'mp4-h264', 'audio-opus', 'hls-ladder');
  note(['action'], ...Object.keys(actions));
  note(['permission', 'permissions'], 'read_content', 'manage_users', 'share_content');
  note(['role', 'roles'], 'user', 'viewer', 'admin');
  note(['network', 'networks', 'address'], '10.0.0.0/8', '::1', '127.0.0.1', '2001:db8::/32');
  note(['from', 'to', 'until', 'since', 'not_before', 'not_after', 'expires_at', 'starts_at', 'ends_at'], '2026-11-22T00:00:00.000Z', '2030-01-01T00:00:00Z');
  for (const owner of [user, victim]) {
    const cid = await owner.upload(randomBytes(2_000));
    const { grant_id: grant } = await owner.json<{ grant_id: string }>('POST', '/api/v1/grants', { cid });
    const { job_id: job } = await owner.json<{ job_id: string }>('POST', '/api/v1/jobs', { recipe: 'probe', inputs: [{ cid }] });
    const { items } = await owner.json<{ items: { holding: string }[] }>('GET', '/api/v1/library');
    note(['cid', 'cids'], cid, kept.cid);
    note(['id', 'ids', 'job_id', 'grant_id'], grant, job, ...items.map(({ holding }) => holding));
    note(['object'], `content:${cid}`, cid, `job:${job}`, `grant:${grant}`, 'principal:victim');
  }
});

function signing({ name, key }: Readonly<{ name: string; key: string }>): Caller {
  return (method, target, body, contentType) => {
    const given = body === undefined ? {} : { 'content-digest': contentDigest(createHash('sha256').update(body).digest()), ...(contentType === undefined ? {} : { 'content-type': contentType }) };
    const signed = signRequest({ method, target, headers: given }, { id: name, algorithm: 'hmac-sha256', secret: parseDffmpegKey(key) }, { instance: weir.ready.instance, createdSeconds: Math.floor(Date.now() / 1_000), nonce: newNonce() });
    return Promise.resolve({ ...given, ...signed });
  };
}

/** A browser that signs in again when what it did has ended its session. */
async function sessions(): Promise<Caller> {
  await weir.principal('sess', 'operator');
  const opener = signing(await weir.principal('opener', 'admin'));
  let cookie = '';
  return async () => {
    const alive = cookie !== '' && (await fetch(`${weir.url}/auth/sessions`, { headers: { cookie } })).status === 200;
    if (!alive) {
      const target = '/api/v1/principals/sess/sign-in-link';
      const made = await fetch(weir.url + target, { method: 'POST', headers: await opener('POST', target) });
      const { link } = await made.json() as { link: string };
      const reply = await fetch(`${weir.url}/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ secret: link.split('#')[1] }) });
      cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? '';
    }
    return { cookie, origin: weir.url };
  };
}
afterAll(() => weir[Symbol.asyncDispose]());

const odd = fc.constantFrom('', ' ', '\u0000', '\u202e', '\ud83d\ude00', '..', '../../etc/passwd', '%00', '__proto__', 'constructor', 'null', '1e999', 'a'.repeat(300), '*', '[', '${x}', '\'; drop table principal; --');
const anything: fc.Arbitrary<unknown> = fc.oneof(odd, fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 2 ** 53, -0, [], {}, [[]], { a: {} }), fc.jsonValue({ maxDepth: 3 }));

function textOf(schema: Json, name: string): fc.Arbitrary<unknown> {
  const choices: { weight: number; arbitrary: fc.Arbitrary<unknown> }[] = [{ weight: 1, arbitrary: odd }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) }];
  const there = known[name];
  if (there !== undefined) choices.push({ weight: 20, arbitrary: fc.constantFrom(...there) });
  else if (typeof schema['pattern'] === 'string' && !/\(\?|\\p/.test(schema['pattern'])) choices.push({ weight: 10, arbitrary: fc.stringMatching(new RegExp(schema['pattern'])) });
  else if (schema['format'] === 'date-time') choices.push({ weight: 10, arbitrary: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()) });
  else choices.push({ weight: 10, arbitrary: fc.string({ minLength: 1, maxLength: 12 }) });
  return fc.oneof(...choices);
}

function numberOf({ minimum, maximum, type }: Json): fc.Arbitrary<unknown> {
  const [least, most] = [typeof minimum === 'number' ? minimum : -10, typeof maximum === 'number' ? Math.min(maximum, Number.MAX_SAFE_INTEGER) : 1_000_000];
  const inside = type === 'integer' ? fc.integer({ min: Math.max(least, -(2 ** 31)), max: Math.min(most, 2 ** 31 - 1) }) : fc.double({ min: least, max: most, noNaN: true });
  return fc.oneof({ weight: 4, arbitrary: inside }, { weight: 1, arbitrary: fc.constantFrom(least, most, least - 1, most + 1, Number.MAX_SAFE_INTEGER, 1e308) });
}

/** Mostly what the schema takes, as far as it can be said by hand; sometimes anything. */
function valueOf(schema: Json, name = ''): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 40, arbitrary: fittingValue(schema, name) }, { weight: 1, arbitrary: anything });
}

function fittingValue(schema: Json, name: string): fc.Arbitrary<unknown> {
  if ('const' in schema) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...schema['enum'] as unknown[]);
  const several = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(several)) return fc.oneof(...several.map((one) => valueOf(one as Json, name)));
  switch (schema['type']) {
    case 'object': return recordOf(schema);
    case 'array': return fc.array(valueOf((schema['items'] ?? {}) as Json, name), { maxLength: 4 });
    case 'string': return textOf(schema, name);
    case 'integer': case 'number': return numberOf(schema);
    case 'boolean': return fc.boolean();
    case 'null': return fc.constant(null);
    default: return anything;
  }
}

function recordOf(schema: Json): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Json>);
  const required = new Set((schema['required'] ?? []) as string[]);
  const absent = fc.constant(undefined);
  const fields = properties.map(([name, field]) => {
    const weight = required.has(name) ? 40 : 0.4;
    return fc.oneof({ weight: 10, arbitrary: absent }, { weight: Math.round(weight * 10), arbitrary: valueOf(field, name) }).map((value) => [name, value] as const);
  });
  const more = fc.oneof({ weight: 30, arbitrary: absent }, { weight: 1, arbitrary: fc.tuple(odd, anything) });
  return fc.tuple(fc.tuple(...fields), more).map(([given, extra]) => Object.fromEntries([...given.filter(([, value]) => value !== undefined), ...(extra === undefined ? [] : [extra])]));
}

const schemaOf = (schema: Declared['body']): Json => (schema === undefined || schema === 'stream' ? { type: 'object' } : schema.toJSONSchema({ io: 'input', unrepresentable: 'any' }));

type Sent = Readonly<{ method: string; target: string; body: string | undefined; contentType: string }>;

function requestsFor({ method, path, parameters, query, body }: Declared): fc.Arbitrary<Sent> {
  const bodies = body === undefined ? fc.constant(undefined) : body === 'stream' ? fc.string({ unit: 'binary', maxLength: 200 })
    : fc.oneof({ weight: 12, arbitrary: valueOf(schemaOf(body)).map((value) => JSON.stringify(value)) }, { weight: 1, arbitrary: fc.constantFrom('', '{', '[]', '{"a":1,"a":2}', '\ufeff{}', '['.repeat(200)) });
  return fc.record({
    parameters: valueOf(schemaOf(parameters)), query: valueOf(schemaOf(query)), body: bodies, contentType: fc.constantFrom('application/json', 'application/json', 'application/json', 'application/json', 'text/plain', 'multipart/form-data'),
  }).map((made) => {
    const given = typeof made.parameters === 'object' && made.parameters !== null ? made.parameters as Json : {};
    const search = new URLSearchParams(typeof made.query === 'object' && made.query !== null ? Object.entries(made.query as Json).map(([name, value]): [string, string] => [name, plain(value)]) : []);
    return {
      method, target: `${path.replaceAll(/:([a-z_]+)/g, (_, name: string) => encodeURIComponent(plain(given[name] ?? 'x').toWellFormed()))}${search.size === 0 ? '' : `?${search.toString()}`}`,
      body: made.body?.toWellFormed(), contentType: body === 'stream' ? 'application/octet-stream' : made.contentType,
    };
  });
}
const plain = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value) ?? '');

const routes = allRoutes.map(({ declaration }) => ({ declaration, name: `${declaration.method} ${declaration.path}` }));

test.each(routes)('$name answers whatever it is sent', async ({ declaration }) => {
  await fc.assert(fc.asyncProperty(requestsFor(declaration), fc.nat(), async ({ method, target, body, contentType }, which) => {
    const [caller, evidence] = callers[which % callers.length] ?? ['', () => Promise.resolve({})];
    const headers = { ...await evidence(method, target, body, contentType), ...(body === undefined ? {} : { 'content-type': contentType }) };
    const reply = await fetch(weir.url + target, { method, headers, redirect: 'manual', signal: AbortSignal.timeout(20_000), ...(body === undefined ? {} : { body }) });
    if (reply.headers.get('content-type')?.startsWith('text/event-stream') === true) { await reply.body?.cancel(); return; }
    const text = await reply.text();
    expect(reply.status, `${caller}: ${method} ${target} ${body}\n${text}\n${weir.log.slice(-2_000)}`).not.toBe(500);
    if (reply.status < 400) return;
    const { error } = (text === '' && method === 'HEAD' ? { error: { code: 'internal' } } : JSON.parse(text)) as { error: { code: string } };
    expect(isErrorCode(error.code) && (method === 'HEAD' || errors[error.code].status === reply.status), `${reply.status} ${text}`).toBe(true);
  }), { numRuns: scaled(200, 20) });
});

test('the server is as it was: it answers, its audit is whole, and what others stored is there', async () => {
  expect((await weir.anonymous.fetch('/healthz')).status).toBe(200);
  const ask = async (caller: Caller | undefined, method: string, target: string): Promise<Response> => fetch(weir.url + target, { method, headers: await caller?.(method, target) ?? {} });
  expect(await (await ask(callers[0]?.[1], 'POST', '/api/v1/audit/verify')).json()).toMatchObject({ intact: true });
  const reply = await ask(keeping, 'GET', `/api/v1/content/${kept.cid}`);
  expect(Buffer.from(await reply.arrayBuffer()).equals(kept.bytes)).toBe(true);
});
