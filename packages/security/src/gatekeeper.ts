/**
 * The one gate: every route, message and socket asks it with an action and a resource. Refusal is the default, and every refusal is counted
 * for the audit. What it answers about content holds until an epoch moves; running streams then ask again.
 */
import { systemClock, type Clock } from '@weir/contracts/clock';
import { WeirError, type ErrorCode } from '@weir/contracts/errors';
import { actions, stepUpWindowMs, type Action, type ActionName } from './actions.ts';
import { RefusalTally, type AuditEntry } from './audit.ts';
import type { Epochs } from './epochs.ts';
import { EvidenceRefused, type Identities, type Identity } from './identity.ts';
import type { Maybe } from './maybe.ts';
import { limitKey } from './networks.ts';
import type { HeldGrant } from './principals.ts';
import { admitHolding, type Holding, type Subject, type Trace, type TraceStep } from './rights.ts';

/** What an action is done to. */
export type Resource =
  /** Nothing that anybody owns, or something the caller is about to own. */
  | Readonly<{ kind: 'none' }>
  /** The caller's own rows, found by the caller's id; with `owner`, somebody else's, which needs the action's `all` permission. */
  | Readonly<{ kind: 'own'; owner?: string | undefined }>
  /** One row that has an owner. */
  | Readonly<{ kind: 'object'; type: ObjectType; id: string }>
  /** Content by the hex digest of its multihash: the policies of its holdings decide. With `owner`, that holding alone, by `content.read_any`. */
  | Readonly<{ kind: 'content'; digest: string; owner?: string | undefined }>
  /** One holding by its id: its policy decides. */
  | Readonly<{ kind: 'library'; id: string }>
  /** One part (`input:0`, `output:a.mp4`) of a job that the caller holds the lease of. */
  | Readonly<{ kind: 'job-part'; job: string; part: string }>;
export type ObjectType = 'job' | 'grant' | 'token' | 'login_session' | 'passkey' | 'holding';

/** Reads what objects belong to whom. */
export interface ObjectStore<H extends Holding> {
  ownerOf(type: ObjectType, id: string): Promise<string | undefined>;
  holdingsOf(digest: string): Promise<readonly H[]>;
  holding(id: string): Promise<H | undefined>;
  isLeasedTo(job: string, worker: string): Promise<boolean>;
}

export type AccessRequest = Readonly<{
  identity: Identity;
  action: ActionName;
  resource: Resource;
  address: string;
  requestId: string;
  /** The grant of a signed link, already checked. */
  grant?: HeldGrant | undefined;
  /** Groups the requests of one player: they count as one opening. */
  client?: string | undefined;
  /** The epoch that this node had read before it checked the evidence; the present one when left out. */
  since?: number | undefined;
  /** Set by `explain`: what would be decided then. It is told to `trace`, and a refusal is not counted. */
  hypothesis?: Readonly<{ atMs: number; trace: Trace }> | undefined;
}>;

/** What `admit` would answer, and the clauses that it looked at; `reason` is the last word, `code` that of the error. */
export type Explanation = Readonly<{ allowed: boolean; code: ErrorCode | undefined; reason: string; steps: readonly TraceStep[] }>;

export type Admission<H extends Holding> = Readonly<{
  identity: Identity;
  action: ActionName;
  address: string;
  reason: string;
  grant: HeldGrant | undefined;
  client: string;
  /** The holding that was admitted, when the resource is content. */
  holding: H | undefined;
  /** Whose rights move this decision when they move. */
  subjects: readonly string[];
  /** The epoch that this node had read before it read anything else for this decision: whoever lets something run asks again if it moved. */
  sequence: number;
}>;

type Dated = AccessRequest & Readonly<{ since: number }>;

type Parts<H extends Holding> = Readonly<{
  identities: Identities; epochs: Epochs; objects: ObjectStore<H>; clock?: Clock;
  /** How many other clients read a holding now by the same right. */
  openings: (viewer: string, holding: string, client: string) => number;
  /** False while the audit log can't be written. */
  auditWorks: () => boolean;
}>;

