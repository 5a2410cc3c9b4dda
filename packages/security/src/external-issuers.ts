/**
 * Access tokens of other issuers (RFC 7519, RFC 9068): verified with the issuer's published keys under the algorithms that the operator
 * chose, their subject turned into a principal, their role taken from a configured map and from nothing else.
 */
import { jwtVerify, type CryptoKey } from 'jose';
import { JOSEError } from 'jose/errors';
import { decodeBase64Url } from './base64.ts';
import { Generations } from './generations.ts';
import { EvidenceRefused } from './identity.ts';
import type { Maybe } from './maybe.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import type { PublicKeyAlgorithm } from './public-keys.ts';
import { asRecord, parseStrictJson } from './strict-json.ts';

export type ExternalIssuer = Readonly<{
  issuer: string;
  audience: string;
  keys: IssuerKeys;
  algorithms: readonly PublicKeyAlgorithm[];
  /** A claim's name, or a path such as `realm_access.roles`: a string, or a list of strings. */
  roleClaim: string;
  /** Role by what the claim says; the first entry that the token has counts. `*` fits every token. */
  roles: ReadonlyMap<string, string>;
  /** Make a principal for a subject that is not known. */
  create: boolean;
}>;

/** Who a verified token speaks for, before it is a principal. */
export type ExternalSubject = Readonly<{ issuer: string; subject: string; role: string; create: boolean; issuedAtMs: number }>;
export type ExternalIdentity = Readonly<{ principal: string; role: string; issuedAtMs: number; expiresAtMs: number }>;

/** Port: the principal of a subject, made or brought to its role where the issuer's rule says so; undefined where there is none. */
export type Adopt = (subject: ExternalSubject) => Promise<string | undefined>;

const maxTokenLength = 8_192;
const leewaySeconds = 5;
const longestLifeSeconds = 31_622_400;
const mostRemembered = 10_000;
const acceptedTypes: ReadonlySet<unknown> = new Set(['at+jwt', 'application/at+jwt', 'jwt']);
/** `x5t` names a certificate; nothing is loaded for it. Members that would choose a key or change the meaning are not here. */
const headerMembers: ReadonlySet<string> = new Set(['alg', 'kid', 'typ', 'x5t', 'x5t#S256']);
/** Claims of ID tokens (OpenID Connect Core §2, §3.3.2.11), and of tokens that are bound to a key which this request does not show. */
const foreignClaims = ['nonce', 'at_hash', 'c_hash', 's_hash', 'cnf', 'events'] as const;

type Remembered = Readonly<{ identity: ExternalIdentity; keys: IssuerKeys; key: CryptoKey }>;

export class ExternalIssuers {
  readonly #issuers: ReadonlyMap<string, ExternalIssuer>;
  readonly #adopt: Adopt;
  #known = new Generations<Remembered>(mostRemembered);
  #generation = 0;

  constructor(issuers: readonly ExternalIssuer[], adopt: Adopt) {
    this.#issuers = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));
    this.#adopt = adopt;
  }

  /** Somebody's link to a principal moved: every subject is looked up again. */
  forget(): void {
    this.#generation += 1;
    this.#known = new Generations(mostRemembered);
  }

  /** The principal of a token, at once when it was verified before. Throws `EvidenceRefused`. */
  identify(token: string, nowSeconds: number): Maybe<ExternalIdentity> {
    const known = this.#known.get(token);
    if (known !== undefined && nowSeconds * 1_000 < known.identity.expiresAtMs && known.keys.holds(known.key)) return known.identity;
    return this.#verify(token, nowSeconds);
  }

  async #verify(token: string, nowSeconds: number): Promise<ExternalIdentity> {
    const generation = this.#generation;
    const { header, claims } = readToken(token);
    const issuer = this.#issuers.get(claims.iss);
    if (issuer === undefined) throw new EvidenceRefused('external issuer unknown');
    const algorithm = issuer.algorithms.find((allowed) => allowed === header.alg);
    if (algorithm === undefined) throw new EvidenceRefused('external algorithm');
    const key = await issuer.keys.find(header.kid, algorithm);
    if (key === undefined) throw new EvidenceRefused('external key unknown');
    await verifySignature(token, key, { issuer, algorithm, nowSeconds });
    requireClaims(claims, nowSeconds);
    const role = roleOf(claims.all, issuer);
    if (role === undefined) throw new EvidenceRefused('external role not mapped');
    const issuedAtMs = claims.iat * 1_000;
    const principal = await this.#adopt({ issuer: issuer.issuer, subject: claims.sub, role, create: issuer.create, issuedAtMs });
    if (principal === undefined) throw new EvidenceRefused('external subject unknown');
    const identity = { principal, role, issuedAtMs, expiresAtMs: claims.exp * 1_000 };
    if (generation === this.#generation) this.#known.set(token, { identity, keys: issuer.keys, key });
    return identity;
  }
}

