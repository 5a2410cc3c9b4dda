import fc from 'fast-check';
import { expect, test } from 'vitest';
import { admitHolding, effectivePermissions } from '../src/rights.ts';
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