export class Gatekeeper<H extends Holding = Holding> {
  readonly identities: Identities;
  readonly epochs: Epochs;
  readonly refusals = new RefusalTally();
  readonly #counted = new WeakSet<Error>();
  readonly #objects: ObjectStore<H>;
  readonly #clock: Clock;
  readonly #openings: Parts<H>['openings'];
  readonly #auditWorks: () => boolean;

  constructor({ identities, epochs, objects, openings, auditWorks, clock = systemClock }: Parts<H>) {
    this.identities = identities;
    this.epochs = epochs;
    this.#objects = objects;
    this.#openings = openings;
    this.#auditWorks = auditWorks;
    this.#clock = clock;
  }

  /** Admits or throws. Permissions are answered at once; objects and content need the store. */
  admit(request: AccessRequest): Maybe<Admission<H>> {
    // Taken before the rows are read: one that is read while its epoch moves may be the old one.
    const dated = { ...request, since: request.since ?? this.epochs.sequence };
    if (!this.epochs.fresh) return this.epochs.ensureFresh().then(() => this.#admit(dated));
    return this.#admit(dated);
  }

  /** The very admission, at a time of choice and without a trace in the audit: whether, and by which clauses. */
  async explain(request: AccessRequest, atMs: number = this.#clock()): Promise<Explanation> {
    const steps: TraceStep[] = [];
    const trace: Trace = (step) => { steps.push(step); };
    try {
      const { reason } = await this.admit({ ...request, hypothesis: { atMs, trace } });
      return { allowed: true, code: undefined, reason, steps };
    } catch (error) {
      const last = steps.at(-1);
      // Every refusal is traced last; anything else failed and is no answer.
      if (!(error instanceof WeirError) || last === undefined || last.held) throw error;
      return { allowed: false, code: error.code, reason: last.clause, steps };
    }
  }

  #admit(request: Dated): Maybe<Admission<H>> {
    const { resource } = request;
    const action: Action = actions[request.action];
    if (resource.kind === 'content' || resource.kind === 'library') return this.#admitContent(request, action, resource);
    this.#requirePermission(request, action);
    if (action.privileged === 'grants' && !this.#auditWorks()) throw this.refuse(request, 'audit.unavailable', 'audit unavailable');
    if (action.stepUp === true) this.requireStepUp(request);
    switch (resource.kind) {
      case 'none': return this.#admission(request, 'permission');
      case 'own': {
        if (request.identity.principal === undefined) throw this.refuse(request, 'identity.required', 'authentication');
        if (resource.owner === undefined || resource.owner === request.identity.principal) return this.#admission(request, 'own');
        if (!this.#reachesAll(request, action)) throw this.refuse(request, 'object.absent', 'owner');
        return this.#admission(request, 'all');
      }
      case 'object': return this.#admitObject(request, action, resource.type, resource.id);
      case 'job-part': return this.#admitPart(request, resource);
    }
  }

  #requirePermission(request: AccessRequest, action: Action): void {
    const { identity } = request;
    if (action.anonymous === true) return;
    if (identity.via === 'job' && request.resource.kind !== 'job-part') throw this.refuse(request, 'identity.required', 'job token outside its part');
    if (action.permissions.length === 0) {
      if (!identity.authenticated) throw this.refuse(request, 'identity.required', 'authentication');
      return;
    }
    const held = action.permissions.find((permission) => identity.effective.has(permission));
    if (held !== undefined) {
      request.hypothesis?.trace({ clause: `permission ${held}`, held: true });
      return;
    }
    // Whether the worker holds that job is asked when the job is known; a list has none that it could hold.
    if (action.leased === true && identity.effective.has('run_jobs') && (request.resource.kind === 'object' || request.resource.kind === 'job-part')) return;
    if (!identity.authenticated) throw this.refuse(request, 'identity.required', 'authentication');
    throw this.refuse(request, 'permission.refused', `permission ${action.permissions[0]}`, { missing: action.permissions[0] ?? '' });
  }

  /** `step_up.required` unless the caller proved within the last ten minutes who they are. For what only some calls of an action ask for. */
  requireStepUp(request: Pick<AccessRequest, 'identity' | 'action' | 'address' | 'requestId' | 'hypothesis'>): void {
    if (request.identity.provedAtMs <= this.#clock() - stepUpWindowMs) throw this.refuse(request, 'step_up.required', 'step-up');
    request.hypothesis?.trace({ clause: 'step-up', held: true });
  }

  /** For calls of a milder action that turn out to grant: what `admit` asks of privileged ones, and a fresh proof. `audit.unavailable`, `step_up.required`. */
  requirePrivilege(request: Parameters<Gatekeeper['requireStepUp']>[0]): void {
    if (!this.#auditWorks()) throw this.refuse(request, 'audit.unavailable', 'audit unavailable');
    this.requireStepUp(request);
  }

  #reachesAll({ identity }: AccessRequest, action: Action): boolean {
    return action.all !== undefined && identity.effective.has(action.all);
  }

  async #admitObject(request: Dated, action: Action, type: ObjectType, id: string): Promise<Admission<H>> {
    const { identity } = request;
    const mayOwn = action.permissions.length === 0 || action.permissions.some((permission) => identity.effective.has(permission));
    const owner = await this.#objects.ownerOf(type, id);
    if (owner === undefined) throw this.refuse(request, 'object.absent', 'absent');
    if (mayOwn && owner === identity.principal) return this.#admission(request, 'own');
    if (mayOwn && this.#reachesAll(request, action)) return this.#admission(request, 'all');
    if (type === 'job' && action.leased === true && identity.effective.has('run_jobs') && identity.principal !== undefined
      && await this.#objects.isLeasedTo(id, identity.principal)) return this.#admission(request, 'leased');
    throw this.refuse(request, 'object.absent', 'owner');
  }

  async #admitPart(request: Dated, { job, part }: { job: string; part: string }): Promise<Admission<H>> {
    const claims = request.identity.job;
    if (claims === undefined || claims.job !== job || claims.object !== part) throw this.refuse(request, 'object.absent', 'no token for this part');
    if (!await this.#objects.isLeasedTo(job, claims.sub)) throw this.refuse(request, 'job.lease_lost', 'lease');
    return this.#admission(request, 'leased');
  }

  async #admitContent(
    request: Dated, action: Action, resource: Extract<Resource, { kind: 'content' | 'library' }>,
  ): Promise<Admission<H>> {
    if (resource.kind === 'content' && resource.owner !== undefined) return this.#admitAny(request, resource.digest, resource.owner);
    const { identity } = request;
    if (identity.via === 'job') throw this.refuse(request, 'identity.required', 'job token outside its part');
    // Callers with evidence need the permission itself too; others are the policy's business alone.
    const speaksForPrincipal = identity.authenticated && request.grant === undefined;
    const mayAtAll = action.permissions.some((permission) => identity.effective.has(permission));
    if (speaksForPrincipal && mayAtAll) request.hypothesis?.trace({ clause: `permission ${action.permissions[0]}`, held: true });
    if (speaksForPrincipal && !mayAtAll) {
      throw this.refuse(request, 'permission.refused', `permission ${action.permissions[0]}`, { missing: action.permissions[0] ?? '' });
    }
    const holdings = resource.kind === 'content' ? await this.#objects.holdingsOf(resource.digest) : await this.#one(resource.id);
    const own = holdings.filter((holding) => holding.owner === identity.principal);
    // Of the holding that is decided first, an own one if there is one, or of the one that a grant names.
    let reason = 'absent';
    for (const holding of [...own, ...holdings.filter((other) => other.owner !== identity.principal)]) {
      const decision = this.#decide(request, holding);
      if (decision.allowed) return this.#admission(request, decision.reason, holding);
      if (reason === 'absent' || holding.id === request.grant?.holding) reason = decision.reason;
    }
    const known = own.length > 0 || request.grant !== undefined;
    // A foreign and an absent object are the same 404; who owns it, or holds a grant for it, is told why.
    throw this.refuse(request, known ? 'policy.refused' : 'object.absent', reason, known ? { clause: reason } : {});
  }

  async #one(id: string): Promise<readonly H[]> {
    const holding = await this.#objects.holding(id);
    return holding === undefined ? [] : [holding];
  }

  /** One named owner's holding, for who holds `read_any_content`. Each use is an audit event of its own. */
  async #admitAny(request: Dated, digest: string, owner: string): Promise<Admission<H>> {
    const holdings = await this.#objects.holdingsOf(digest);
    const holding = holdings.find((candidate) => candidate.owner === owner);
    if (owner === request.identity.principal && holding !== undefined) {
      const decision = this.#decide(request, holding);
      if (decision.allowed) return this.#admission(request, decision.reason, holding);
    }
    const any = { ...request, action: 'content.read_any' as const };
    this.#requirePermission(any, actions['content.read_any']);
    if (holding === undefined) throw this.refuse(any, 'object.absent', 'absent');
    return this.#admission(any, 'read_any_content', holding);
  }

