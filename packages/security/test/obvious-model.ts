/** The rights model, as slowly and plainly as it can be said, and random worlds to compare with. */
import fc from 'fast-check';
import type { AccessPolicy, AccessRequest, Holding } from '../src/rights.ts';

export const names = ['alice', 'bob', 'carol', 'anonymous'];
export const roles = ['none', 'viewer', 'user', 'admin'];
export const permissions = ['read_content', 'share_content', 'manage_policies'];
export const addresses = ['10.0.0.1', '192.0.2.7'];

/** Policies as data, so that the model below reads lists and nothing that the code under test computed. */
type PlainPolicy = {
  level: 'public' | 'protected' | 'private' | 'encrypted'; users: string[]; roles: string[]; required: string[]; networks: string[]; from: number; until: number; most: number;
};
const anyPolicy = (): fc.Arbitrary<PlainPolicy> => fc.record({
  level: fc.constantFrom('public', 'protected', 'private', 'encrypted'), users: fc.subarray(names), roles: fc.subarray(roles), required: fc.subarray(permissions),
  networks: fc.subarray(addresses), from: fc.constantFrom(0, 50, 100), until: fc.constantFrom(Infinity, 100, 150), most: fc.constantFrom(Infinity, 1, 2),
});
const compile = (plain: PlainPolicy): AccessPolicy => ({
  level: plain.level, allowedUsers: new Set(plain.users), allowedRoles: new Set(plain.roles), requiredPermissions: plain.required,
  networks: { contains: (address) => plain.networks.length === 0 || plain.networks.includes(address) }, validFromMs: plain.from, validUntilMs: plain.until,
  maxConcurrentPerPrincipal: plain.most,
});

export type PlainHolding = { owner: string; policy: PlainPolicy | undefined; ceilings: { owner: string; policy: PlainPolicy | undefined }[] };
export const anyHolding = (): fc.Arbitrary<PlainHolding> => {
  const entry = { owner: fc.constantFrom(...names), policy: fc.option(anyPolicy(), { nil: undefined }) };
  return fc.record({ ...entry, ceilings: fc.array(fc.record(entry), { maxLength: 2 }) });
};
export const compileHolding = (plain: PlainHolding): Holding => ({
  id: 'h1', owner: plain.owner, policy: plain.policy && compile(plain.policy),
  ceilings: plain.ceilings.map((ceiling) => ({ owner: ceiling.owner, policy: ceiling.policy && compile(ceiling.policy) })),
});

export const anyRequest = (): fc.Arbitrary<AccessRequest> => fc.record({
  subject: fc.record({
    principal: fc.option(fc.constantFrom(...names), { nil: undefined }), authenticated: fc.boolean(), role: fc.constantFrom(...roles),
    tokenRole: fc.option(fc.constantFrom(...roles), { nil: undefined }), effective: fc.subarray(permissions).map((held) => new Set(held)), address: fc.constantFrom(...addresses),
  }),
  nowMs: fc.constantFrom(0, 50, 99, 100, 149, 150, 200), granted: fc.boolean().map((is) => new Set(is ? ['h1'] : ['other'])), open: fc.constantFrom(0, 1, 2),
});

/** The rights model, clause by clause, as slowly and plainly as it can be said. */
export function obviousModel(holding: PlainHolding, request: AccessRequest): boolean {
  const { subject } = request;
  const one = (owner: string, given: PlainPolicy | undefined, granted: boolean): boolean => {
    const policy: PlainPolicy = given ?? { level: 'private', users: [], roles: [], required: [], networks: [], from: 0, until: Infinity, most: Infinity };
    const inWindow = request.nowMs >= policy.from && request.nowMs < policy.until;
    const inNetwork = policy.networks.length === 0 || policy.networks.includes(subject.address);
    let hasAll = true;
    for (const permission of policy.required) if (!subject.effective.has(permission)) hasAll = false;
    const known = subject.authenticated && subject.principal !== undefined;
    const isOwner = subject.principal === owner;
    const isListed = known && policy.users.includes(subject.principal ?? '');
    const roleListed = known && policy.roles.includes(subject.role) && (subject.tokenRole === undefined || policy.roles.includes(subject.tokenRole));
    const openToAll = policy.level === 'protected' && known && policy.users.length === 0 && policy.roles.length === 0;
    const who = policy.level === 'public' || granted || isOwner || isListed || roleListed || openToAll;
    return inWindow && inNetwork && hasAll && who;
  };
  if (!one(holding.owner, holding.policy, request.granted.has('h1'))) return false;
  if (request.open >= (holding.policy?.most ?? Infinity)) return false;
  return holding.ceilings.every((ceiling) => one(ceiling.owner, ceiling.policy, false));
}
