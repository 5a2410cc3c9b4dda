/** What the streaming security of an application keeps, as ports. `memory-stores.ts` holds them in memory, the server in its database. */
import type { Policy } from '@weir/contracts/policies';
import type { AuditEntry } from './audit.ts';
import type { EpochStore } from './epochs.ts';
import type { GrantRecord, PrincipalRecord } from './principals.ts';
import type { Holding } from './rights.ts';

/** `cidAccess`: canonical ids of what the issuer shares by it. */
export type IssuedToken = Readonly<{ jti: string; userId: string; issuer: string; cidAccess: readonly string[]; expiresAtMs: number }>;

/** Every change moves an epoch (`token:JTI`, `principal:USER`), so that what is open is decided anew. */
export interface TokenStore {
  issued(token: IssuedToken): Promise<void>;
  /** Who issued a token; undefined for one that was not issued here. `cid_access` counts by that issuer. */
  issuerOf(jti: string): Promise<string | undefined>;
  isRevoked(jti: string): Promise<boolean>;
  /** Remembered at least until `expiresAtMs`. */
  revoke(jti: string, expiresAtMs: number): Promise<void>;
  /** Tokens of this user issued before it are refused, in milliseconds since 1970. */
  validFromMs(userId: string): Promise<number>;
  endAll(userId: string, fromMs: number): Promise<void>;
}

/** Policies by content, not by its spelling: `digest` is the hex SHA-256 of the multihash. A change moves `holding:ID`. */
export interface PolicyStore {
  holdingsOf(digest: string): Promise<readonly Holding[]>;
  setPolicy(digest: string, owner: string, policy: Policy): Promise<void>;
}

/** A grant to be kept; its networks as they were written. */
export type NewGrant = Omit<GrantRecord, 'networks' | 'revoked' | 'parent'> & Readonly<{ networks: readonly string[] }>;

/** A revocation moves `grant:ID`. */
export interface GrantStore {
  addGrant(grant: NewGrant): Promise<void>;
  grant(id: string): Promise<GrantRecord | undefined>;
  /** Takes one use, at once for all who ask; false when none is left. */
  useGrant(id: string): Promise<boolean>;
  revokeGrant(id: string): Promise<void>;
}

export interface AuditSink {
  append(entry: AuditEntry): Promise<void>;
}

export type StreamingStores = Readonly<{
  tokens: TokenStore; policies: PolicyStore; grants: GrantStore; audit: AuditSink; epochs: EpochStore;
  /** With a directory of principals, tokens only narrow what it says. Without one, a token is the record of its user. */
  principals?: Readonly<{ principal(id: string): Promise<PrincipalRecord | undefined> }>;
}>;