  #decide(
    { identity, grant, address, client = '', hypothesis }: Pick<AccessRequest, 'identity' | 'grant' | 'address' | 'client' | 'hypothesis'>, holding: H,
  ): { allowed: boolean; reason: string } {
    const principal = identity.principal;
    const granted = grant !== undefined && grant.holding === holding.id && grant.issuer === holding.owner && grant.verbs.includes('read')
      && (grant.principal === undefined || grant.principal === principal);
    const subject: Subject = { principal, authenticated: identity.authenticated, role: identity.role, tokenRole: identity.tokenRole, effective: identity.effective, address };
    return admitHolding(holding, {
      subject, nowMs: hypothesis?.atMs ?? this.#clock(), trace: hypothesis?.trace, granted: granted || isShared(identity, holding) ? new Set([holding.id]) : none,
      open: this.#openings(viewerKey(identity, grant, address), holding.id, client),
    });
  }

  /** Whether a running stream may go on. Asked when an epoch that it depends on moved, and when its evidence or policy ends by time. */
  async goesOn(admission: Admission<H>): Promise<{ allowed: boolean; reason: string }> {
    const { action, address, holding } = admission;
    try {
      await this.epochs.ensureFresh();
      const identity = await this.identities.recheck(admission.identity, address);
      const grant = admission.grant === undefined ? undefined : await this.identities.grantById(admission.grant.id, address);
      const needed: Action = actions[action];
      if (identity.authenticated && grant === undefined && needed.permissions.length > 0
        && !needed.permissions.some((permission) => identity.effective.has(permission))) return { allowed: false, reason: 'permission' };
      if (holding === undefined) return { allowed: true, reason: 'permission' };
      const current = await this.#objects.holding(holding.id);
      if (current === undefined) return { allowed: false, reason: 'absent' };
      if (action === 'content.read_any') return { allowed: true, reason: 'read_any_content' };
      return this.#decide({ identity, grant, address, client: admission.client }, current);
    } catch (error) {
      if (error instanceof EvidenceRefused) return { allowed: false, reason: error.reason };
      if (error instanceof WeirError) return { allowed: false, reason: error.code === 'policy.refused' ? 'grant' : error.code };
      throw error;
    }
  }

  #admission(request: Dated, reason: string, holding?: H): Admission<H> {
    const { identity, action, address, grant, client = '' } = request;
    request.hypothesis?.trace({ clause: reason, held: true });
    return {
      identity, action, address, reason, grant, client, holding, sequence: request.since,
      subjects: holding === undefined ? [] : subjectsOf(identity, grant, holding),
    };
  }

  /** Counts a refusal for the audit and makes the error that the caller sees. */
  refuse(
    request: Pick<AccessRequest, 'identity' | 'action' | 'address' | 'requestId' | 'hypothesis'> & { resource?: Resource }, code: ErrorCode, reason: string,
    facts: Record<string, string> = {},
  ): WeirError {
    if (request.hypothesis === undefined) this.refusals.add(refusal(request.identity.principal ?? '', request, reason));
    else request.hypothesis.trace({ clause: reason, held: false });
    const missing = facts['missing'];
    const error = new WeirError(code, missing === undefined ? undefined : `Your role does not allow this: the permission ${missing} is needed.`, { facts });
    this.#counted.add(error);
    return error;
  }

  /** Counts a refusal that others decided: a link that ended, a token with more than its issuer has, a foreign origin. Whatever is no refusal, or is counted, is left alone. */
  noteRefusal(error: unknown, request: Pick<AccessRequest, 'action' | 'address' | 'requestId'> & { identity?: Identity; resource?: Resource }): void {
    if (!(error instanceof WeirError) || this.#counted.has(error) || !isRefusal(error)) return;
    const [said = ''] = error.message.split(/[;:]/);
    this.refusals.add(refusal(request.identity?.principal ?? '', request, said.slice(0, longestReason)));
  }

  /** Counts refused evidence; the caller gets the same 401 whatever the reason was. */
  refuseEvidence(error: EvidenceRefused, request: Pick<AccessRequest, 'action' | 'address' | 'requestId'>): void {
    this.refusals.add(refusal(error.claimed, request, error.reason));
  }
}

