import { Policy } from '@weir/contracts/policies';
import { expect, test } from 'vitest';
import { compileCeilings, compilePolicy, inheritPolicy, readPolicy } from '../src/policies.ts';
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

test('a policy says what its wire form said, and what it left out is open', () => {
  const compiled = compilePolicy(Policy.parse({
    level: 'protected', allowed_users: ['alice'], allowed_roles: ['editor'], required_permissions: ['read_content'], networks: ['10.0.0.0/8'],
    valid_from: '1970-01-01T00:00:01.000Z', valid_until: '1970-01-01T00:00:02.000Z', max_concurrent_per_principal: 3,
  }));
  expect(compiled).toMatchObject({ level: 'protected', allowedUsers: new Set(['alice']), allowedRoles: new Set(['editor']), requiredPermissions: ['read_content'], validFromMs: 1_000, validUntilMs: 2_000, maxConcurrentPerPrincipal: 3 });
  expect([compiled.networks.contains('10.1.1.1'), compiled.networks.contains('192.0.2.1')]).toEqual([true, false]);
  const bare = compilePolicy(Policy.parse({ level: 'private' }));
  expect(bare).toMatchObject({ validFromMs: 0, validUntilMs: Infinity, maxConcurrentPerPrincipal: Infinity });
  expect([bare.networks.contains('10.1.1.1'), bare.networks.contains('::1')]).toEqual([true, true]);
});

test('stored policies and ceilings are read strictly: none is none, and rubbish is an error', () => {
  expect(readPolicy(null)).toBeUndefined();
  expect(readPolicy(policy({ level: 'public' }))?.level).toBe('public');
  for (const rubbish of ['', '{}', '{"level":"open"}', '{"level":"public","extra":1}']) expect(() => readPolicy(rubbish)).toThrow();
  expect(compileCeilings('[]')).toEqual([]);
  const ceiling = (owner: string) => ({ owner, policy: null });
  const stored = (count: number): string => JSON.stringify(Array.from({ length: count }, (_, index) => ceiling(`o${index}`)));
  expect(compileCeilings(stored(64))).toHaveLength(64);
  expect(compileCeilings(JSON.stringify([ceiling('alice')]))).toEqual([{ owner: 'alice', policy: undefined }]);
  for (const rubbish of [stored(65), '{}', '[{}]', '[{"owner":"a"}]', '[{"owner":"a","policy":null,"more":1}]', '']) expect(() => compileCeilings(rubbish), rubbish.slice(0, 40)).toThrow();
});

test('inputs of one’s own that agree hand on their policy; with anybody else’s among them, or none at all, it is the owner’s alone', () => {
  const open = policy({ level: 'public' });
  const mine = { owner: 'alice', policy: open, ceilings: '[]' };
  expect(inheritPolicy('alice', [mine, mine])).toEqual({ policy: open, ceilings: '[]' });
  expect(inheritPolicy('alice', [mine, { ...mine, owner: 'bob' }])).toMatchObject({ policy: null });
  expect(compileCeilings(inheritPolicy('alice', [mine, { ...mine, owner: 'bob' }]).ceilings)).toMatchObject([{ owner: 'bob', policy: { level: 'public' } }]);
  expect(inheritPolicy('alice', [])).toEqual({ policy: null, ceilings: '[]' });
  expect(inheritPolicy('alice', [{ ...mine, policy: null }])).toEqual({ policy: null, ceilings: '[]' });
});
