/** What tokens may claim: one closed, bounded list of members per purpose. */
import { asRecord } from './strict-json.ts';

/** Times are seconds since 1970; a token holds from `nbf` until before `exp`. */
type CommonClaims = Readonly<{ iss: string; aud: string; sub: string; iat: number; nbf: number; exp: number; jti: string }>;

/**
 * What a pass (ticket or playlist) stands on, and ends with: a session, a token (its `jti` and the key that signed it), a grant, the second
 * that all of it ends by itself. `role` and `permissions` are those that the evidence was narrowed to.
 */
export type PassBasis = Readonly<{ sid?: string; tid?: string; key?: string; grant?: string; end?: number; role?: string; permissions?: readonly string[] }>;

/** Claims by purpose. The purpose is also the token's type: `weir-access+jwt` and so on. */
export interface ClaimsOf {
  /** Speaks for a principal, narrowed to `role` and `permissions` where they are listed. `cid_access` names what its issuer shares. */
  readonly access: CommonClaims & Readonly<{ role?: string; permissions?: readonly string[]; cid_access?: readonly string[]; sid?: string }>;
  /** Lets its holder use one object; the row named by `jti` holds the rest. */
  readonly grant: CommonClaims & Readonly<{ object: string; verbs: readonly string[] }>;
  /** Lets a worker (`sub`) read or write one part of an attempt that it holds; void when the fence has moved. */
  readonly job: CommonClaims & Readonly<{ job: string; fence: number; object: string; verbs: readonly string[] }>;
  /** Opens one socket, event stream or media element, once. */
  readonly ticket: CommonClaims & PassBasis & Readonly<{ action: string; object: string }>;
  /** Reads one content again and again, for media elements that can't send headers. */
  readonly playlist: CommonClaims & PassBasis & Readonly<{ object: string }>;
}
export type TokenPurpose = keyof ClaimsOf;

/** A year and a day, in seconds. */
const longestLife = 31_622_400;
/** The last second of the year 9999. */
const lastSecond = 253_402_300_799;

type Check = (value: unknown) => boolean;
const matches = (pattern: RegExp): Check => (value) => typeof value === 'string' && pattern.test(value);
const list = (item: Check, most: number): Check => (value) => Array.isArray(value) && value.length <= most && value.every(item);
const wholeNumber = (most: number): Check => (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= most;

const text = matches(/^[\x21-\x7e]{1,256}$/);
const instant = wholeNumber(lastSecond);
const permission = matches(/^[a-z][a-z0-9_]{0,47}$/);
const identifier = matches(/^[A-Za-z0-9._-]{1,64}$/);

const common = { iss: text, aud: text, sub: text, iat: instant, nbf: instant, exp: instant, jti: identifier } as const;
const verbs = list(matches(/^[a-z]{1,16}$/), 8);

const basis = { sid: identifier, tid: identifier, key: identifier, grant: identifier, end: instant, role: matches(/^[a-z][a-z0-9_-]{0,31}$/), permissions: list(permission, 100) } as const;

type Members = Readonly<{ required: Readonly<Record<string, Check>>; optional: Readonly<Record<string, Check>> }>;
const members: Readonly<Record<TokenPurpose, Members>> = {
  access: {
    required: common,
    optional: { role: matches(/^[a-z][a-z0-9_-]{0,31}$/), permissions: list(permission, 100), cid_access: list(text, 32), sid: identifier },
  },
  grant: { required: { ...common, object: text, verbs }, optional: {} },
  job: { required: { ...common, job: identifier, fence: wholeNumber(Number.MAX_SAFE_INTEGER), object: text, verbs }, optional: {} },
  ticket: { required: { ...common, action: matches(/^[a-z][a-z0-9._-]{0,63}$/), object: text }, optional: basis },
  playlist: { required: { ...common, object: text }, optional: basis },
};

/**
 * `value` as the claims of a token of this purpose. Undefined if a member is missing, unknown, or out of its bounds,
 * or the times contradict each other: `iat` and `nbf` at most `exp`, a life of at most 366 days. Whether it is valid now is
 * not asked here.
 */
export function parseClaims<P extends TokenPurpose>(purpose: P, value: unknown): ClaimsOf[P] | undefined {
  const claims = asRecord(value);
  if (claims === undefined) return undefined;
  if (!Object.keys(members[purpose].required).every((name) => Object.hasOwn(claims, name))) return undefined;
  for (const [name, claim] of Object.entries(claims)) {
    if (!checkOf(name, members[purpose])?.(claim)) return undefined;
  }
  // Every member of this purpose has just been checked against its type.
  const checked = claims as unknown as ClaimsOf[P];
  const isOrdered = checked.iat <= checked.exp && checked.nbf <= checked.exp;
  return isOrdered && checked.exp - Math.min(checked.iat, checked.nbf) <= longestLife ? checked : undefined;
}

/** Own members only: `constructor` and the like are found on every object. */
function checkOf(name: string, { required, optional }: Members): Check | undefined {
  if (Object.hasOwn(required, name)) return required[name];
  return Object.hasOwn(optional, name) ? optional[name] : undefined;
}
