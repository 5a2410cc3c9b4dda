/**
 * What the checks of the hot paths cost beside the bare operation that they can't do without: time in rounds in turn, bytes allocated. A ratio
 * is time beside the baseline's time. Texts that come with a request (tokens, names) are new strings each time, as headers are.
 */
import { createHash, createHmac, createSecretKey, randomBytes, sign, timingSafeEqual, verify, type KeyObject } from 'node:crypto';
import { Epochs } from '../src/epochs.ts';
import { Gatekeeper, type AccessRequest } from '../src/gatekeeper.ts';
import { Identities, type Identity } from '../src/identity.ts';
import { after } from '../src/maybe.ts';
import { compileNetworks, everywhere, limitKey } from '../src/networks.ts';
import type { PrincipalRecord } from '../src/principals.ts';
import { RateLimits } from '../src/rate-limits.ts';
import { digestOfBody, signDffmpeg, verifyDffmpeg } from '../src/request-signing/dffmpeg.ts';
import { newNonce, readRequestSignature, signRequest, verifySignature, type MessageKey } from '../src/request-signing/http-message.ts';
import type { AccessPolicy, Holding } from '../src/rights.ts';
import { builtinRoles } from '../src/roles.ts';
import { TokenCache } from '../src/token-cache.ts';
import { newTokenKey, type TokenKey } from '../src/token-keys.ts';
import { signToken, verifyToken, type TokenProfile } from '../src/tokens.ts';
import { compare, type Row, type Work } from './support/compare.ts';

const nowSeconds = 1_800_000_000;
const nowMs = nowSeconds * 1_000;
const here = '192.0.2.7';
const instance = 'weir-bench';
const issuer = `weir:${instance}`;

const secret = createSecretKey(randomBytes(32));
const edKey = newTokenKey('ed');
const macKey: TokenKey = { id: 'mac', algorithm: 'HS256', secret };
const profile: TokenProfile<'access'> = { purpose: 'access', issuer, audience: issuer, keys: new Map<string, TokenKey>([['ed', edKey], ['mac', macKey]]) };
const tokenOf = (sub: string, key: TokenKey, jti: string): string =>
  signToken('access', { iss: issuer, aud: issuer, sub, role: 'user', permissions: ['read_content'], iat: nowSeconds, nbf: nowSeconds, exp: nowSeconds + 3_600, jti }, key);
const newText = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

export async function run(): Promise<Row[]> {
  return [...await signatures(), ...await tokens(), ...await policies(), ...await limits(), ...await wholeGate()];
}

const request = { method: 'POST', path: '/api/v1/jobs', bodyDigest: digestOfBody(Buffer.from('{}')) };
const signed = { ...request, timestamp: String(nowSeconds), signature: signDffmpeg(secret, { ...request, timestamp: String(nowSeconds) }) };
const checkSigned = (): unknown => verifyDffmpeg(secret, signed, nowSeconds);

async function signatures(): Promise<Row[]> {
  const canonical = `POST|/api/v1/jobs|${nowSeconds}|${request.bodyDigest}`;
  const [byMac, byEd] = [messageOf({ id: 'alice', algorithm: 'hmac-sha256', secret }), messageOf({ ...halves(edKey), id: 'alice', algorithm: 'ed25519' })];
  return [
    await compare('signature check, dffmpeg', checkSigned, 'bare HMAC-SHA256 and comparison', bareHmac(secret, canonical)),
    await compare('signature check, http-message, HMAC', byMac.check, 'bare HMAC-SHA256 and comparison', bareHmac(secret, byMac.base)),
    await compare('signature check, http-message, Ed25519', byEd.check, 'bare Ed25519 verify', bareEd(byEd.base)),
  ];
}

async function tokens(): Promise<Row[]> {
  const [edToken, macToken] = [tokenOf('alice', edKey, 'bench-ed'), tokenOf('alice', macKey, 'bench-mac')];
  const cache = new TokenCache(profile);
  const remembered = new Map([[edToken, cache.verify(edToken, nowSeconds)]]);
  return [
    await compare('token check, Ed25519', () => verifyToken(edToken, profile, nowSeconds), 'bare Ed25519 verify', bareEd(edToken.slice(0, edToken.lastIndexOf('.')))),
    await compare('token check, HS256', () => verifyToken(macToken, profile, nowSeconds), 'bare HMAC-SHA256 and comparison', bareHmac(secret, macToken.slice(0, macToken.lastIndexOf('.')))),
    await compare('token check, remembered', () => cache.verify(newText(edToken), nowSeconds), 'a lookup in a Map', () => remembered.get(newText(edToken))),
  ];
}

