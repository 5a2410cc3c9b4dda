/** Who a request comes from: evidence checked against the directories of principals, sessions, tokens and grants. */
import { systemClock, type Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { PrincipalKind } from '@weir/contracts/identity';
import { Directory } from './directory.ts';
import type { Epochs } from './epochs.ts';
import type { ExternalIdentity, ExternalIssuers } from './external-issuers.ts';
import { after, type Maybe } from './maybe.ts';
import { matchesOneTimeSecret } from './one-time-secrets.ts';
import { HeldGrants } from './held-grants.ts';
import { everywhere } from './networks.ts';
import type { HeldGrant, IdentityStore, LoginSession, PrincipalRecord, RequestKey, TokenShares } from './principals.ts';
import { effectivePermissions } from './rights.ts';
import { greatestMaxSkewSeconds, verifyDffmpeg } from './request-signing/dffmpeg.ts';
import { verifySignature, type MessageKey, type ReadSignature } from './request-signing/http-message.ts';
import type { Role } from './roles.ts';
import { sharedSecretMayCarry, sharedSecretRights } from './shared-secret.ts';
import { TokenCache } from './token-cache.ts';
import type { ClaimsOf, TokenPurpose } from './token-claims.ts';
import type { TokenKey, TokenKeys } from './token-keys.ts';

export type Identity = Readonly<{
  /** Undefined: nobody. `anonymous` where the default role lets callers without evidence own things. */
  principal: string | undefined;
  authenticated: boolean;
  kind: PrincipalKind;
  role: string;
  tokenRole: string | undefined;
  effective: ReadonlySet<string>;
  via: 'signature' | 'token' | 'session' | 'job' | 'proxy' | 'ticket' | 'playlist' | 'none';
  tokenId: string | undefined;
  /** The key that its token was signed with. */
  keyId: string | undefined;
  sessionId: string | undefined;
  /** The principal's own key that signed the request: what runs under it ends when it is replaced. */
  signedBy?: string | undefined;
  /** What its token opens beside the principal's own rights: the issuer holds and may share these now. */
  shares?: TokenShares | undefined;
  /** When the evidence itself began and ends, in milliseconds. */
  issuedAtMs: number;
  expiresAtMs: number;
  /** When the caller last proved to be the principal: of a session its sign-in or step-up, of a request signature now. A token proves nothing: 0. */
  provedAtMs: number;
  /** A token for one part of a running job. */
  job: ClaimsOf['job'] | undefined;
  /** A ticket, or the cookie that one became: good for its object alone. */
  pass?: ClaimsOf['ticket' | 'playlist'] | undefined;
  /** The key that the pass was signed with; `keyId` is that of the token it came of. */
  passKeyId?: string | undefined;
}>;

/** Why evidence was refused: for the audit, never for the caller, who always gets the same 401. */
export class EvidenceRefused extends WeirError {
  override name = 'WeirError';
  readonly reason: string;
  readonly claimed: string;
  /** A good signature of a principal in good standing, too early or too late: only then may the caller hear why. */
  readonly isRightButForTime: boolean;
  constructor(reason: string, claimed = '', isRightButForTime = false) {
    super('identity.required');
    this.reason = reason;
    this.claimed = claimed;
    this.isRightButForTime = isRightButForTime;
  }
}

/** Prefix of the one-time-secret domain that login sessions are hashed under. */
export const loginSessionPurpose = 'login-session';

type Verified<P extends TokenPurpose> = Readonly<{ claims: ClaimsOf[P]; key: TokenKey }>;
type Parts = Readonly<{
  store: IdentityStore; roles: ReadonlyMap<string, Role>; defaultRole: string; epochs: Epochs; clock?: Clock;
  /** How long a browser session may go unused, in milliseconds. */
  sessionIdleMs?: number;
  /** Other issuers whose access tokens count, too. */
  external?: ExternalIssuers | undefined;
  tokens: Readonly<{ issuer: string; audience: string; keys: Readonly<Record<'access' | 'grant' | 'job', TokenKeys> & Partial<Record<'ticket' | 'playlist', TokenKeys>>> }>;
}>;

export class Identities {
  readonly anonymous: Identity;
  readonly #clock: Clock;
  readonly #principals: Directory<Known>;
  readonly #sessions: Directory<LoginSession>;
  readonly #grants: HeldGrants;
  readonly #revoked: Directory<boolean>;
  readonly #shares: Directory<TokenShares>;
  readonly #roles: ReadonlyMap<string, Role>;
  readonly #sessionIdleMs: number;
  /** Keys that were withdrawn while this process ran. A retired key just ends, and what its tickets opened goes on. */
  readonly #voided = new Set<string>();
  readonly #access: TokenCache<'access'>;
  readonly #grantTokens: TokenCache<'grant'>;
  readonly #jobTokens: TokenCache<'job'>;
  readonly #passes: Readonly<{ ticket: TokenCache<'ticket'>; playlist: TokenCache<'playlist'> }>;
  readonly #external: ExternalIssuers | undefined;
  readonly #keys: Readonly<Record<'access' | 'grant' | 'job', TokenKeys>>;
  /** What a claims object came to for a principal's row; both are the same objects as long as nothing moved. */
  readonly #narrowed = new WeakMap<object, Known>();

  constructor({ store, roles, defaultRole, epochs, tokens, external, sessionIdleMs = Infinity, clock = systemClock }: Parts) {
    this.#sessionIdleMs = sessionIdleMs;
    this.#clock = clock;
    this.#roles = roles;
    this.#keys = tokens.keys;
    this.#external = external;
    this.#principals = new Directory(async (id) => {
      const record = await store.principal(id);
      return record && { record, identity: plainIdentity(record) };
    });
    this.#sessions = new Directory((id) => store.loginSession(id));
    this.#grants = new HeldGrants({ grant: (id) => store.grant(id), issuer: (id) => this.principal(id), clock });
    this.#shares = new Directory(async (jti) => store.tokenShares?.(jti));
    this.#revoked = new Directory((jti) => store.isTokenRevoked(jti));
    const cache = <P extends TokenPurpose & keyof typeof tokens.keys>(purpose: P) =>
      new TokenCache({ purpose, issuer: tokens.issuer, audience: tokens.audience, keys: tokens.keys[purpose] ?? new Map() });
    this.#access = cache('access');
    this.#grantTokens = cache('grant');
    this.#jobTokens = cache('job');
    this.#passes = { ticket: cache('ticket'), playlist: cache('playlist') };
    const role = roles.get(defaultRole);
    if (role === undefined) throw new WeirError('config.invalid', `[permissions] default_role "${defaultRole}" is not a role.`);
    const named = role.permissions.size > 0;
    this.anonymous = {
      principal: named ? 'anonymous' : undefined, authenticated: false, kind: 'anonymous', role: role.name, tokenRole: undefined,
      effective: role.permissions, via: 'none', tokenId: undefined, keyId: undefined, sessionId: undefined, issuedAtMs: Infinity, expiresAtMs: Infinity, provedAtMs: 0, job: undefined,
    };
    epochs.onMove((subjects) => { for (const subject of subjects) this.#forget(subject); });
  }

  #forget(subject: string): void {
    if (subject === 'external') return this.#external?.forget();
    const colon = subject.indexOf(':');
    const key = subject.slice(colon + 1);
    switch (subject.slice(0, colon)) {
      case 'principal': this.#principals.forget(key); break;
      case 'session': this.#sessions.forget(key); break;
      case 'grant': this.#grants.forget(key); break;
      case 'token': this.#revoked.forget(key); break;
      case 'key': this.#voided.add(key); break;
      default: break;
    }
  }

  /** Who `id` would be with good and fresh evidence from there, or from anywhere, for explanations; `anonymous` is whoever has none. Refused as good evidence would be. */
  standing(id: string, address: string | undefined): Maybe<Identity> {
    if (id === 'anonymous') return this.anonymous;
    return after(this.#principals.find(id), (known) => ({
      ...standing(address === undefined && known !== undefined ? { ...known, record: { ...known.record, scope: everywhere } } : known, id, address ?? ''), provedAtMs: Infinity,
    }));
  }

  /** Somebody of that role who owns nothing; undefined when there is no such role. */
  standingOfRole(name: string): Identity | undefined {
    const role = this.#roles.get(name);
    // No principal is named so, but it is one.
    return role && { ...this.anonymous, principal: '', authenticated: true, kind: 'user', role: name, effective: role.permissions, provedAtMs: Infinity };
  }

  principal(id: string): Maybe<PrincipalRecord | undefined> { return after(this.#principals.find(id), (known) => known?.record); }

  /** A principal that code of this very process acts for, with its rights as they are now. */
  ofPrincipal(id: string, address: string): Maybe<Identity> { return after(this.#principals.find(id), (known) => standing(known, id, address)); }

  /** A bearer token: an access token, a job token of a worker, or an access token of another issuer. */
  byBearer(token: string, address: string): Maybe<Identity> {
    const nowSeconds = Math.floor(this.#clock() / 1_000);
    const access = this.#access.verify(token, nowSeconds);
    if (access.valid) return this.#byAccess(access, address);
    const job = this.#jobTokens.verify(token, nowSeconds);
    // Of another type than ours: the other issuers' or nobody's.
    if (!job.valid && this.#external !== undefined && access.reason === 'malformed' && job.reason === 'malformed') {
      return after(this.#external.identify(token, nowSeconds), (found) => this.#byExternal(found, address));
    }
    if (!job.valid) throw new EvidenceRefused(`token ${access.reason === 'malformed' ? job.reason : access.reason}`);
    const { claims, key } = job;
    return after(this.#principals.find(claims.sub), (known) => ({
      ...standing(known, claims.sub, address), via: 'job', job: claims, tokenId: claims.jti, keyId: key.id, issuedAtMs: claims.iat * 1_000, expiresAtMs: claims.exp * 1_000,
    }));
  }

  #byAccess({ claims, key }: Verified<'access'>, address: string): Maybe<Identity> {
    return after(this.#revoked.find(claims.jti), (revoked) => {
      if (revoked === true) throw new EvidenceRefused('token revoked', claims.sub);
      return after(this.#sessionBelow(claims.sid, claims.sub), (session) => after(this.#principals.find(claims.sub), (known) => {
        const identity = this.#narrow(claims, key, known, session, address);
        return claims.cid_access === undefined ? identity : after(this.#sharesOf(claims.jti), (shares) => ({ ...identity, shares }));
      }));
    });
  }

  #narrow(claims: ClaimsOf['access'], key: TokenKey, known: Known | undefined, session: LoginSession | undefined, address: string): Identity {
    const plain = standing(known, claims.sub, address);
    const before = this.#narrowed.get(claims);
    if (before !== undefined && before.record === known?.record) return before.identity;
    if (known === undefined || claims.iat * 1_000 < known.record.tokensValidFromMs) throw new EvidenceRefused('token issued before all were ended', claims.sub);
    const { record } = known;
    const role = claims.role === undefined ? undefined : this.#roles.get(claims.role);
    if (claims.role !== undefined && role === undefined) throw new EvidenceRefused('token names an unknown role', claims.sub);
    // Whoever knows a shared secret could have written this token.
    const shared = key.algorithm === 'HS256';
    if (shared && (record.role === 'admin' || !sharedSecretMayCarry(claims.role, claims.permissions))) throw new EvidenceRefused('more than a shared secret carries', claims.sub);
    const effective = effectivePermissions(record.rights, role?.permissions, claims.permissions);
    const identity: Identity = {
      ...plain, via: 'token', tokenId: claims.jti, keyId: key.id, sessionId: claims.sid, issuedAtMs: claims.iat * 1_000,
      expiresAtMs: Math.min(claims.exp * 1_000, session?.expiresAtMs ?? Infinity), tokenRole: claims.role, effective: shared ? sharedSecretRights(effective) : effective,
    };
    this.#narrowed.set(claims, { record, identity });
    return identity;
  }

  /** What the row of a token opens beside, while its issuer is in good standing and may share; whether it still holds that content, the holding says. */
  #sharesOf(jti: string): Maybe<TokenShares | undefined> {
    return after(this.#shares.find(jti), (shares) => after(shares && this.principal(shares.issuer), (issuer) =>
      (issuer === undefined || issuer.disabled || !issuer.rights.has('share_content') ? undefined : shares)));
  }

  #byExternal({ principal, role: tokenRole, issuedAtMs, expiresAtMs }: ExternalIdentity, address: string): Maybe<Identity> {
    return after(this.#principals.find(principal), (known) => {
      const plain = standing(known, principal, address);
      if (known === undefined || issuedAtMs < known.record.tokensValidFromMs) throw new EvidenceRefused('token issued before all were ended', principal);
      const role = this.#roles.get(tokenRole);
      if (role === undefined) throw new EvidenceRefused('token names an unknown role', principal);
      return { ...plain, via: 'token', issuedAtMs, expiresAtMs, tokenRole, effective: effectivePermissions(known.record.rights, role.permissions, undefined) };
    });
  }

  /** Whoever made a ticket, or exchanged one for a cookie: as it stands now, and with no more than it had then. What it is for is the caller's to check. */
  byPass(purpose: 'ticket' | 'playlist', token: string, address: string): Maybe<Identity> {
    const verdict = this.#passes[purpose].verify(token, Math.floor(this.#clock() / 1_000));
    if (!verdict.valid) throw new EvidenceRefused(`${purpose} ${verdict.reason}`);
    const { claims } = verdict;
    // A ticket only opens: what it opened lasts as long as what it stands on.
    const expiresAtMs = purpose === 'playlist' ? claims.exp * 1_000 : claims.end === undefined ? Infinity : claims.end * 1_000;
    return after(this.#principals.find(claims.sub), (known) => this.recheck({
      ...standing(known, claims.sub, address), via: purpose, pass: claims, passKeyId: verdict.key.id, tokenRole: claims.role, tokenId: claims.tid, keyId: claims.key, sessionId: claims.sid,
      issuedAtMs: claims.iat * 1_000, expiresAtMs, provedAtMs: 0, ...(claims.permissions === undefined ? {} : { effective: new Set(claims.permissions) }),
      // What a token shares beside is asked of its row.
      shares: claims.tid === undefined ? undefined : sharesNothing,
    }, address));
  }

  /** The cookie of a browser session: `<id>.<secret>`. */
  bySession(cookie: string, address: string): Maybe<Identity> {
    const [id = '', secret = '', ...rest] = cookie.split('.');
    if (rest.length > 0 || !/^[0-9A-Z]{26}$/.test(id) || secret.length > 128) throw new EvidenceRefused('session malformed');
    return after(this.#session(id), (session) => {
      const matches = matchesOneTimeSecret(loginSessionPurpose, secret, session?.secretHash ?? absentHash);
      if (session === undefined || !matches || session.ended || session.expiresAtMs <= this.#clock()) throw new EvidenceRefused('session unknown or ended');
      return after(this.#principals.find(session.principal), (known) =>
        ({ ...standing(known, session.principal, address), via: 'session', sessionId: session.id, expiresAtMs: session.expiresAtMs, provedAtMs: session.steppedUpAtMs }));
    });
  }

  /** The session that other evidence came of, which ends with it: by hand, by time, or because nobody used it. */
  #sessionBelow(id: string | undefined, claimed: string): Maybe<LoginSession | undefined> {
    return id === undefined ? undefined : after(this.#session(id), (session) => {
      if (session === undefined || session.ended || session.expiresAtMs <= this.#clock()) throw new EvidenceRefused('session ended', claimed);
      return session;
    });
  }

  /** A session that was not used for too long is over; whether it was, the row says, not what is remembered of it. */
  #session(id: string): Maybe<LoginSession | undefined> {
    const isIdle = (session: LoginSession | undefined): boolean => session !== undefined && session.lastUsedAtMs + this.#sessionIdleMs <= this.#clock();
    return after(this.#sessions.find(id), (known) => {
      if (!isIdle(known)) return known;
      this.#sessions.forget(id);
      return after(this.#sessions.find(id), (read) => (isIdle(read) ? undefined : read));
    });
  }

  /**
   * What a trusted proxy says: the name of a principal, which has to exist, and a role, which narrows it; a role alone is the principal
   * that everyone with that role shares.
   */
  byProxy({ user, role }: Readonly<{ user: string | undefined; role: string | undefined }>, address: string): Maybe<Identity> {
    const given = role === undefined ? undefined : this.#roles.get(role);
    if (role !== undefined && given === undefined) throw new EvidenceRefused('the proxy names a role that there is not', user ?? '');
    if (user !== undefined && !wellFormedPrincipal(user)) throw new EvidenceRefused('the proxy names no principal');
    const id = user ?? `proxy:${role ?? ''}`;
    return after(this.#principals.find(id), (known) => {
      const identity = standing(known, id, address);
      return { ...identity, via: 'proxy', tokenRole: user === undefined ? undefined : role, effective: effectivePermissions(identity.effective, given?.permissions, undefined) };
    });
  }

  /**
   * A `dffmpeg` request signature over a body whose digest is known. Every refusal costs two verifications, whatever is known of the
   * principal. Returns the identity and the MAC, which is the request's name in the replay store.
   */
  bySignature(
    claim: Readonly<{ principal: string; timestamp: string; signature: string }>, { method, path, bodyDigest }: Readonly<{ method: string; path: string; bodyDigest: string }>, address: string,
  ): Maybe<Signed> {
    return after(wellFormedPrincipal(claim.principal) ? this.#principals.find(claim.principal) : undefined, (known) => {
      const nowMs = this.#clock();
      const usable = usableAt(known, address);
      const request = { method, path, bodyDigest, timestamp: claim.timestamp, signature: claim.signature };
      let keyId = '';
      const mac = byEither(liveKeys(usable, 'hmac-sha256', nowMs), (key) => {
        keyId = key?.id ?? '';
        return verifyDffmpeg(key?.key, request, Number(claim.timestamp));
      });
      if (usable === undefined || mac === undefined) throw refusedSignature(known, usable, claim.principal);
      const skew = requireTimely(Number(claim.timestamp), nowMs, usable.record);
      return { identity: { ...usable.identity, provedAtMs: nowMs, signedBy: keyId }, mac, validUntilMs: (Number(claim.timestamp) + skew + 1) * 1_000 };
    });
  }

  /**
   * An `http-message` signature, read but not verified: the principal is its `keyid`. The body's digest is the caller's to compare.
   * Every refusal costs two verifications, whatever is known of the principal.
   */
  byMessage(read: ReadSignature, address: string): Maybe<Signed> {
    return after(wellFormedPrincipal(read.keyId) ? this.#principals.find(read.keyId) : undefined, (known) => {
      const nowMs = this.#clock();
      const usable = usableAt(known, address);
      // The length tells the algorithm, so that a key of the other one does not end the check early.
      const keys = liveKeys(usable, read.signature.length === 32 ? 'hmac-sha256' : 'ed25519', nowMs);
      let keyId = '';
      const mac = byEither(keys, (key) => {
        keyId = key?.id ?? '';
        return verifySignature(read, key && messageKey(read.keyId, key), read.createdSeconds) ? read.signature : undefined;
      });
      if (usable === undefined || mac === undefined) throw refusedSignature(known, usable, read.keyId);
      const skew = requireTimely(read.createdSeconds, nowMs, usable.record);
      return { identity: { ...usable.identity, provedAtMs: nowMs, signedBy: keyId }, mac, validUntilMs: (read.createdSeconds + skew + 1) * 1_000 };
    });
  }

  /** The grant of a signed link, if token and row hold now, from here. Refused ones throw `policy.refused`: whoever holds one had it from its issuer. */
  grant(token: string, address: string): Maybe<HeldGrant> {
    const verdict = this.#grantTokens.verify(token, Math.floor(this.#clock() / 1_000));
    if (!verdict.valid) {
      if (verdict.reason === 'expired') throw new WeirError('policy.refused', 'This link has expired; ask its owner for a new one.');
      throw new EvidenceRefused(`grant ${verdict.reason}`);
    }
    return this.grantById(verdict.claims.jti, address);
  }

  /** The grant again, from its row: after its epoch moved. */
  grantById(id: string, address: string): Maybe<HeldGrant> {
    return this.#grants.held(id, address);
  }

  /** Whether what an identity came from still holds: asked again for running streams after an epoch moved. */
  recheck(identity: Identity, address: string): Maybe<Identity> {
    const { principal, tokenId, keyId, passKeyId, sessionId } = identity;
    if (!identity.authenticated || principal === undefined) return identity;
    if (identity.expiresAtMs <= this.#clock()) throw new EvidenceRefused('evidence expired', principal);
    if (keyId !== undefined && !this.#keys[identity.via === 'job' ? 'job' : 'access'].has(keyId)) throw new EvidenceRefused('key withdrawn', principal);
    if (passKeyId !== undefined && this.#voided.has(passKeyId)) throw new EvidenceRefused('key withdrawn', principal);
    return after(tokenId === undefined || identity.via === 'job' ? false : this.#revoked.find(tokenId), (revoked) => {
      if (revoked === true) throw new EvidenceRefused('token revoked', principal);
      return after(this.#sessionBelow(sessionId, principal), () => after(this.#principals.find(principal), (known) => {
        const now = standing(known, principal, address);
        if (known !== undefined && identity.issuedAtMs < known.record.tokensValidFromMs) throw new EvidenceRefused('token issued before all were ended', principal);
        if (identity.signedBy !== undefined && !hasLiveKey(known, identity.signedBy, this.#clock())) throw new EvidenceRefused('key replaced', principal);
        const kept = [...identity.effective].filter((permission) => now.effective.has(permission));
        const still = { ...identity, role: now.role, effective: new Set(kept) };
        return identity.shares === undefined || tokenId === undefined ? still : after(this.#sharesOf(tokenId), (shares) => ({ ...still, shares }));
      }));
    });
  }
}

/** A principal's row, and who it is to a request that it signed itself. */
type Known = Readonly<{ record: PrincipalRecord; identity: Identity }>;
/** `mac` is the request's name in the replay store, until `validUntilMs`. */
type Signed = Readonly<{ identity: Identity; mac: Buffer; validUntilMs: number }>;

const plainIdentity = (record: PrincipalRecord): Identity => ({
  principal: record.id, authenticated: true, kind: record.kind, role: record.role, tokenRole: undefined, effective: record.rights,
  via: 'signature', tokenId: undefined, keyId: undefined, sessionId: undefined, issuedAtMs: Infinity, expiresAtMs: Infinity, provedAtMs: 0, job: undefined,
});

/** A principal in good standing at this address, with its rights; otherwise refused. */
function standing(known: Known | undefined, claimed: string, address: string): Identity {
  if (known === undefined) throw new EvidenceRefused('principal unknown', claimed);
  if (known.record.disabled) throw new EvidenceRefused('principal disabled', claimed);
  if (!known.record.scope.contains(address)) throw new EvidenceRefused('network scope', claimed);
  return known.identity;
}

const usableAt = (known: Known | undefined, address: string): Known | undefined =>
  (known !== undefined && !known.record.disabled && known.record.scope.contains(address) ? known : undefined);

function refusedSignature(known: Known | undefined, usable: Known | undefined, claimed: string): EvidenceRefused {
  return new EvidenceRefused(known === undefined ? 'principal unknown' : usable === undefined ? 'disabled or network scope' : 'signature', claimed);
}

/** The skew that its principal may have. Asked after the signature, which was verified as of its own time: whoever can't sign hears nothing about clocks. */
function requireTimely(signedSeconds: number, nowMs: number, { id, maxSkewSeconds }: PrincipalRecord): number {
  const skew = Math.min(maxSkewSeconds, greatestMaxSkewSeconds);
  if (Math.abs(Math.floor(nowMs / 1_000) - signedSeconds) > skew) throw new EvidenceRefused('clock', id, true);
  return skew;
}

const hasLiveKey = (known: Known | undefined, id: string, nowMs: number): boolean => known?.record.keys.some((key) => key.id === id && key.expiresAtMs > nowMs) ?? false;

const liveKeys = (usable: Known | undefined, algorithm: RequestKey['algorithm'], nowMs: number): readonly RequestKey[] =>
  usable?.record.keys.filter((entry) => entry.algorithm === algorithm && entry.expiresAtMs > nowMs) ?? [];

/** The newest key, then the one whose overlap runs: two attempts before any refusal, against a dummy where there is no key. */
const byEither = <T>(keys: readonly RequestKey[], verify: (key: RequestKey | undefined) => T | undefined): T | undefined => verify(keys[0]) ?? verify(keys[1]);

const messageKey = (id: string, { algorithm, key }: RequestKey): MessageKey =>
  (algorithm === 'ed25519' ? { id, algorithm, public: key } : { id, algorithm, secret: key });

const sharesNothing: TokenShares = { issuer: '', holdings: new Set() };
const wellFormedPrincipal = (id: string): boolean => /^[a-z0-9._-]{1,64}$/.test(id);
const absentHash = '0'.repeat(64);
