import fc from 'fast-check';
import { expect, test } from 'vitest';
import { admitHolding, effectivePermissions, ownerOnly, type AccessPolicy, type AccessRequest, type Holding, type Subject, type TraceStep } from '../src/rights.ts';
import { anyHolding, anyRequest, compileHolding, obviousModel, permissions } from './obvious-model.ts';
import { runs } from './runs.ts';

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

test('a decision names the clause that made it, and every clause on the way is told in one order', () => {
  const nothing: AccessPolicy = { ...ownerOnly };
  const asked = (policy: AccessPolicy | undefined, more: Partial<AccessRequest> = {}, ceilings: Holding['ceilings'] = []) => {
    const steps: TraceStep[] = [];
    const subject = { principal: 'bob', authenticated: true, role: 'user', tokenRole: undefined, effective: new Set<string>(), address: '10.0.0.1', ...more.subject };
    const decision = admitHolding({ id: 'h1', owner: 'alice', policy, ceilings }, { nowMs: 100, granted: new Set(), open: 0, ...more, subject, trace: (step) => { steps.push(step); } });
    return { decision, steps, clauses: steps.map(({ clause, held }) => `${held ? '' : 'not '}${clause}`).join(' ') };
  };
  const start = 'window network permission';
  const table: readonly (readonly [policy: AccessPolicy, more: Partial<AccessRequest>, reason: string, allowed: boolean, clauses: string])[] = [
    [{ ...nothing, validFromMs: 101 }, {}, 'window', false, 'not window'],
    [{ ...nothing, validUntilMs: 100 }, {}, 'window', false, 'not window'],
    [{ ...nothing, networks: { contains: () => false } }, {}, 'network', false, 'window not network'],
    [{ ...nothing, requiredPermissions: ['read_content'] }, {}, 'permission', false, 'window network not permission'],
    [{ ...nothing, level: 'public' }, {}, 'public', true, `${start} public concurrency`],
    [nothing, { granted: new Set(['h1']) }, 'grant', true, `${start} not public grant concurrency`],
    [nothing, { subject: { principal: 'alice' } as Subject }, 'owner', true, `${start} not public not grant owner concurrency`],
    [nothing, { subject: { authenticated: false } as Subject }, 'authentication', false, `${start} not public not grant not owner not authentication`],
    [{ ...nothing, allowedUsers: new Set(['bob']) }, {}, 'user', true, `${start} not public not grant not owner authentication user concurrency`],
    [{ ...nothing, allowedRoles: new Set(['user']) }, {}, 'role', true, `${start} not public not grant not owner authentication not user role concurrency`],
    [{ ...nothing, level: 'protected' }, {}, 'protected', true, `${start} not public not grant not owner authentication not user not role protected concurrency`],
    [{ ...nothing, level: 'protected', allowedRoles: new Set(['admin']) }, {}, 'who', false, `${start} not public not grant not owner authentication not user not role not protected`],
    [{ ...nothing, level: 'protected', allowedUsers: new Set(['carol']) }, {}, 'who', false, `${start} not public not grant not owner authentication not user not role not protected`],
    [{ ...nothing, level: 'public', maxConcurrentPerPrincipal: 1 }, { open: 1 }, 'concurrency', false, `${start} public not concurrency`],
  ];
  for (const [policy, more, reason, allowed, clauses] of table) {
    const { decision, steps, ...said } = asked(policy, more);
    expect({ ...said, ...decision }).toEqual({ clauses, allowed, reason });
    for (const step of steps) expect(step).toMatchObject({ owner: 'alice', policy });
    for (const step of steps.filter(({ clause }) => clause !== 'concurrency')) expect(step.isInput).toBe(false);
  }
  const under = asked({ ...nothing, level: 'public' }, {}, [{ owner: 'carol', policy: undefined }]);
  expect(under.decision).toEqual({ allowed: false, reason: 'input who' });
  expect(under.steps.filter(({ isInput }) => isInput === true).map(({ owner }) => owner)).toEqual(Array(10).fill('carol'));
});

test('a token that lists nothing leaves the rights as they are', () => {
  const rights = new Set(['read_content']);
  expect(effectivePermissions(rights, undefined, undefined)).toBe(rights);
});
