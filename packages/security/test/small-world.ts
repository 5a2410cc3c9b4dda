/** A few principals, sessions, tokens and grants in memory, whose rows a test changes and whose epochs it moves. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { Epochs } from '../src/epochs.ts';
import type { ExternalIssuers } from '../src/external-issuers.ts';
import { Gatekeeper, type ObjectStore } from '../src/gatekeeper.ts';
import { EvidenceRefused, Identities, loginSessionPurpose } from '../src/identity.ts';
import { compileNetworks, everywhere } from '../src/networks.ts';
import { hashOneTimeSecret, makeOneTimeSecret } from '../src/one-time-secrets.ts';
import type { GrantRecord, LoginSession, PrincipalRecord, TokenShares } from '../src/principals.ts';
import type { Holding } from '../src/rights.ts';
import { builtinRoles } from '../src/roles.ts';
import { newTokenKey, type TokenKey } from '../src/token-keys.ts';
import { signToken } from '../src/tokens.ts';
import type { ClaimsOf, TokenPurpose } from '../src/token-claims.ts';

const [issuer, audience] = ['weir:small', 'weir:small'];
export const here = '192.0.2.1';
/** Where the worlds' clocks begin, in seconds. */
export const nowSeconds = 1_800_000_000;
export const sessionId = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
export const sessionSecret = makeOneTimeSecret();

/** The reason and the name that the refusal carries; `admitted` when there is none. */
export async function refusal(asked: () => unknown): Promise<string> {
  try {
    await asked();
    return 'admitted';
  } catch (error) {
    if (error instanceof EvidenceRefused) return `${error.reason} [${error.claimed}]`;
    if (error instanceof Error && 'code' in error) return `${String(error.code)}: ${error.message}`;
    throw error;
  }
}

export class SmallWorld {
  nowMs = nowSeconds * 1_000;
  monotonicMs = 0;
  reads: string[] = [];
  auditWorks = true;
  open = 0;
  storeFails = false;
  /** Thrown by whoever reads objects, when set. */
  objectsFail: Error | undefined;
  /** What was asked last of the openings. */
  openingsAsked: readonly string[] = [];
  readonly principals = new Map<string, PrincipalRecord>();
  readonly sessions = new Map<string, LoginSession>();
  readonly grants = new Map<string, GrantRecord>();
  readonly revoked = new Set<string>();
  readonly shares = new Map<string, TokenShares>();
  readonly owners = new Map<string, string>();
  readonly leases = new Map<string, string>();
  holdings: Holding[] = [];
  readonly keys = { access: newTokenKey('access-1'), grant: newTokenKey('grant-1'), job: newTokenKey('job-1'), ticket: newTokenKey('ticket-1'), playlist: newTokenKey('playlist-1') } as const;
  readonly rings: Readonly<Record<TokenPurpose, Map<string, TokenKey>>> = {
    access: new Map([['access-1', this.keys.access]]), grant: new Map([['grant-1', this.keys.grant]]), job: new Map([['job-1', this.keys.job]]),
    ticket: new Map([['ticket-1', this.keys.ticket]]), playlist: new Map([['playlist-1', this.keys.playlist]]),
  };
  readonly epochs: Epochs;
  readonly identities: Identities;
  readonly gatekeeper: Gatekeeper;
  #sequence = 0;
  #moved: string[] = [];

