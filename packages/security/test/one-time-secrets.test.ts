import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { hashOneTimeSecret, makeOneTimeSecret, matchesOneTimeSecret } from '../src/one-time-secrets.ts';
import { lengthPrefixed } from '../src/length-prefixed.ts';

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

test('a digest that was stored before an update is found after it', () => {
  const fields = ['weir/one-time-secret/v1', 'login-link', 'a secret'].map((field) => `\0\0\0${String.fromCharCode(field.length)}${field}`);
  expect(hashOneTimeSecret('login-link', 'a secret')).toBe(createHash('sha256').update(fields.join('')).digest('hex'));
});

test('fields are bytes behind their lengths in bytes', () => {
  expect(lengthPrefixed('ab', Buffer.of(255, 0), 'é', '').toString('hex')).toBe('00000002616200000002ff0000000002c3a900000000');
  expect(lengthPrefixed()).toHaveLength(0);
});

test('letters moved between purpose and secret give another digest', () => {
  expect(hashOneTimeSecret('ab', 'c')).not.toBe(hashOneTimeSecret('a', 'bc'));
});