const none: ReadonlySet<string> = new Set();
const longestReason = 200;

/** Evidence that was refused is counted with its own reason, and too many requests as such. */
const isRefusal = ({ code, status, cause }: WeirError): boolean => (status === 403 || status === 421 || code === 'invite.invalid') && !(cause instanceof WeirError);

/** Who an opening counts for: the principal, or the grant together with the address when a link is used without an account. */
export function viewerKey(identity: Identity, grant: HeldGrant | undefined, address: string): string {
  return grant === undefined ? (identity.principal ?? `address:${limitKey(address)}`) : `grant:${grant.id}:${limitKey(address)}`;
}

/** Whether its token's issuer, who is this holding's owner, lets it in. */
const isShared = ({ shares }: Identity, holding: Holding): boolean => shares !== undefined && shares.issuer === holding.owner && shares.holdings.has(holding.id);

/** What a caller's evidence depends on: whoever of these moves may have ended it. */
export const subjectsOfEvidence = ({ principal, tokenId, keyId, passKeyId, sessionId }: Identity): string[] =>
  Object.entries({ principal: [principal], token: [tokenId], key: [keyId, passKeyId], session: [sessionId] })
    .flatMap(([kind, ids]) => ids.filter((id) => id !== undefined).map((id) => `${kind}:${id}`));

function subjectsOf(identity: Identity, grant: HeldGrant | undefined, holding: Holding): string[] {
  return [
    `holding:${holding.id}`,
    ...subjectsOfEvidence(identity),
    ...(identity.shares === undefined ? [] : [`principal:${identity.shares.issuer}`]),
    ...(grant === undefined ? [] : [...grant.chain.map((id) => `grant:${id}`), `principal:${grant.issuer}`]),
  ];
}

function refusal(principal: string, request: Pick<AccessRequest, 'action' | 'address' | 'requestId'> & { resource?: Resource }, reason: string): AuditEntry {
  return {
    class: 'C', principal, address: limitKey(request.address), action: request.action, object: objectName(request.resource),
    decision: 'refused', reason, requestId: request.requestId,
  };
}

export function objectName(resource: Resource | undefined): string {
  switch (resource?.kind) {
    case 'object': return `${resource.type}:${resource.id}`;
    case 'content': return `content:${resource.digest}`;
    case 'library': return `holding:${resource.id}`;
    case 'job-part': return `job:${resource.job}/${resource.part}`;
    case 'own': case 'none': case undefined: return '';
  }
}