  constructor(defaultRole = 'none', sessionIdleMs = Infinity, external?: ExternalIssuers) {
    this.epochs = new Epochs({
      since: async (sequence) => {
        if (this.storeFails) throw new Error('the store is down');
        return { sequence: this.#sequence, subjects: sequence === this.#sequence ? [] : this.#moved.splice(0) };
      },
    }, () => this.monotonicMs);
    this.identities = new Identities({
      store: {
        principal: async (id) => this.#read(`principal:${id}`, this.principals.get(id)), loginSession: async (id) => this.#read(`session:${id}`, this.sessions.get(id)),
        grant: async (id) => this.#read(`grant:${id}`, this.grants.get(id)), isTokenRevoked: async (jti) => this.revoked.has(jti), tokenShares: async (jti) => this.shares.get(jti),
      },
      roles: builtinRoles, defaultRole, sessionIdleMs, external, epochs: this.epochs, clock: () => this.nowMs, tokens: { issuer, audience, keys: this.rings },
    });
    const objects: ObjectStore<Holding> = {
      ownerOf: async (type, id) => this.#object(this.owners.get(`${type}:${id}`)), holdingsOf: async (digest) => (digest === 'd' ? this.holdings : []),
      holding: async (id) => this.#object(this.holdings.find((holding) => holding.id === id)), isLeasedTo: async (job, worker) => this.leases.get(job) === worker,
    };
    this.gatekeeper = new Gatekeeper({
      identities: this.identities, epochs: this.epochs, objects, clock: () => this.nowMs, openings: (...asked) => { this.openingsAsked = asked; return this.open; }, auditWorks: () => this.auditWorks,
    });
  }

  #read<T>(what: string, value: T): T {
    this.reads.push(what);
    return value;
  }

  #object<T>(value: T): T {
    if (this.objectsFail !== undefined) throw this.objectsFail;
    return value;
  }

  principal(id: string, { role = 'user', own = [], networks, ...rest }: Partial<Omit<PrincipalRecord, 'rights' | 'scope'>> & { own?: readonly string[]; networks?: readonly string[] } = {}): PrincipalRecord {
    const record: PrincipalRecord = {
      id, kind: 'user', role, rights: new Set([...builtinRoles.get(role)?.permissions ?? [], ...own]), scope: networks === undefined ? everywhere : compileNetworks(networks),
      disabled: false, tokensValidFromMs: 0, maxSkewSeconds: 30, keys: [], ...rest,
    };
    this.principals.set(id, record);
    return record;
  }

  session(principal: string, rest: Partial<LoginSession> = {}): string {
    this.sessions.set(sessionId, { id: sessionId, secretHash: hashOneTimeSecret(loginSessionPurpose, sessionSecret), principal, expiresAtMs: this.nowMs + 60_000, ended: false, steppedUpAtMs: 0, lastUsedAtMs: this.nowMs, ...rest });
    return `${sessionId}.${sessionSecret}`;
  }

  grant(id: string, rest: Partial<GrantRecord> = {}): GrantRecord {
    const record: GrantRecord = {
      id, issuer: 'alice', holding: 'h-alice', verbs: ['read'], principal: undefined, networks: everywhere, validFromMs: 0, expiresAtMs: this.nowMs + 60_000,
      revoked: false, usesLeft: undefined, parent: undefined, ...rest,
    };
    this.grants.set(id, record);
    return record;
  }

  token<P extends TokenPurpose>(purpose: P, claims: Partial<ClaimsOf[P]> = {}, key: TokenKey = this.keys[purpose]): string {
    const iat = Math.floor(this.nowMs / 1_000);
    const common = { iss: issuer, aud: audience, sub: 'alice', iat, nbf: iat, exp: iat + 60, jti: 'jti-1' };
    const own = { access: {}, grant: { object: 'h-alice', verbs: ['read'] }, job: { job: 'job-1', fence: 1, object: 'input:0', verbs: ['read'] }, ticket: { action: 'content.read', object: 'content:d' }, playlist: { object: 'content:d' } }[purpose];
    const anyPurpose: TokenPurpose = purpose;
    return signToken(anyPurpose, { ...common, ...own, ...claims }, key);
  }

  /** Tells the nodes that the rows of these subjects changed. */
  async move(...subjects: string[]): Promise<void> {
    this.#sequence += 1;
    this.#moved.push(...subjects);
    await this.epochs.refresh();
  }
}

export async function smallWorld(defaultRole?: string): Promise<SmallWorld> {
  const world = new SmallWorld(defaultRole);
  await world.epochs.refresh();
  return world;
}

export const hmacKey = (id = 'k1', expiresAtMs = Infinity) => ({ id, algorithm: 'hmac-sha256', key: createSecretKey(randomBytes(32)), expiresAtMs }) as const;
