import { Policy } from '@weir/contracts/policies';
import { expect, test } from 'vitest';
import { compileCeilings, compilePolicy, inheritPolicy } from '../src/policies.ts';
import { admitHolding, type AccessRequest } from '../src/rights.ts';

const policy = (more: object): string => JSON.stringify(Policy.parse({ level: 'private', ...more }));
const request = (principal: string, more: Partial<AccessRequest['subject']> = {}, nowMs = 1_000): AccessRequest => ({
  subject: { principal, authenticated: true, role: 'user', tokenRole: undefined, effective: new Set(), address: '10.0.0.1', ...more }, nowMs, granted: new Set(), open: 0,
});

test('an output of one’s own input starts with that input’s policy', () => {
  const stored = policy({ level: 'public' });
  expect(inheritPolicy('alice', [{ owner: 'alice', policy: stored, ceilings: '[]' }])).toEqual({ policy: stored, ceilings: '[]' });
});

test('outputs of inputs with different policies are the owner’s only', () => {
  const inputs = [{ owner: 'alice', policy: policy({ level: 'public' }), ceilings: '[]' }, { owner: 'alice', policy: null, ceilings: '[]' }];
  expect(inheritPolicy('alice', inputs)).toEqual({ policy: null, ceilings: '[]' });
});

test('what another owner allowed binds the output, whatever its owner sets on it', () => {
  const shared = policy({ allowed_users: ['bob'], valid_until: '1970-01-01T00:00:02.000Z', networks: ['10.0.0.0/8'] });
  const made = inheritPolicy('bob', [{ owner: 'alice', policy: shared, ceilings: '[]' }]);
  expect(made.policy).toBeNull();
  const holding = { id: 'h', owner: 'bob', policy: compilePolicy(Policy.parse({ level: 'public' })), ceilings: compileCeilings(made.ceilings) };
  expect(admitHolding(holding, request('bob')).allowed).toBe(true);
  expect(admitHolding(holding, request('carol'))).toEqual({ allowed: false, reason: 'input who' });
  expect(admitHolding(holding, request('bob', { address: '192.0.2.1' }))).toEqual({ allowed: false, reason: 'input network' });
  expect(admitHolding(holding, request('bob', {}, 2_000))).toEqual({ allowed: false, reason: 'input window' });
  expect(admitHolding(holding, request('alice')).allowed).toBe(true);
});

test('ceilings are handed on through a second job, and equal ones are kept once', () => {
  const first = inheritPolicy('bob', [{ owner: 'alice', policy: policy({ allowed_users: ['bob', 'carol'] }), ceilings: '[]' }]);
  const second = inheritPolicy('carol', [{ owner: 'bob', policy: policy({ allowed_users: ['carol'] }), ceilings: first.ceilings }, { owner: 'bob', policy: policy({ allowed_users: ['carol'] }), ceilings: first.ceilings }]);
  expect(compileCeilings(second.ceilings).map(({ owner }) => owner)).toEqual(['alice', 'bob']);
});

test('an owner without a policy who shared by nothing leaves an output that only both could read', () => {
  const made = inheritPolicy('bob', [{ owner: 'alice', policy: null, ceilings: '[]' }]);
  const holding = { id: 'h', owner: 'bob', policy: undefined, ceilings: compileCeilings(made.ceilings) };
  expect(admitHolding(holding, request('bob')).allowed).toBe(false);
  expect(admitHolding(holding, request('alice')).allowed).toBe(false);
});