type Claims = Readonly<{ iss: string; sub: string; iat: number; exp: number; all: Readonly<Record<string, unknown>> }>;
type Parts = Readonly<{ header: Readonly<{ alg: string; kid: string }>; claims: Claims }>;

/** Header and claims, not believed yet: one spelling, no member twice, no member of the header that would choose the key. */
function readToken(token: string): Parts {
  const parts = token.length > maxTokenLength ? [] : token.split('.');
  const [header, payload] = parts.slice(0, 2).map((part) => asRecord(decodeJson(part)));
  const isSpelledOnce = parts[2] !== undefined && decodeBase64Url(parts[2]) !== undefined;
  if (parts.length !== 3 || !isSpelledOnce || header === undefined || payload === undefined) throw new EvidenceRefused('external token malformed');
  if (Object.keys(header).some((name) => !headerMembers.has(name))) throw new EvidenceRefused('external header');
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string' || typeof kid !== 'string' || typeof typ !== 'string') throw new EvidenceRefused('external header');
  if (!acceptedTypes.has(typ.toLowerCase())) throw new EvidenceRefused('external token type');
  const { iss, sub, iat, exp, nbf = 0 } = payload;
  if (typeof iss !== 'string' || typeof sub !== 'string' || !isSecond(iat) || !isSecond(exp) || !isSecond(nbf)) throw new EvidenceRefused('external claims');
  if (!isSubject(sub)) throw new EvidenceRefused('external subject');
  return { header: { alg, kid }, claims: { iss, sub, iat, exp, all: payload } };
}

/** Of any alphabet, without control characters and halves of characters, which a store may not tell apart (RFC 7519 §4.1.2, OpenID Connect Core §2). */
export const isSubject = (text: string): boolean => /^[^\p{Cc}\p{Cs}]{1,255}$/u.test(text);

const isSecond = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 253_402_300_799;

function decodeJson(part: string): unknown {
  const bytes = decodeBase64Url(part);
  return bytes && parseStrictJson(bytes, 8);
}

async function verifySignature(
  token: string, key: CryptoKey, { issuer, algorithm, nowSeconds }: Readonly<{ issuer: ExternalIssuer; algorithm: PublicKeyAlgorithm; nowSeconds: number }>,
): Promise<void> {
  try {
    await jwtVerify(token, key, {
      algorithms: [algorithm], issuer: issuer.issuer, audience: issuer.audience, clockTolerance: leewaySeconds, currentDate: new Date(nowSeconds * 1_000),
    });
  } catch (error) {
    if (!(error instanceof JOSEError)) throw error;
    throw new EvidenceRefused(`external token: ${error.code}`);
  }
}

/** What the library leaves to us: one audience, a bounded life, an access token and nothing else. */
function requireClaims({ iat, exp, all }: Claims, nowSeconds: number): void {
  // Ours is among them, as the library has seen. A token for several could be handed on by any of them.
  if (Array.isArray(all['aud']) && all['aud'].length !== 1) throw new EvidenceRefused('external audience');
  if (iat > nowSeconds + leewaySeconds || exp - iat > longestLifeSeconds) throw new EvidenceRefused('external token life');
  if (foreignClaims.some((name) => Object.hasOwn(all, name))) throw new EvidenceRefused('external token is no plain access token');
  if (all['token_use'] !== undefined && all['token_use'] !== 'access') throw new EvidenceRefused('external token is no plain access token');
  if (all['typ'] !== undefined && all['typ'] !== 'Bearer') throw new EvidenceRefused('external token is no plain access token');
}

/** Undefined where nothing of the map fits: the token is refused then. */
export function roleOf(claims: Readonly<Record<string, unknown>>, { roleClaim, roles }: Pick<ExternalIssuer, 'roleClaim' | 'roles'>): string | undefined {
  const said = claimAt(claims, roleClaim);
  const values = new Set<unknown>(Array.isArray(said) ? said : [said]);
  for (const [value, role] of roles) if (value === '*' || values.has(value)) return role;
  return undefined;
}

/** A member of that very name, else the path of members between dots. */
function claimAt(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let at: unknown = claims;
  for (const part of name.split('.')) {
    const record = asRecord(at);
    if (record === undefined || !Object.hasOwn(record, part)) return undefined;
    at = record[part];
  }
  return at;
}
