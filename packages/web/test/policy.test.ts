import { Policy } from '@weir/contracts/policies';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { draftOf, policyOf } from '../src/library/policy-draft.ts';
import { policySentence } from '../src/policy-sentence.ts';

const policy = (given: Record<string, unknown>): Policy => Policy.parse({ level: 'private', ...given });

test.for([
  [null, 'Only you can use this, and whoever holds a link.'],
  [policy({}), 'Only you, and whoever holds a link, can use this.'],
  [policy({ allowed_users: ['alice'], allowed_roles: ['viewer'] }), 'You, alice and everyone with the role viewer, and whoever holds a link, can use this.'],
  [policy({ level: 'protected' }), 'Everyone who is signed in can use this.'],
  [policy({ level: 'protected', networks: ['10.0.0.0/8'], max_concurrent_per_principal: 1 }), 'Everyone who is signed in can use this from 10.0.0.0/8. Each of them on one player at a time.'],
  [policy({ level: 'public' }), 'Anyone who has the address, signed in or not, can use this.'],
  [policy({ level: 'encrypted', max_concurrent_per_principal: 3 }), 'Only you, and whoever holds a link, can use this. Each of them on at most 3 players at a time. It is always encrypted on disk.'],
] as const)('%j reads as a person would say it', ([given, sentence]) => {
  expect(policySentence(given, 'carol', true)).toBe(sentence);
});

test('another’s content names its owner', () => {
  expect(policySentence(null, 'carol', false)).toBe('Only carol can use this, and whoever holds a link.');
});

const anyPolicy = fc.record({
  level: fc.constantFrom('public', 'protected', 'private', 'encrypted'),
  allowed_users: fc.uniqueArray(fc.stringMatching(/^[a-z0-9._-]{1,12}$/), { maxLength: 4 }),
  allowed_roles: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/), { maxLength: 3 }),
  required_permissions: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/), { maxLength: 3 }),
  networks: fc.uniqueArray(fc.oneof(fc.ipV4(), fc.constantFrom('10.0.0.0/8', '2001:db8::/32')), { maxLength: 3 }),
}, { noNullPrototype: true }).map((fields) => Policy.parse(fields));

test('opening the editor and saving changes nothing', () => {
  fc.assert(fc.property(anyPolicy, (given) => { expect(policyOf(draftOf(given))).toEqual({ policy: given }); }));
  const timed = policy({ valid_from: '2026-11-22T10:30:00.000Z', valid_until: '2027-01-01T00:00:00.000Z', max_concurrent_per_principal: 2 });
  expect(policyOf(draftOf(timed))).toEqual({ policy: timed });
});

test('each wrong field is named with what to write instead', () => {
  const draft = draftOf(null);
  const errorsOf = (changes: Partial<typeof draft>) => Object.keys({ errors: {}, ...policyOf({ ...draft, ...changes }) }['errors']);
  expect(errorsOf({ users: 'Alice' })).toEqual(['users']);
  expect(errorsOf({ networks: '10.0.0.0/8, somewhere' })).toEqual(['networks']);
  expect(errorsOf({ concurrent: 'two' })).toEqual(['concurrent']);
  expect(errorsOf({ from: '2026-11-22T10:00', until: '2026-11-21T10:00' })).toEqual(['until']);
});
