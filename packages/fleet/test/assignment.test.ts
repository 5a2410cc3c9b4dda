import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import type { Assignment } from '@weir/contracts/workers';
import { assignmentKeyOfHmac, assignmentKeyOfInstance, assignmentKeyOfPrivate, openAssignment, openSuccessor, signAssignment, signSuccessor } from '../src/assignment.ts';
import { runs } from './support/rows.ts';

const now = 1_800_000_000_000;
const claims: Assignment = {
  job_id: '01M82411HF8ZZVP2RDXXXB0KE9', fence: 3, worker: 'w1', instance: 'weir-1', iat: now / 1_000, exp: now / 1_000 + 60,
  work: { kind: 'arguments', arguments: ['-i', '{in:0}', '{out:a.mp4}'] }, inputs: [{ index: 0, size: 5, content_type: 'video/mp4', token: 't' }],
  outputs: [{ name: 'a.mp4', max_bytes: 10, token: 't' }], limits: { wall_seconds: 1, stall_seconds: 1, output_bytes: 1 },
};
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signing = assignmentKeyOfPrivate(privateKey);
const pinned = assignmentKeyOfInstance({ kty: 'OKP', crv: 'Ed25519', x: publicKey.export({ format: 'jwk' }).x ?? '', kid: 'k' });
const shared = assignmentKeyOfHmac(randomBytes(32));
const refused = expect.objectContaining({ code: 'permission.refused' });

test('an assignment opens with its key, for its worker, in its time, and gives back what was signed (dffmpeg §2 #3)', () => {
  expect(openAssignment(pinned, signAssignment(signing, claims), 'w1', now)).toEqual(claims);
  expect(openAssignment(shared, signAssignment(shared, claims), 'w1', now)).toEqual(claims);
});

test('only the pinned key names its successor, for its own instance, and neither passes for an assignment', () => {
  const next = { kty: 'OKP' as const, crv: 'Ed25519' as const, x: generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x ?? '', kid: 'k2' };
  const jws = signSuccessor(signing, { instance: 'weir-1', key: next });
  expect(openSuccessor(pinned, jws, 'weir-1')).toEqual(next);
  const other = assignmentKeyOfPrivate(generateKeyPairSync('ed25519').privateKey);
  expect(() => openSuccessor(pinned, signSuccessor(other, { instance: 'weir-1', key: next }), 'weir-1')).toThrow(refused);
  expect(() => openSuccessor(pinned, signSuccessor(shared, { instance: 'weir-1', key: next }), 'weir-1')).toThrow(refused);
  expect(() => openSuccessor(pinned, jws, 'weir-2')).toThrow(refused);
  expect(() => openAssignment(pinned, jws, 'w1', now)).toThrow(refused);
  expect(() => openSuccessor(pinned, signAssignment(signing, claims), 'weir-1')).toThrow(refused);
});

test('another key, algorithm, worker or time is refused', () => {
  const jws = signAssignment(signing, claims);
  const other = assignmentKeyOfPrivate(generateKeyPairSync('ed25519').privateKey);
  expect(() => openAssignment(shared, jws, 'w1', now)).toThrow(refused);
  expect(() => openAssignment(pinned, signAssignment(shared, claims), 'w1', now)).toThrow(refused);
  expect(() => openAssignment(pinned, signAssignment(other, claims), 'w1', now)).toThrow(refused);
  expect(() => openAssignment(pinned, jws, 'w2', now)).toThrow(refused);
  expect(() => openAssignment(pinned, jws, 'w1', now + 60_000)).toThrow(refused);
  expect(() => openAssignment(pinned, jws, 'w1', now - 60_001)).toThrow(refused);
  const publicAsSecret = assignmentKeyOfHmac(publicKey.export({ type: 'spki', format: 'der' }));
  expect(() => openAssignment(pinned, signAssignment(publicAsSecret, claims), 'w1', now)).toThrow(refused);
  const none = `${Buffer.from('{"alg":"none","typ":"weir-assignment+jwt"}').toString('base64url')}.${jws.split('.')[1]}.`;
  expect(() => openAssignment(pinned, none, 'w1', now)).toThrow(refused);
});

test('no change of a character goes unnoticed, and nothing but a refusal comes out of rubbish', () => {
  for (const [key, jws] of [[pinned, signAssignment(signing, claims)], [shared, signAssignment(shared, claims)]] as const) {
    fc.assert(fc.property(fc.nat({ max: jws.length - 1 }), fc.constantFrom('A', 'z', '_', '.', '=', ' ', '\0'), (at, character) => {
      const changed = jws.slice(0, at) + character + jws.slice(at + 1);
      if (changed !== jws) expect(() => openAssignment(key, changed, 'w1', now)).toThrow(refused);
    }), { numRuns: runs(300) });
    fc.assert(fc.property(fc.oneof(fc.string(), fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => parts.join('.'))), (text) => {
      expect(() => openAssignment(key, text, 'w1', now)).toThrow(WeirError);
    }), { numRuns: runs(300) });
  }
});

test('claims that are too many or too long are refused, when signing and when opening', () => {
  const long = Array.from({ length: 400 }, () => 'x'.repeat(8_000));
  expect(() => signAssignment(signing, { ...claims, work: { kind: 'arguments', arguments: long } })).toThrow(expect.objectContaining({ code: 'request.too_large' }));
  const many: unknown = { ...claims, extra: 1 };
  expect(() => openAssignment(pinned, signAssignment(signing, many as Assignment), 'w1', now)).toThrow(refused);
});