/** Policies that name users, roles, networks and a time. Ten contents are asked for in turn among more and more; then all of them, which no cache holds. */
async function policies(): Promise<Row[]> {
  const [few, some, many] = [gateOf(10), gateOf(1_000), gateOf(100_000)];
  return [
    await compare('policy decision, 10 policies', few.readOfTen, 'a lookup in a Map behind a promise', few.findOfTen),
    await compare('policy decision, 1 000 policies', some.readOfTen, 'policy decision, 10 policies', few.readOfTen),
    await compare('policy decision, 100 000 policies', many.readOfTen, 'policy decision, 10 policies', few.readOfTen),
    await compare('policy decision, 100 000 policies, each in turn', many.readOfAll, 'a lookup among them behind a promise, each in turn', many.findOfAll),
  ];
}

async function limits(): Promise<Row[]> {
  const scope = compileNetworks(['10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32']);
  const rows: Row[] = [];
  for (const count of [10, 50_000]) {
    const rates = new RateLimits({ default: { limit: 100, periodSeconds: 60 } });
    const keys = names(count);
    const plain = new Map(keys.map((key) => [key, 0]));
    let [at, clock] = [0, nowMs];
    const next = (): string => keys[(at += 1) % count] ?? '';
    const bare = (): unknown => {
      const key = next();
      return plain.set(key, (plain.get(key) ?? 0) + 1);
    };
    rows.push(await compare(`rate limit check, ${count} keys`, () => rates.take('default', next(), clock += 700 / count), 'get and set in a Map', bare));
  }
  rows.push(
    await compare('network scope check, three networks', () => scope.contains(here), 'bare HMAC-SHA256 and comparison', bareHmac(secret, 'x'.repeat(100))),
    await compare('limit key of an IPv6 address', () => limitKey('2001:db8:1:2::3'), 'bare HMAC-SHA256 and comparison', bareHmac(secret, 'x'.repeat(100))),
  );
  return rows;
}

/** Identify, count, admit, over a thousand principals in turn: the signature check, and everything else. */
async function wholeGate(): Promise<Row[]> {
  const gate = gateOf(1_000);
  for (const work of [gate.admitSigned, gate.admitBearer]) for (let at = 0; at < 1_000; at += 1) await work();
  return [
    await compare('gatekeeper, signed request: identify, limit, admit', gate.admitSigned, 'signature check, dffmpeg', checkSigned),
    await compare('gatekeeper, JWT remembered: identify, limit, admit', gate.admitBearer, 'signature check, dffmpeg', checkSigned),
  ];
}

type Gate = Readonly<Record<'readOfTen' | 'readOfAll' | 'findOfTen' | 'findOfAll' | 'admitSigned' | 'admitBearer', Work>>;

