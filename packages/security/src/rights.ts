/**
 * The rights model: whether a request may read a holding. Pure: everything that decides is in the arguments.
 * A refusal names the first clause that failed, for `weir explain` and the audit; callers outside see only "refused".
 */
import type { PolicyLevel } from '@weir/contracts/policies';

/** A compiled policy; instants in milliseconds. */
export type AccessPolicy = Readonly<{
  level: PolicyLevel;
  allowedUsers: ReadonlySet<string>;
  allowedRoles: ReadonlySet<string>;
  requiredPermissions: readonly string[];
  /** Contains every address when no network is named. */
  networks: Readonly<{ contains(address: string): boolean }>;
  validFromMs: number;
  validUntilMs: number;
  maxConcurrentPerPrincipal: number;
}>;

/** What the inputs of a job allowed, when its submitter did not manage them. It binds beside the holding's own policy. */
export type Ceiling = Readonly<{ owner: string; policy: AccessPolicy | undefined }>;

export type Holding = Readonly<{ id: string; owner: string; policy: AccessPolicy | undefined; ceilings: readonly Ceiling[] }>;

export type Subject = Readonly<{
  /** Undefined: nobody. A caller who is not signed in acts as `anonymous` where the default role lets such callers own things. */
  principal: string | undefined;
  authenticated: boolean;
  role: string;
  /** The role that a token narrows to, if it names one. */
  tokenRole: string | undefined;
  /** `rights(principal)` cut down by what the token lists. */
  effective: ReadonlySet<string>;
  address: string;
}>;

export type AccessRequest = Readonly<{
  subject: Subject;
  nowMs: number;
  /** Holdings that a valid grant of this request names: verified, unexpired, unrevoked, its issuer still allowed to share. */
  granted: ReadonlySet<string>;
  /** Openings of this holding that the principal has now, not counting this one. */
  open: number;
  trace?: Trace | undefined;
}>;

/** A clause that was looked at on the way to a decision, and whether it held. `policy` is the one that says it, of a holding of `owner`; an input's, when `isInput`. */
export type TraceStep = Readonly<{ clause: string; held: boolean; owner?: string; policy?: AccessPolicy; isInput?: boolean }>;
/** Hears every clause in the order that the decision takes them in. */
export type Trace = (step: TraceStep) => void;

export type Decision = Readonly<{ allowed: boolean; reason: string }>;
const allow = (reason: string): Decision => ({ allowed: true, reason });
const refuse = (reason: string): Decision => ({ allowed: false, reason });

/** No policy: the owner only. */
export const ownerOnly: AccessPolicy = {
  level: 'private', allowedUsers: new Set(), allowedRoles: new Set(), requiredPermissions: [],
  networks: { contains: () => true }, validFromMs: 0, validUntilMs: Infinity, maxConcurrentPerPrincipal: Infinity,
};

export function admitHolding(holding: Holding, request: AccessRequest): Decision {
  const policy = holding.policy ?? ownerOnly;
  const { owner } = holding;
  const decision = admitPolicy({ owner, policy, isInput: false }, request.granted.has(holding.id), request);
  if (!decision.allowed) return decision;
  const hasRoom = request.open < policy.maxConcurrentPerPrincipal;
  request.trace?.({ clause: 'concurrency', held: hasRoom, owner, policy });
  if (!hasRoom) return refuse('concurrency');
  for (const ceiling of holding.ceilings) {
    const under = admitPolicy({ owner: ceiling.owner, policy: ceiling.policy ?? ownerOnly, isInput: true }, false, request);
    if (!under.allowed) return refuse(`input ${under.reason}`);
  }
  return decision;
}

type Rule = Readonly<{ owner: string; policy: AccessPolicy; isInput: boolean }>;

function admitPolicy(rule: Rule, granted: boolean, { subject, nowMs, trace }: AccessRequest): Decision {
  const { owner, policy } = rule;
  const holds = (clause: string, held: boolean): boolean => {
    trace?.({ clause, held, ...rule });
    return held;
  };
  if (!holds('window', nowMs >= policy.validFromMs && nowMs < policy.validUntilMs)) return refuse('window');
  if (!holds('network', policy.networks.contains(subject.address))) return refuse('network');
  // A public content needs no identity, but what a signed-in caller's token left out stays out.
  if (!holds('permission', policy.requiredPermissions.every((permission) => subject.effective.has(permission)))) return refuse('permission');
  if (holds('public', policy.level === 'public')) return allow('public');
  // A grant is evidence of its own: whoever shares a link shares it with people who have no account here.
  if (holds('grant', granted)) return allow('grant');
  if (holds('owner', subject.principal === owner)) return allow('owner');
  if (!holds('authentication', subject.authenticated && subject.principal !== undefined)) return refuse('authentication');
  if (holds('user', policy.allowedUsers.has(subject.principal ?? ''))) return allow('user');
  if (holds('role', listsRole(policy, subject))) return allow('role');
  if (holds('protected', policy.level === 'protected' && policy.allowedUsers.size === 0 && policy.allowedRoles.size === 0)) return allow('protected');
  return refuse('who');
}

/** The principal's own role must be listed, and the role that its token narrows to as well: a token adds nothing. */
function listsRole(policy: AccessPolicy, subject: Subject): boolean {
  return policy.allowedRoles.has(subject.role) && (subject.tokenRole === undefined || policy.allowedRoles.has(subject.tokenRole));
}

/** `rights(principal) ∩ what the token lists`. A token that lists nothing leaves them as they are. */
export function effectivePermissions(
  rights: ReadonlySet<string>, tokenRole: ReadonlySet<string> | undefined, tokenPermissions: readonly string[] | undefined,
): ReadonlySet<string> {
  if (tokenRole === undefined && tokenPermissions === undefined) return rights;
  const listed = tokenPermissions === undefined ? undefined : new Set(tokenPermissions);
  return new Set([...rights].filter((permission) => (tokenRole?.has(permission) ?? true) && (listed?.has(permission) ?? true)));
}
