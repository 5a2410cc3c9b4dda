/** Principals as decisions need them, and the ports that read them and what speaks for them. */
import type { KeyObject } from 'node:crypto';
import type { PrincipalKind } from '@weir/contracts/identity';
import type { NetworkScope } from './networks.ts';

/** A key that signs requests; after `expiresAtMs` it is refused (overlap of a rotation). */
export type RequestKey = Readonly<{ id: string; algorithm: 'hmac-sha256' | 'ed25519'; key: KeyObject; expiresAtMs: number }>;

export type PrincipalRecord = Readonly<{
  id: string;
  kind: PrincipalKind;
  role: string;
  /** Permissions of its role and its own. */
  rights: ReadonlySet<string>;
  scope: NetworkScope;
  disabled: boolean;
  /** Tokens issued before this are refused. */
  tokensValidFromMs: number;
  maxSkewSeconds: number;
  keys: readonly RequestKey[];
}>;

/** `steppedUpAtMs`: when whoever uses it last proved who they are. `lastUsedAtMs` is noted now and then, so it may lag some minutes. */
export type LoginSession = Readonly<{ id: string; secretHash: string; principal: string; expiresAtMs: number; ended: boolean; steppedUpAtMs: number; lastUsedAtMs: number }>;

/** A grant's row: whoever made it, for which holding, and how far it reaches. */
export type GrantRecord = Readonly<{
  id: string; issuer: string; holding: string; verbs: readonly string[]; principal: string | undefined; networks: NetworkScope;
  validFromMs: number; expiresAtMs: number; revoked: boolean; usesLeft: number | undefined;
  /** The grant that this one was narrowed from. */
  parent: string | undefined;
}>;

/** A grant as it holds now: what it and all that it was narrowed from allow together. */
export type HeldGrant = GrantRecord & Readonly<{
  /** Its own id and those of its ancestors: any of them that moves, moves it. */
  chain: readonly string[];
  /** Those of the chain that have a number of uses: an opening is one use of each. */
  counted: readonly string[];
}>;

/** Holdings of the token's issuer that it opens, as long as that issuer may share them. */
export type TokenShares = Readonly<{ issuer: string; holdings: ReadonlySet<string> }>;

/** Reads the rows that decide. In-memory and database implementations; each answers undefined for what is not there. */
export interface IdentityStore {
  principal(id: string): Promise<PrincipalRecord | undefined>;
  loginSession(id: string): Promise<LoginSession | undefined>;
  grant(id: string): Promise<GrantRecord | undefined>;
  /** Unexpired tokens that were revoked one by one. */
  isTokenRevoked(jti: string): Promise<boolean>;
  /** What a token with `cid_access` opens beside; asked for those alone. A store without it opens nothing. */
  tokenShares?(jti: string): Promise<TokenShares | undefined>;
}