function gateOf(count: number): Gate {
  const people = names(Math.min(count, 1_000));
  const principals = new Map(people.map((id): [string, PrincipalRecord] => [id, {
    id, kind: 'user', role: 'user', rights: new Set(builtinRoles.get('user')?.permissions), scope: everywhere, disabled: false, tokensValidFromMs: 0, maxSkewSeconds: 30,
    keys: [{ id: 'key', algorithm: 'hmac-sha256', key: secret, expiresAtMs: Infinity }],
  }]));
  const holdings = new Map(Array.from({ length: count }, (_, at): [string, readonly Holding[]] => {
    const digest = createHash('sha256').update(String(at)).digest('hex');
    return [digest, [{ id: `h${at}`, owner: 'somebody', policy: policyFor(people[at % people.length] ?? ''), ceilings: [] }]];
  }));
  const epochs = new Epochs({ since: async () => ({ sequence: 0, subjects: [] }) });
  const identities = new Identities({
    store: { principal: async (id) => principals.get(id), loginSession: async () => undefined, grant: async () => undefined, isTokenRevoked: async () => false },
    roles: builtinRoles, defaultRole: 'none', epochs, clock: () => nowMs, tokens: { issuer, audience: issuer, keys: { access: profile.keys, grant: new Map(), job: new Map() } },
  });
  const gatekeeper = new Gatekeeper({
    identities, epochs, clock: () => nowMs, openings: () => 0, auditWorks: () => true,
    objects: {
      ownerOf: async () => undefined, holding: async () => undefined, isLeasedTo: async () => false,
      holdingsOf: async (digest) => holdings.get(digest) ?? [],
    },
  });
  const rates = new RateLimits({ default: { limit: 1_000_000, periodSeconds: 10 } });
  const admit = (identity: Identity): unknown => {
    rates.take('default', identity.principal ?? '', performance.now());
    return gatekeeper.admit({ identity, action: 'permissions.read_own', resource: { kind: 'none' }, address: here, requestId: 'bench' });
  };
  let at = 0;
  const turn = (): number => (at += 1);
  const reader = (index: number): AccessRequest['identity'] => {
    const id = people[index % people.length] ?? '';
    return { ...identities.anonymous, principal: id, authenticated: true, role: 'user', effective: principals.get(id)?.rights ?? new Set() };
  };
  const [readers, digests] = [people.map((_, index) => reader(index)), [...holdings.keys()]];
  const read = (index: number): unknown => gatekeeper.admit({
    identity: readers[index % readers.length] ?? identities.anonymous, action: 'content.read', resource: { kind: 'content', digest: digests[index] ?? '' }, address: here, requestId: 'bench',
  });
  const find = async (index: number): Promise<unknown> => holdings.get(digests[index] ?? '');
  const bearers = people.map((id, index) => tokenOf(id, macKey, `t${index}`));
  return {
    readOfTen: () => read(turn() % 10), readOfAll: () => read(turn() % count),
    findOfTen: () => find(turn() % 10), findOfAll: () => find(turn() % count),
    admitSigned: () => {
      const claim = { principal: newText(people[turn() % people.length] ?? ''), timestamp: signed.timestamp, signature: signed.signature };
      return after(identities.bySignature(claim, request, here), ({ identity }) => admit(identity));
    },
    admitBearer: () => after(identities.byBearer(newText(bearers[turn() % bearers.length] ?? ''), here), admit),
  };
}

const offices = compileNetworks(['192.0.2.0/24', '2001:db8::/32']);
const policyFor = (reader: string): AccessPolicy => ({
  level: 'private', allowedUsers: new Set([reader]), allowedRoles: new Set(['viewer']), requiredPermissions: ['read_content'],
  networks: offices, validFromMs: 0, validUntilMs: nowMs * 2, maxConcurrentPerPrincipal: 3,
});

const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `user-${at}`);

function messageOf(key: MessageKey): Readonly<{ base: string; check: Work }> {
  const message = { method: 'GET', target: '/api/v1/jobs?state=running', headers: {} };
  const sent = { ...message, headers: { ...signRequest(message, key, { instance, createdSeconds: nowSeconds, nonce: newNonce() }) } };
  const check = (): boolean => {
    const read = readRequestSignature(sent, instance);
    return read !== undefined && verifySignature(read, key, nowSeconds);
  };
  if (!check()) throw new Error('a signature that verifies is needed');
  return { base: readRequestSignature(sent, instance)?.base ?? '', check };
}

const bareHmac = (key: KeyObject, text: string): Work => {
  const expected = createHmac('sha256', key).update(text).digest();
  return () => timingSafeEqual(expected, createHmac('sha256', key).update(text).digest());
};

function bareEd(text: string): Work {
  const { public: publicKey, private: privateKey } = halves(edKey);
  const bytes = Buffer.from(text);
  const signature = sign(null, bytes, privateKey);
  return () => verify(null, bytes, publicKey, signature);
}

function halves(key: TokenKey): Readonly<{ public: KeyObject; private: KeyObject }> {
  if (key.algorithm !== 'EdDSA' || key.private === undefined) throw new TypeError('an Ed25519 key is needed');
  return { public: key.public, private: key.private };
}

if (import.meta.main) console.table(await run());
