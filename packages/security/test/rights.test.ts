import fc from 'fast-check';
import { expect, test } from 'vitest';
import { admitHolding, effectivePermissions, type AccessPolicy, type AccessRequest, type Holding } from '../src/rights.ts';
import { runs } from './runs.ts';

const names = ['alice', 'bob', 'carol', 'anonymous'];
const roles = ['none', 'viewer', 'user', 'admin'];
const permissions = ['read_content', 'share_content', 'manage_policies'];
const addresses = ['10.0.0.1', '192.0.2.7'];

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

type PlainHolding = { owner: string; policy: PlainPolicy | undefined; ceilings: { owner: string; policy: PlainPolicy | undefined }[] };
const anyHolding = (): fc.Arbitrary<PlainHolding> => {
  const entry = { owner: fc.constantFrom(...names), policy: fc.option(anyPolicy(), { nil: undefined }) };
  return fc.record({ ...entry, ceilings: fc.array(fc.record(entry), { maxLength: 2 }) });
};
const compileHolding = (plain: PlainHolding): Holding => ({
  id: 'h1', owner: plain.owner, policy: plain.policy && compile(plain.policy),
  ceilings: plain.ceilings.map((ceiling) => ({ owner: ceiling.owner, policy: ceiling.policy && compile(ceiling.policy) })),
});

const anyRequest = (): fc.Arbitrary<AccessRequest> => fc.record({
  subject: fc.record({
    principal: fc.option(fc.constantFrom(...names), { nil: undefined }), authenticated: fc.boolean(), role: fc.constantFrom(...roles),
    tokenRole: fc.option(fc.constantFrom(...roles), { nil: undefined }), effective: fc.subarray(permissions).map((held) => new Set(held)), address: fc.constantFrom(...addresses),
  }),
  nowMs: fc.constantFrom(0, 50, 99, 100, 149, 150, 200), granted: fc.boolean().map((is) => new Set(is ? ['h1'] : ['other'])), open: fc.constantFrom(0, 1, 2),
});

/** The rights model, clause by clause, as slowly and plainly as it can be said. */
function obviousModel(holding: PlainHolding, request: AccessRequest): boolean {
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

test('the fast model decides as the obvious one', () => {
  fc.assert(fc.property(anyHolding(), anyRequest(), (holding, request) => {
    expect(admitHolding(compileHolding(holding), request).allowed).toBe(obviousModel(holding, request));
  }), { numRuns: runs(20_000) });
});

test('no policy is the owner only, for every other caller of any role', () => {
  fc.assert(fc.property(anyRequest(), (request) => {
    const decision = admitHolding({ id: 'h1', owner: 'alice', policy: undefined, ceilings: [] }, { ...request, granted: new Set() });
    expect(decision.allowed).toBe(request.subject.principal === 'alice');
  }), { numRuns: runs(2_000) });
});

test('taking a permission, a role or a grant away never opens anything', () => {
  fc.assert(fc.property(anyHolding(), anyRequest(), (holding, request) => {
    const compiled = compileHolding(holding);
    const before = admitHolding(compiled, request).allowed;
    const fewer = { ...request, granted: new Set<string>(), subject: { ...request.subject, effective: new Set<string>() } };
    if (admitHolding(compiled, fewer).allowed) expect(before).toBe(true);
  }), { numRuns: runs(5_000) });
});

test('a token only narrows: what is effective is the principal’s own and what the token lists', () => {
  const sets = fc.subarray([...permissions, 'manage_users']);
  fc.assert(fc.property(sets, fc.option(sets, { nil: undefined }), fc.option(sets, { nil: undefined }), (rights, role, listed) => {
    const effective = effectivePermissions(new Set(rights), role && new Set(role), listed);
    for (const permission of effective) {
      expect(rights).toContain(permission);
      if (role !== undefined) expect(role).toContain(permission);
      if (listed !== undefined) expect(listed).toContain(permission);
    }
    expect(effective.size).toBe(rights.filter((permission) => (role?.includes(permission) ?? true) && (listed?.includes(permission) ?? true)).length);
  }), { numRuns: runs(2_000) });
});
