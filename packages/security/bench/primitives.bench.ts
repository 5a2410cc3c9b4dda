/** What the checks of the hot paths cost beside the bare cryptography that they can't do without. Ratios of interleaved medians. */
import { createHmac, createSecretKey, randomBytes, sign, verify, type KeyObject } from 'node:crypto';
import { limitKey, compileNetworks } from '../src/networks.ts';
import { RateLimits, defaultRateLimits } from '../src/rate-limits.ts';
import { digestOfBody, signDffmpeg, verifyDffmpeg } from '../src/request-signing/dffmpeg.ts';
import { newTokenKey, type TokenKey } from '../src/token-keys.ts';
import { TokenCache } from '../src/token-cache.ts';
import { signToken, verifyToken, type TokenProfile } from '../src/tokens.ts';

/** `ratio`: median time of the subject over that of the baseline; `spread`: (third − first quartile) of the ratios over their median. */
export type Row = Readonly<{ name: string; baseline: string; ratio: number; spread: number; detail: string }>;

type Work = () => unknown;
const rounds = 41;
const roundMs = 4;

export async function run(): Promise<Row[]> {
  const nowSeconds = 1_800_000_000;
  const secret = createSecretKey(randomBytes(32));
  const edKey = newTokenKey('ed');
  if (edKey.algorithm !== 'EdDSA' || edKey.private === undefined) throw new TypeError('an Ed25519 key is needed');
  const macKey: TokenKey = { id: 'mac', algorithm: 'HS256', secret };
  const profile: TokenProfile<'access'> = { purpose: 'access', issuer: 'weir:bench', audience: 'weir:bench', keys: new Map<string, TokenKey>([['ed', edKey], ['mac', macKey]]) };
  const claims = {
    iss: 'weir:bench', aud: 'weir:bench', sub: 'alice', role: 'user', permissions: ['read_content'], iat: nowSeconds, nbf: nowSeconds, exp: nowSeconds + 3_600, jti: '01J9ZZZZZZZZZZZZZZZZZZZZZZ',
  };
  const edToken = signToken('access', claims, edKey);
  const macToken = signToken('access', claims, macKey);
  const cache = new TokenCache(profile);
  const request = { method: 'POST', path: '/jobs/submit', timestamp: String(nowSeconds), bodyDigest: digestOfBody(Buffer.from('{}')) };
  const signed = { ...request, signature: signDffmpeg(secret, request) };
  const limits = new RateLimits(defaultRateLimits);
  const scope = compileNetworks(['10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32']);
  let clock = nowSeconds * 1_000;

  const canonical = `POST|/jobs/submit|${nowSeconds}|${request.bodyDigest}`;
  const bareHmac = hmacOf(secret, canonical);
  const bareTokenHmac = hmacOf(secret, macToken.slice(0, macToken.lastIndexOf('.')));
  const signedPart = Buffer.from(edToken.slice(0, edToken.lastIndexOf('.')));
  const signature = sign(null, signedPart, edKey.private);
  const bareEd = (): unknown => verify(null, signedPart, edKey.public, signature);

  const rows: Row[] = [];
  const compare = async (name: string, subject: Work, baseline: string, bare: Work): Promise<void> => {
    rows.push({ name, baseline, ...measure(subject, bare) });
    // Between two comparisons the process may do what else it has to.
    await new Promise(setImmediate);
  };
  await compare('dffmpeg verify', () => verifyDffmpeg(secret, signed, nowSeconds), 'bare HMAC-SHA256', bareHmac);
  await compare('token verify EdDSA', () => verifyToken(edToken, profile, nowSeconds), 'bare Ed25519 verify', bareEd);
  await compare('token verify HS256', () => verifyToken(macToken, profile, nowSeconds), 'bare HMAC-SHA256', bareTokenHmac);
  // A header's text is a new string each time, so is this one: its hash is part of the cost.
  await compare('token verify cached', () => cache.verify(Buffer.from(edToken, 'latin1').toString('latin1'), nowSeconds), 'bare Ed25519 verify', bareEd);
  await compare('rate check', () => limits.take('default', '192.0.2.7', clock += 700), 'bare HMAC-SHA256', bareHmac);
  await compare('network scope', () => scope.contains('192.0.2.7'), 'bare HMAC-SHA256', bareHmac);
  await compare('limit key of IPv6', () => limitKey('2001:db8:1:2::3'), 'bare HMAC-SHA256', bareHmac);
  return rows;
}

const hmacOf = (key: KeyObject, text: string): Work => () => createHmac('sha256', key).update(text).digest();

function measure(subject: Work, bare: Work): Pick<Row, 'ratio' | 'spread' | 'detail'> {
  timeOf(subject);
  timeOf(bare);
  const pairs = Array.from({ length: rounds }, () => [timeOf(subject), timeOf(bare)] as const);
  const ratios = pairs.map(([subjectNs, bareNs]) => subjectNs / bareNs);
  const [subjectNs, bareNs] = [quantile(pairs.map(([ns]) => ns), 0.5), quantile(pairs.map(([, ns]) => ns), 0.5)];
  const ratio = quantile(ratios, 0.5);
  return { ratio, spread: (quantile(ratios, 0.75) - quantile(ratios, 0.25)) / ratio, detail: `${subjectNs.toFixed(0)} ns beside ${bareNs.toFixed(0)} ns` };
}

/** Nanoseconds per call, over about `roundMs`. */
function timeOf(work: Work): number {
  const begun = performance.now();
  let calls = 0;
  while (performance.now() - begun < roundMs) {
    for (let at = 0; at < 20; at += 1) work();
    calls += 20;
  }
  return ((performance.now() - begun) * 1e6) / calls;
}

function quantile(values: readonly number[], at: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * at)] ?? Number.NaN;
}

if (import.meta.main) console.table(await run());
