/** What a secret that several programs share can speak for, and the key that stands for it beside the others. */
import { expect, test } from 'vitest';
import { sharedSecretMayCarry, sharedSecretRights, withKey } from '../src/shared-secret.ts';
import { newTokenKey, type TokenKey } from '../src/token-keys.ts';

test('a shared secret carries neither the role admin nor a right that manages', () => {
  expect([sharedSecretMayCarry(undefined, undefined), sharedSecretMayCarry('user', []), sharedSecretMayCarry('operator', ['read_content', 'can_manage_'])]).toEqual([true, true, true]);
  expect([sharedSecretMayCarry('admin', undefined), sharedSecretMayCarry('admin', []), sharedSecretMayCarry('user', ['manage_users']), sharedSecretMayCarry(undefined, ['read_content', 'manage_workers'])]).toEqual([false, false, false, false]);
  expect(sharedSecretRights(new Set(['read_content', 'manage_users', 'manage_workers', 'can_manage_']))).toEqual(new Set(['read_content', 'can_manage_']));
});

test('one more key is found by its id, before one of that id, and the others as they change', () => {
  const [one, more, late] = [newTokenKey('one'), newTokenKey('more'), newTokenKey('late')];
  const keys = new Map<string, TokenKey>([['one', one], ['more', one]]);
  expect(withKey(keys, undefined)).toBe(keys);
  const both = withKey(keys, more);
  expect([both.get('one'), both.get('more'), both.get('late')]).toEqual([one, more, undefined]);
  keys.clear();
  keys.set('late', late);
  expect([both.get('one'), both.get('more'), both.get('late')]).toEqual([undefined, more, late]);
  expect([both.has('one'), both.has('more'), both.has('late')]).toEqual([false, true, true]);
});
