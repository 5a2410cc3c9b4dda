import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { constantTimeEqual, Secret } from '../src/secret.ts';

test('a secret prints as nothing but its name, however it is printed', () => {
  const secret = new Secret(Buffer.from('hunter2hunter2'));
  for (const printed of [String(secret), `${secret}`, JSON.stringify({ secret }), inspect(secret), inspect({ deep: { secret } }, { showHidden: true, depth: 9 })]) {
    expect(printed).toContain('[secret]');
    expect(printed).not.toMatch(/hunter2|68 75 6e/);
  }
  expect(Object.keys(secret)).toEqual([]);
  expect(JSON.stringify(structuredClone({ ...secret }))).toBe('{}');
});

test('a secret is a copy, equals only the same bytes, and is zero after it is disposed', () => {
  const bytes = randomBytes(32);
  const secret = new Secret(bytes);
  expect(secret.equals(bytes)).toBe(true);
  expect(secret.equals(new Secret(bytes))).toBe(true);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  expect(secret.equals(bytes)).toBe(false);
  expect(secret.equals(bytes.subarray(1))).toBe(false);
  const revealed = secret.reveal();
  secret.dispose();
  expect(revealed.equals(Buffer.alloc(32))).toBe(true);
  expect(() => secret.reveal()).toThrow(expect.objectContaining({ code: 'internal' }));
});

test('a secret is wiped where its block ends', () => {
  let outside: Secret;
  {
    using secret = new Secret(Buffer.from('hunter2hunter2'));
    outside = secret;
    expect(outside.reveal().toString()).toBe('hunter2hunter2');
  }
  expect(() => outside.reveal()).toThrow('after it was disposed');
});

test('unequal lengths are unequal, not an error', () => {
  expect(constantTimeEqual(Buffer.alloc(0), Buffer.alloc(1))).toBe(false);
  expect(constantTimeEqual(Buffer.alloc(0), Buffer.alloc(0))).toBe(true);
});
