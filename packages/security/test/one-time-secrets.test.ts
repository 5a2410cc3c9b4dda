import { expect, test } from 'vitest';
import { hashOneTimeSecret, makeOneTimeSecret, matchesOneTimeSecret } from '../src/one-time-secrets.ts';

test('a one-time secret is 32 random bytes and matches its own digest for its own purpose only', () => {
  const secret = makeOneTimeSecret();
  expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(makeOneTimeSecret()).not.toBe(secret);
  const stored = hashOneTimeSecret('login-link', secret);
  expect(stored).toMatch(/^[0-9a-f]{64}$/);
  expect(matchesOneTimeSecret('login-link', secret, stored)).toBe(true);
  expect(matchesOneTimeSecret('worker-invite', secret, stored)).toBe(false);
  expect(matchesOneTimeSecret('login-link', makeOneTimeSecret(), stored)).toBe(false);
  expect(matchesOneTimeSecret('login-link', '', stored)).toBe(false);
  expect(matchesOneTimeSecret('login-link', secret, '')).toBe(false);
  expect(matchesOneTimeSecret('login-link', secret, 'ÿ'.repeat(64))).toBe(false);
});

test('letters moved between purpose and secret give another digest', () => {
  expect(hashOneTimeSecret('ab', 'c')).not.toBe(hashOneTimeSecret('a', 'bc'));
});
