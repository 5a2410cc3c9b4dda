/** Answers why somebody may or may not do something, by asking the gatekeeper itself. */
import { findHolding, holdingsOfDigest, type HoldingRow } from '@weir/content/holdings';
import type { Ability, ExplainRequest, Explanation, Readers } from '@weir/contracts/access';
import { WeirError } from '@weir/contracts/errors';
import { PolicyLevel } from '@weir/contracts/policies';
import { countPrincipalsOfRoles } from '@weir/data/security-stores/principals';
import { countLiveGrants } from '@weir/data/security-stores/grants';
import { actions, type Action, type ActionName } from '@weir/security/actions';
import { parseCid } from '@weir/security/content-id';
import { sentenceOf } from '@weir/security/explanations';
import type { Explanation as Decided, ObjectType, Resource } from '@weir/security/gatekeeper';
import { EvidenceRefused, type Identity } from '@weir/security/identity';
import { canonicalAddress } from '@weir/security/networks';
import { compileCeilings, readPolicy } from '@weir/security/policies';
import type { z } from 'zod';
import type { App } from './app.ts';

type Who = Readonly<{ principal?: string | undefined; role?: string | undefined }>;

/** `request.invalid` for an action or object that there is no name for, `role.unknown`. `only`: this holding in place of the object named. */
export async function explainAccess(app: App, asked: ExplainRequest, requestId: string, only?: HoldingRow): Promise<z.input<typeof Explanation>> {
  const action = actionNamed(asked.action);
  const address = canonicalAddress(asked.address) ?? '';
  const identity = await identityOf(app, asked, address);
  if (identity instanceof EvidenceRefused) {
    // Why is for who manages principals: to others unknown, disabled and elsewhere are one answer.
    const reason = only === undefined ? identity.reason : 'authentication';
    const why = `${asked.principal ?? ''} can not show who it is from ${address}${only === undefined ? `: ${reason}` : ''}.`;
    return { allowed: false, code: identity.code, reason, steps: [{ clause: reason, held: false, about: null, why }] };
  }
  const resource: Resource = only === undefined ? await resourceOf(app, action, asked.object, identity) : { kind: 'library', id: only.id };
  const decided = await app.gatekeeper.explain({ identity, action, resource, address, requestId }, asked.at === undefined ? app.clock() : Date.parse(asked.at));
  return toWire(decided, { ...identity, address });
}

/** What a principal or a role can do at all, action by action: permissions alone, without an object. */
export async function abilitiesOf(app: App, who: Who, requestId: string): Promise<z.input<typeof Ability>[]> {
  const identity = await identityOf(app, who, '127.0.0.1', 'anywhere');
  if (identity instanceof EvidenceRefused) throw new WeirError('principal.absent', `"${who.principal ?? ''}" is unknown or disabled, so it can do nothing.`);
  return Promise.all(Object.keys(actions).map(async (key) => {
    const action = actionNamed(key);
    const { permissions, policy, leased, all }: Action = actions[action];
    const ask = (resource: Resource): Promise<Decided> => app.gatekeeper.explain({ identity, action, resource, address: '127.0.0.1', requestId });
    const decided = await ask({ kind: 'none' });
    // A worker's reach is what it holds the lease of, unless it may do the same by another permission.
    const holdsLeases = leased === true && identity.effective.has('run_jobs') && !permissions.some((name) => name !== 'run_jobs' && identity.effective.has(name));
    // Whoever has no evidence reads what its policy opens to everyone.
    const byPolicy = policy === true && !identity.authenticated;
    const reach = policy === true ? 'policy' : holdsLeases ? 'leased' : all !== undefined && identity.effective.has(all) ? 'all' : 'own';
    return { action, allowed: decided.allowed || holdsLeases || byPolicy, reach, permissions: [...permissions], reason: decided.reason };
  }));
}

/** Who may read a holding, apart from its conditions of time and network, which `explainAccess` answers for each. */
export async function readersOf({ data, clock }: App, holding: HoldingRow): Promise<z.input<typeof Readers>> {
  const policy = readPolicy(holding.policy);
  const roles = policy?.allowed_roles ?? [];
  const counts = await countPrincipalsOfRoles(data.read, roles);
  const users = policy?.allowed_users ?? [];
  return {
    cid: holding.cid, owner: holding.owner, level: policy === undefined ? null : PolicyLevel.parse(policy.level), everyone: policy?.level === 'public',
    everyone_signed_in: policy?.level === 'public' || (policy?.level === 'protected' && users.length === 0 && roles.length === 0), users,
    roles: roles.map((role) => ({ role, principals: counts.get(role) ?? 0 })), required_permissions: policy?.required_permissions ?? [],
    live_grants: await countLiveGrants(data.read, holding.id, clock()), bound_by: [...new Set(compileCeilings(holding.ceilings).map(({ owner }) => owner))],
  };
}

function actionNamed(name: string): ActionName {
  if (isAction(name)) return name;
  throw new WeirError('request.invalid', `There is no action "${name}". There are: ${Object.keys(actions).join(', ')}.`);
}
const isAction = (name: string): name is ActionName => Object.hasOwn(actions, name);

/** Who it would be with good evidence from there, or why no evidence is good; without an address, wherever its network scope allows. */
async function identityOf({ gatekeeper: { identities } }: App, { principal, role }: Who, address: string, where: 'there' | 'anywhere' = 'there'): Promise<Identity | EvidenceRefused> {
  if (role !== undefined) {
    const identity = identities.standingOfRole(role);
    if (identity === undefined) throw new WeirError('role.unknown', `There is no role "${role}".`);
    return identity;
  }
  try {
    return await identities.standing(principal ?? '', where === 'there' ? address : undefined);
  } catch (error) {
    if (error instanceof EvidenceRefused) return error;
    throw error;
  }
}

const objectTypes: Readonly<Record<string, ObjectType>> = { job: 'job', grant: 'grant', token: 'token', session: 'login_session', holding: 'holding' };

/** What the routes of the action would ask about. An action on a content that is not reading it is an action on a holding of it: the subject's own, if there is one. */
export async function resourceOf({ data }: App, action: ActionName, object: string | undefined, { principal = '' }: Identity): Promise<Resource> {
  if (object === undefined) return { kind: 'none' };
  const { policy }: Action = actions[action];
  const [, type = '', id = ''] = /^([a-z]{1,10}):([0-9A-Z]{26})$/.exec(object) ?? [];
  const objectType = objectTypes[type];
  if (objectType !== undefined) return policy === true && objectType === 'holding' ? { kind: 'library', id } : { kind: 'object', type: objectType, id };
  const { digest } = parseCid(object);
  if (policy === true) return { kind: 'content', digest };
  const holding = await findHolding(data.read, principal, digest) ?? (await holdingsOfDigest(data.read, digest))[0];
  return { kind: 'object', type: 'holding', id: holding?.id ?? '' };
}

function toWire({ allowed, code, reason, steps }: Decided, subject: Identity & Readonly<{ address: string }>): z.input<typeof Explanation> {
  return {
    allowed, code: code ?? null, reason,
    steps: steps.map((step) => ({
      clause: step.clause, held: step.held, about: step.owner === undefined ? null : `${step.isInput === true ? 'input' : 'holding'} of ${step.owner}`, why: sentenceOf(step, subject),
    })),
  };
}
