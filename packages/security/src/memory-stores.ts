/** Stores of one process, bounded: what does not fit is refused, never forgotten to somebody's advantage. */
import { newUlid, systemClock, type Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { Policy } from '@weir/contracts/policies';
import { chainStart, hashEvent, type AuditEntry, type AuditEvent } from './audit.ts';
import { ChainVerifier, type Flaw } from './audit-verification.ts';
import type { EpochStore } from './epochs.ts';
import { compileNetworks, everywhere } from './networks.ts';
import { compilePolicy } from './policies.ts';
import type { GrantRecord } from './principals.ts';
import type { Holding } from './rights.ts';
import type { AuditSink, GrantStore, IssuedToken, NewGrant, PolicyStore, StreamingStores, TokenStore } from './streaming-stores.ts';

type Bounds = Readonly<{ tokens: number; policies: number; grants: number; moves: number; auditEvents: number }>;
const defaultBounds: Bounds = { tokens: 100_000, policies: 100_000, grants: 100_000, moves: 10_000, auditEvents: 10_000 };

export type MemoryStores = StreamingStores & Readonly<{ audit: MemoryAudit }>;

/** Everything is lost with the process: revoked tokens come back. Share a database between restarts and nodes. */
export function memoryStores(clock: Clock = systemClock, bounds: Partial<Bounds> = {}): MemoryStores {
  const limits = { ...defaultBounds, ...bounds };
  const epochs = new MemoryEpochs(limits.moves);
  return {
    epochs, audit: new MemoryAudit(clock, limits.auditEvents), tokens: new MemoryTokens(clock, epochs, limits.tokens),
    policies: new MemoryPolicies(epochs, limits.policies), grants: new MemoryGrants(clock, epochs, limits.grants),
  };
}

class MemoryEpochs implements EpochStore {
  readonly #limit: number;
  readonly #moves = new Map<string, number>();
  #sequence = 0;
  /** The newest move that is not remembered any more. */
  #forgotten = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  move(subject: string): void {
    this.#sequence += 1;
    this.#moves.delete(subject);
    this.#moves.set(subject, this.#sequence);
    if (this.#moves.size <= this.#limit) return;
    const [oldest] = this.#moves;
    if (oldest === undefined) return;
    this.#moves.delete(oldest[0]);
    this.#forgotten = oldest[1];
  }

  /** Who has not read what is forgotten by now has to ask about everything. */
  async since(sequence: number): Promise<{ sequence: number; subjects: readonly string[] }> {
    if (sequence === this.#sequence) return { sequence, subjects: [] };
    const moved = [...this.#moves].filter(([, at]) => at > sequence).map(([subject]) => subject);
    return { sequence: this.#sequence, subjects: sequence < this.#forgotten ? ['everything'] : moved };
  }
}

class MemoryTokens implements TokenStore {
  readonly #clock: Clock;
  readonly #epochs: MemoryEpochs;
  readonly #limit: number;
  readonly #issued = new Map<string, IssuedToken>();
  readonly #revoked = new Map<string, number>();
  readonly #validFromMs = new Map<string, number>();
  /** Where no more revocations can be remembered, everything older than that moment is revoked. */
  #allValidFromMs = 0;

  constructor(clock: Clock, epochs: MemoryEpochs, limit: number) {
    this.#clock = clock;
    this.#epochs = epochs;
    this.#limit = limit;
  }

  async issued(token: IssuedToken): Promise<void> {
    if (this.#issued.size >= this.#limit) dropEnded(this.#issued, ({ expiresAtMs }) => expiresAtMs, this.#clock());
    // Forgotten issuers only lose what their tokens share.
    if (this.#issued.size >= this.#limit) this.#issued.delete(this.#issued.keys().next().value ?? '');
    this.#issued.set(token.jti, token);
  }

  async issuerOf(jti: string): Promise<string | undefined> { return this.#issued.get(jti)?.issuer; }
  async isRevoked(jti: string): Promise<boolean> { return this.#revoked.has(jti); }

  async revoke(jti: string, expiresAtMs: number): Promise<void> {
    if (this.#revoked.size >= this.#limit) dropEnded(this.#revoked, (endMs) => endMs, this.#clock());
    if (this.#revoked.size >= this.#limit) this.#endEverybody();
    this.#revoked.set(jti, expiresAtMs);
    this.#epochs.move(`token:${jti}`);
  }

  async validFromMs(userId: string): Promise<number> { return Math.max(this.#allValidFromMs, this.#validFromMs.get(userId) ?? 0); }

  async endAll(userId: string, fromMs: number): Promise<void> {
    if (this.#validFromMs.size >= this.#limit) this.#endEverybody();
    this.#validFromMs.set(userId, fromMs);
    this.#epochs.move(`principal:${userId}`);
  }

  #endEverybody(): void {
    // Tokens are dated by what they come after, which can be later than now.
    let latestMs = Math.max(this.#clock(), this.#allValidFromMs);
    for (const fromMs of this.#validFromMs.values()) latestMs = Math.max(latestMs, fromMs);
    this.#allValidFromMs = (Math.floor(latestMs / 1_000) + 1) * 1_000;
    this.#revoked.clear();
    this.#validFromMs.clear();
    this.#epochs.move('everything');
  }
}

class MemoryPolicies implements PolicyStore {
  readonly #epochs: MemoryEpochs;
  readonly #limit: number;
  readonly #holdings = new Map<string, Map<string, Holding>>();
  #size = 0;

  constructor(epochs: MemoryEpochs, limit: number) {
    this.#epochs = epochs;
    this.#limit = limit;
  }

  async holdingsOf(digest: string): Promise<readonly Holding[]> { return [...this.#holdings.get(digest)?.values() ?? []]; }

  async setPolicy(digest: string, owner: string, policy: Policy): Promise<void> {
    const owners = this.#holdings.get(digest) ?? new Map<string, Holding>();
    const known = owners.get(owner);
    if (known === undefined && this.#size >= this.#limit) throw new WeirError('request.conflict', `At most ${this.#limit} policies are kept in memory; use stores of a database.`);
    if (known === undefined) this.#size += 1;
    const id = known?.id ?? newUlid();
    this.#holdings.set(digest, owners.set(owner, { id, owner, policy: compilePolicy(policy), ceilings: [] }));
    this.#epochs.move(`holding:${id}`);
  }
}

class MemoryGrants implements GrantStore {
  readonly #clock: Clock;
  readonly #epochs: MemoryEpochs;
  readonly #limit: number;
  readonly #grants = new Map<string, GrantRecord>();

  constructor(clock: Clock, epochs: MemoryEpochs, limit: number) {
    this.#clock = clock;
    this.#epochs = epochs;
    this.#limit = limit;
  }

  async addGrant({ networks, ...grant }: NewGrant): Promise<void> {
    if (this.#grants.size >= this.#limit) dropEnded(this.#grants, ({ expiresAtMs }) => expiresAtMs, this.#clock());
    if (this.#grants.size >= this.#limit) throw new WeirError('request.conflict', `At most ${this.#limit} grants are kept in memory; use stores of a database.`);
    const scope = networks.length === 0 ? everywhere : compileNetworks(networks);
    this.#grants.set(grant.id, { ...grant, networks: scope, revoked: false, parent: undefined });
  }

  async grant(id: string): Promise<GrantRecord | undefined> { return this.#grants.get(id); }

  async useGrant(id: string): Promise<boolean> {
    const grant = this.#grants.get(id);
    if (grant?.usesLeft === undefined) return grant !== undefined;
    if (grant.usesLeft < 1) return false;
    this.#grants.set(id, { ...grant, usesLeft: grant.usesLeft - 1 });
    return true;
  }

  async revokeGrant(id: string): Promise<void> {
    const grant = this.#grants.get(id);
    if (grant === undefined) throw new WeirError('object.absent');
    this.#grants.set(id, { ...grant, revoked: true });
    this.#epochs.move(`grant:${id}`);
  }
}

/** The last events of one chain; older ones leave, and the chain of those that stay is still checked link by link. */
export class MemoryAudit implements AuditSink {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #events: AuditEvent[] = [];
  #sequence = 0;
  #hash = chainStart;

  constructor(clock: Clock = systemClock, limit = defaultBounds.auditEvents) {
    this.#clock = clock;
    this.#limit = limit;
  }

  async append({ count = 1, ...entry }: AuditEntry): Promise<void> {
    const atMs = this.#clock();
    const event = { ...entry, count, id: newUlid(atMs), writer: 'memory', sequence: this.#sequence + 1, atMs, previousHash: this.#hash };
    const hash = hashEvent(event);
    this.#events.push({ ...event, hash });
    this.#sequence = event.sequence;
    this.#hash = hash;
    if (this.#events.length > this.#limit) this.#events.shift();
  }

  get events(): readonly AuditEvent[] { return this.#events; }

  /** The first event of `events` that was changed, left out or moved. They may begin in the middle of a chain. */
  static verify(events: readonly AuditEvent[]): Flaw | undefined {
    const [first] = events;
    if (first === undefined) return undefined;
    const verifier = new ChainVerifier({ writer: 'memory', checkpoints: [], keyOf: () => undefined, after: { sequence: first.sequence - 1, hash: first.previousHash } });
    for (const event of events) verifier.add(event);
    return verifier.finish();
  }
}

function dropEnded<K, V>(table: Map<K, V>, endOf: (value: V) => number, nowMs: number): void {
  for (const [key, value] of table) if (endOf(value) <= nowMs) table.delete(key);
}
