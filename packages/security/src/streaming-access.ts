/** Who may use which content of an application: its policies, its content keys (grants), and what is open by them now. */
import { newUlid, type Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { Cidr, PrincipalId } from '@weir/contracts/identity';
import { Policy, type PolicyLevel } from '@weir/contracts/policies';
import { z } from 'zod';
import { parseCid } from './content-id.ts';
import type { GrantRecord } from './principals.ts';
import { admitHolding, type Holding, type Subject } from './rights.ts';
import type { PurposeKeys } from './streaming-keys.ts';
import type { StreamingStores } from './streaming-stores.ts';
import { application, type StreamingClaims, type StreamingTokens } from './streaming-tokens.ts';
import { signToken, verifyToken } from './tokens.ts';
import type { WatchedRights } from './watched-rights.ts';

/** `reason` is for the audit and for the owner; strangers are told no more than that they were refused. */
export type AccessDecision = Readonly<{ allowed: boolean; reason: string; level?: PolicyLevel }>;

/** Absent lists name nobody. Without `owner` the content is the application's, and only those are admitted whom the policy names. */
export type ContentPolicy = Readonly<{
  level: PolicyLevel; owner?: string; allowedUsers?: readonly string[]; allowedRoles?: readonly string[]; requiredPermissions?: readonly string[];
  networks?: readonly string[]; validFrom?: Date; validUntil?: Date; maxConcurrentPerPrincipal?: number;
}>;

/** `userId`: for this user alone; `uses`: how often it may be used. */
export type ContentKeyOrder = Readonly<{ userId?: string; owner?: string; expiresInSeconds?: number; networks?: readonly string[]; uses?: number }>;

type Parts = Readonly<{ stores: StreamingStores; tokens: StreamingTokens; keys: PurposeKeys; issuer: string; clock: Clock; watched: WatchedRights }>;
type Caller = Readonly<{ claims?: StreamingClaims | undefined; address?: string | undefined }>;

export class StreamingAccess {
  readonly #parts: Parts;
  /** What is open, by user and content. */
  readonly #open = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async setPolicy(digest: string, {
    owner = application, level, allowedUsers, allowedRoles, requiredPermissions, networks, validFrom, validUntil, maxConcurrentPerPrincipal, ...unknown
  }: ContentPolicy): Promise<void> {
    const [strange] = Object.keys(unknown);
    // A condition in another spelling must not be passed over: without it the policy opens more than was meant.
    if (strange !== undefined) throw new WeirError('request.invalid', `The policy is refused: it has no ${JSON.stringify(strange.slice(0, 64))}; names are written as allowedUsers and validUntil are.`);
    const parsed = Policy.safeParse({
      level, allowed_users: allowedUsers, allowed_roles: allowedRoles, required_permissions: requiredPermissions, networks,
      valid_from: validFrom?.toISOString(), valid_until: validUntil?.toISOString(), max_concurrent_per_principal: maxConcurrentPerPrincipal,
    });
    if (!parsed.success) throw new WeirError('request.invalid', `The policy is refused: ${parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`);
    await this.#parts.stores.policies.setPolicy(digest, owner, parsed.data);
  }

  /** By the policies of all who hold this content, and by what the token shares. */
  async decide(digest: string, caller: Caller): Promise<AccessDecision> {
    return this.#decide(digest, caller, { open: this.#openBy(digest, caller) });
  }

  async #decide(digest: string, { claims, address }: Caller, { open, granted }: Readonly<{ open: number; granted?: string }>): Promise<AccessDecision> {
    const { stores, tokens, clock } = this.#parts;
    const subject = await tokens.subjectOf(claims, address);
    if (typeof subject === 'string') return { allowed: false, reason: subject };
    const holdings = await stores.policies.holdingsOf(digest);
    const shared = await this.#sharedBy(digest, claims, holdings);
    let reason = 'no policy';
    for (const holding of holdings) {
      const decision = admitHolding(holding, { subject, nowMs: clock(), open, granted: new Set([...shared, ...(granted === undefined ? [] : [granted])]) });
      if (decision.allowed) return { ...decision, level: levelOf(holding) };
      ({ reason } = decision);
    }
    return this.#readsAny(subject, holdings) ?? { allowed: false, reason };
  }

  #readsAny({ effective }: Subject, [holding]: readonly Holding[]): AccessDecision | undefined {
    return holding !== undefined && effective.has('read_any_content') ? { allowed: true, reason: 'read_any_content', level: levelOf(holding) } : undefined;
  }

  /** Holdings of this content that the issuer of the token owns, if the token shares it. */
  async #sharedBy(digest: string, claims: StreamingClaims | undefined, holdings: readonly Holding[]): Promise<string[]> {
    if (claims?.cidAccess.some((cid) => parseCid(cid).digest === digest) !== true) return [];
    const issuer = await this.#parts.stores.tokens.issuerOf(claims.tokenId);
    return issuer === undefined || !await this.#mayShare(issuer) ? [] : holdings.filter(({ owner }) => owner === issuer).map(({ id }) => id);
  }

  async #mayShare(issuer: string): Promise<boolean> {
    const { principals } = this.#parts.stores;
    if (issuer === application || principals === undefined) return true;
    const record = await principals.principal(issuer);
    return record !== undefined && !record.disabled && record.rights.has('share_content');
  }

  async createKey(digest: string, order: ContentKeyOrder): Promise<string> {
    const { userId, owner, expiresInSeconds, networks, uses } = parseKeyOrder(order);
    const { stores, keys, issuer, clock } = this.#parts;
    const holding = (await stores.policies.holdingsOf(digest)).find((candidate) => candidate.owner === owner);
    if (holding === undefined) throw new WeirError('object.absent', 'This content has no policy of that owner yet; set one first.');
    const [iat, jti] = [Math.floor(clock() / 1_000), newUlid(clock())];
    const exp = iat + expiresInSeconds;
    const key = signToken('grant', { iss: issuer, aud: issuer, sub: userId ?? 'anyone', iat, nbf: iat, exp, jti, object: `holding:${holding.id}`, verbs: ['read'] }, keys.signing());
    await stores.grants.addGrant({
      id: jti, issuer: owner, holding: holding.id, verbs: ['read'], principal: userId, networks,
      validFromMs: iat * 1_000, expiresAtMs: exp * 1_000, usesLeft: uses,
    });
    return key;
  }

  async verifyKey(key: string, digest: string, caller: Caller): Promise<AccessDecision> {
    const { grants } = this.#parts.stores;
    const verdict = this.#readKey(key);
    const grant = verdict.valid ? await grants.grant(verdict.claims.jti) : undefined;
    const refusal = verdict.valid ? await this.#refusalOf(grant, caller) : verdict.reason;
    if (grant === undefined || refusal !== undefined) return { allowed: false, reason: refusal ?? 'revoked' };
    const decision = await this.#decide(digest, caller, { open: this.#openBy(digest, caller), granted: grant.holding });
    if (!decision.allowed || decision.reason !== 'grant') return decision;
    return await grants.useGrant(grant.id) ? decision : { allowed: false, reason: 'used up' };
  }

  async #refusalOf(grant: GrantRecord | undefined, { claims, address }: Caller): Promise<string | undefined> {
    if (grant === undefined || grant.revoked || grant.expiresAtMs <= this.#parts.clock()) return 'revoked';
    // The chain of a narrowed grant is the gatekeeper's to check; keys made here have none.
    if (grant.parent !== undefined) return 'narrowed';
    if (!grant.networks.contains(address ?? '')) return 'network';
    if (grant.principal !== undefined && grant.principal !== claims?.userId) return 'who';
    return await this.#mayShare(grant.issuer) ? undefined : 'issuer';
  }

  async revokeKey(key: string): Promise<void> {
    const verdict = this.#readKey(key);
    if (!verdict.valid) throw new WeirError('request.invalid', 'This is no content key of this application, or it has expired.');
    await this.#parts.stores.grants.revokeGrant(verdict.claims.jti);
  }

  #readKey(key: string) {
    const { keys, issuer, clock } = this.#parts;
    return verifyToken(key, { purpose: 'grant', issuer, audience: issuer, keys: keys.all }, Math.floor(clock() / 1_000));
  }

  /** Until it is disposed, or `onEnd` was called; with a digest it counts as one opening of that content. */
  watch(claims: StreamingClaims | undefined, address: string | undefined, digest: string | undefined, onEnd: (reason: string) => void): Disposable {
    const { tokens, watched } = this.#parts;
    const opening = digest === undefined ? undefined : openingKey(digest, claims);
    const ended = async (): Promise<string | undefined> => {
      if (digest === undefined || opening === undefined) {
        const subject = await tokens.subjectOf(claims, address);
        return typeof subject === 'string' ? subject : undefined;
      }
      const decision = await this.#decide(digest, { claims, address }, { open: (this.#open.get(opening) ?? 1) - 1 });
      return decision.allowed ? undefined : decision.reason;
    };
    const open = new DisposableStack();
    if (opening !== undefined) open.adopt(this.#count(opening, 1), () => this.#count(opening, -1));
    open.use(watched.watch({
      movedBy: (subject) => subject === `token:${claims?.tokenId ?? ''}` || subject === `principal:${claims?.userId ?? ''}` || (digest !== undefined && subject.startsWith('holding:')),
      expiresAtMs: claims?.expiresAtMs ?? Infinity, ended, onEnd: (reason) => { open.dispose(); onEnd(reason); },
    }));
    return open;
  }

  #openBy(digest: string, { claims }: Caller): number {
    return this.#open.get(openingKey(digest, claims)) ?? 0;
  }

  #count(opening: string, by: 1 | -1): void {
    const now = (this.#open.get(opening) ?? 0) + by;
    if (now > 0) this.#open.set(opening, now);
    else this.#open.delete(opening);
  }
}

const KeyOrder = z.strictObject({
  userId: PrincipalId.optional(),
  owner: z.string().max(64).default(application),
  expiresInSeconds: z.int().min(1).max(31_536_000).default(3_600),
  networks: z.array(Cidr).max(100).default([]),
  uses: z.int().min(1).max(1_000_000).optional(),
});

function parseKeyOrder(order: ContentKeyOrder): z.output<typeof KeyOrder> {
  const parsed = KeyOrder.safeParse(order);
  if (!parsed.success) throw new WeirError('request.invalid', `No content key is made of this: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`);
  return parsed.data;
}

const openingKey = (digest: string, claims: StreamingClaims | undefined): string => `${digest} ${claims?.userId ?? ''}`;
const levelOf = ({ policy }: Holding): PolicyLevel => policy?.level ?? 'private';
