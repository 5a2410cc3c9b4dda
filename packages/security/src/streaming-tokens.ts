/** Tokens of an application's streaming security: made, verified, ended, and asked about again for as long as something is open. */
import { newUlid, type Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { PermissionName, PrincipalId, RoleName } from '@weir/contracts/identity';
import { z } from 'zod';
import { parseCid } from './content-id.ts';
import type { PrincipalRecord } from './principals.ts';
import { effectivePermissions, type Subject } from './rights.ts';
import type { Role } from './roles.ts';
import { sharedSecretMayCarry, sharedSecretRights } from './shared-secret.ts';
import type { PurposeKeys } from './streaming-keys.ts';
import type { StreamingStores } from './streaming-stores.ts';
import { TokenCache } from './token-cache.ts';
import type { ClaimsOf } from './token-claims.ts';
import { signToken } from './tokens.ts';

/** Who a verified token speaks for. Only objects that `verifyToken` gave out count: a decoded token is no evidence. */
export type StreamingClaims = Readonly<{
  userId: string; role: string; permissions: readonly string[]; cidAccess: readonly string[]; tokenId: string; issuedAtMs: number; expiresAtMs: number;
}>;

export type TokenOrder = Readonly<{
  userId: string;
  /** `user` by default. */
  role?: string; permissions?: readonly string[];
  /** Contents that the token opens beside what policies say, as a grant of `issuer`. */
  cidAccess?: readonly string[];
  audience?: string; expiresInSeconds?: number; notBefore?: Date;
  /** Who shares `cidAccess`: it counts for content of this owner. Left out: the application itself, for its own. */
  issuer?: string;
}>;

export type TokenCheck = Readonly<{ valid: true; claims: StreamingClaims } | { valid: false; reason: string }>;

/** The owner of what the application itself protects; no user is named so. */
export const application = '';
/** The longest life of a token. */
const longestTokenMs = 31_622_400_000;

const Order = z.strictObject({
  userId: PrincipalId,
  role: RoleName.default('user'),
  permissions: z.array(PermissionName).max(100).optional(),
  cidAccess: z.array(z.string().max(300).transform((cid) => parseCid(cid).cid)).max(32).default([]),
  audience: z.string().regex(/^[\x21-\x7e]{1,256}$/).optional(),
  expiresInSeconds: z.int().min(1).max(31_536_000).optional(),
  notBefore: z.date().optional(),
  issuer: z.union([PrincipalId, z.literal(application)]).default(application),
});

function parseOrder(order: TokenOrder): z.output<typeof Order> {
  const parsed = Order.safeParse(order);
  if (!parsed.success) throw new WeirError('request.invalid', `No token is made of this: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`);
  return parsed.data;
}

type Parts = Readonly<{ stores: StreamingStores; keys: PurposeKeys; roles: ReadonlyMap<string, Role>; issuer: string; expirySeconds: number; clock: Clock }>;
type Verified = Readonly<{ claims: ClaimsOf['access']; shared: boolean }>;

export class StreamingTokens {
  readonly #parts: Parts;
  readonly #cache: TokenCache<'access'>;
  readonly #verified = new WeakMap<StreamingClaims, Verified>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#cache = new TokenCache({ purpose: 'access', issuer: parts.issuer, audience: parts.issuer, keys: parts.keys.all });
  }

  async create(order: TokenOrder): Promise<string> {
    const { userId, role, permissions, cidAccess, audience, expiresInSeconds, notBefore, issuer } = parseOrder(order);
    const { stores: { tokens }, keys, clock } = this.#parts;
    const signing = keys.signing();
    if (signing.algorithm === 'HS256' && !sharedSecretMayCarry(role, permissions)) {
      throw new WeirError('role.exceeds', 'A token under a shared secret never carries the role admin or a manage_* permission; use a key ring.');
    }
    await this.#requireWithin(userId, role, permissions);
    // A token of the second in which all were ended would be one of those: it is dated after it.
    const iat = await this.#datedSeconds(userId);
    const exp = iat + (expiresInSeconds ?? this.#parts.expirySeconds);
    const jti = newUlid(clock());
    const token = signToken('access', {
      iss: this.#parts.issuer, aud: audience ?? this.#parts.issuer, sub: userId, role, iat, nbf: notBefore === undefined ? this.#seconds() : Math.floor(notBefore.getTime() / 1_000), exp, jti,
      ...(permissions === undefined ? {} : { permissions }), ...(cidAccess.length === 0 ? {} : { cid_access: cidAccess }),
    }, signing);
    await tokens.issued({ jti, userId, issuer, cidAccess, expiresAtMs: exp * 1_000 });
    return token;
  }

  /** With a directory of principals, a token carries no more than its user has. */
  async #requireWithin(userId: string, role: string, permissions: readonly string[] | undefined): Promise<void> {
    const { stores: { principals }, roles } = this.#parts;
    if (principals === undefined) return;
    const record = await principals.principal(userId);
    if (record === undefined) throw new WeirError('principal.absent');
    const ofRole = roles.get(role);
    if (ofRole === undefined) throw new WeirError('role.unknown', `There is no role "${role}", so its token would be refused.`);
    const missing = [...permissions ?? [], ...ofRole.permissions].find((permission) => !record.rights.has(permission));
    if (missing !== undefined) throw new WeirError('role.exceeds', `"${userId}" has no ${missing}, so a token can not carry it. A token only narrows.`);
  }

  async verify(token: string, address: string | undefined): Promise<TokenCheck> {
    const verdict = this.#cache.verify(token, this.#seconds());
    if (!verdict.valid) return verdict;
    const verified = { claims: verdict.claims, shared: verdict.key.algorithm === 'HS256' };
    const subject = await this.#standing(verified, address);
    if (typeof subject === 'string') return { valid: false, reason: subject };
    const { sub, cid_access: cidAccess = [], jti, iat, exp } = verdict.claims;
    const claims = Object.freeze({
      userId: sub, role: subject.role, permissions: Object.freeze([...subject.effective]), cidAccess, tokenId: jti, issuedAtMs: iat * 1_000, expiresAtMs: exp * 1_000,
    });
    this.#verified.set(claims, verified);
    return { valid: true, claims };
  }

  /** `request.invalid` for a token that is not of this application. One that has expired is as good as revoked. */
  async revoke(tokenOrId: string): Promise<void> {
    const { stores: { tokens }, clock } = this.#parts;
    if (!tokenOrId.includes('.')) return tokens.revoke(tokenOrId, clock() + longestTokenMs);
    const verdict = this.#cache.verify(tokenOrId, this.#seconds());
    if (verdict.valid) return tokens.revoke(verdict.claims.jti, verdict.claims.exp * 1_000);
    if (verdict.reason !== 'expired') throw new WeirError('request.invalid', 'This is no token of this application; revoke it by its id.');
  }

  /** Includes those of this very second, and those that were made in it after all before them had been ended. */
  async endAll(userId: string): Promise<void> {
    return this.#parts.stores.tokens.endAll(userId, (await this.#datedSeconds(userId) + 1) * 1_000);
  }

  /** The date of a token that is made now. */
  async #datedSeconds(userId: string): Promise<number> {
    return Math.max(this.#seconds(), Math.ceil(await this.#parts.stores.tokens.validFromMs(userId) / 1_000));
  }

  /** What claims are worth now: as a subject of decisions, or why nothing. */
  async subjectOf(claims: StreamingClaims | undefined, address: string | undefined): Promise<Subject | string> {
    if (claims === undefined) return { principal: undefined, authenticated: false, role: 'none', tokenRole: undefined, effective: new Set(), address: address ?? '' };
    const verified = this.#verified.get(claims);
    return verified === undefined ? 'not verified here' : this.#standing(verified, address);
  }

  async #standing({ claims, shared }: Verified, address: string | undefined): Promise<Subject | string> {
    const { stores: { tokens, principals }, clock } = this.#parts;
    if (claims.exp * 1_000 <= clock()) return 'expired';
    if (await tokens.isRevoked(claims.jti)) return 'revoked';
    if (claims.iat * 1_000 < await tokens.validFromMs(claims.sub)) return 'all tokens of the user were ended';
    if (shared && !sharedSecretMayCarry(claims.role, claims.permissions)) return 'more than a shared secret carries';
    const record = principals === undefined ? undefined : await principals.principal(claims.sub);
    if (principals !== undefined) {
      if (record === undefined || record.disabled) return 'user unknown or disabled';
      if (!record.scope.contains(address ?? '')) return 'network scope';
      if (shared && record.role === 'admin') return 'more than a shared secret carries';
    }
    const effective = this.#effective(claims, record);
    if (effective === undefined) return 'role unknown';
    return {
      principal: claims.sub, authenticated: true, role: record?.role ?? claims.role ?? 'none', tokenRole: claims.role,
      effective: shared ? sharedSecretRights(effective) : effective, address: address ?? '',
    };
  }

  /** Without a directory, a token is the record of its user; a role that is not defined is a name and no more. */
  #effective({ role, permissions }: ClaimsOf['access'], record: PrincipalRecord | undefined): ReadonlySet<string> | undefined {
    const ofRole = role === undefined ? undefined : this.#parts.roles.get(role)?.permissions;
    if (record === undefined) return new Set([...ofRole ?? [], ...permissions ?? []]);
    return role !== undefined && ofRole === undefined ? undefined : effectivePermissions(record.rights, ofRole, permissions);
  }

  #seconds(): number { return Math.floor(this.#parts.clock() / 1_000); }
}
