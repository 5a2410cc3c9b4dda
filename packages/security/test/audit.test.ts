/** The audit trail as data: what is counted together, what a hash covers, what a signature is good for. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { chainStart, hashEvent, isSigned, RefusalTally, signCheckpoint, signCut } from '../src/audit.ts';
import { lengthPrefixed } from '../src/length-prefixed.ts';

test('refusals that are alike are counted, and a flood of kinds stays bounded', () => {
  const tally = new RefusalTally(10);
  const entry = { class: 'C', principal: '', address: '10.0.0.1', action: 'content.read', object: '', decision: 'refused', reason: 'absent', requestId: '' } as const;
  for (let i = 0; i < 100; i += 1) tally.add(entry);
  for (let i = 0; i < 1_000; i += 1) tally.add({ ...entry, reason: `kind ${i}` });
  expect(tally.size).toBe(11);
  const taken = tally.take();
  expect(taken.find(({ reason }) => reason === 'absent')?.count).toBe(100);
  expect(taken.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(1_100);
  expect(tally.size).toBe(0);
});

const refusal = { class: 'C', principal: 'alice', address: '10.0.0.1', action: 'content.read', object: 'content:d', decision: 'refused', reason: 'absent', requestId: 'r1' } as const;

test('what differs in who, where, what or why is counted apart; what differs in the object alone, together', () => {
  const tally = new RefusalTally();
  for (const more of [{}, {}, { object: 'content:e' }, { requestId: 'r2' }, { principal: 'bob' }, { address: '10.0.0.2' }, { action: 'job.read' }, { reason: 'who' }]) tally.add({ ...refusal, ...more });
  expect(tally.take()).toEqual([
    { ...refusal, count: 4 }, { ...refusal, principal: 'bob', count: 1 }, { ...refusal, address: '10.0.0.2', count: 1 }, { ...refusal, action: 'job.read', count: 1 }, { ...refusal, reason: 'who', count: 1 },
  ]);
  expect(tally.take()).toEqual([]);
});

test('what is beyond the bound is one line that names nobody', () => {
  const tally = new RefusalTally(1);
  for (const principal of ['alice', 'bob', 'carol', 'alice']) tally.add({ ...refusal, principal });
  expect(tally.take()).toEqual([
    { ...refusal, count: 2 }, { ...refusal, principal: 'many', address: 'many', object: '', requestId: '', reason: 'more kinds of refusal than are kept', count: 2 },
  ]);
});

const event = { id: 'i', writer: 'w', sequence: 1, atMs: 2, class: 'A', principal: 'alice', address: '', action: 'policy.write', object: 'o', decision: 'allowed', reason: 'own', count: 1, requestId: 'r', previousHash: chainStart } as const;

test('the hash of an event stays what it was, so that chains of before can be verified', () => {
  const field = (text: string): Buffer => { const head = Buffer.alloc(4); head.writeUInt32BE(Buffer.byteLength(text)); return Buffer.concat([head, Buffer.from(text)]); };
  const values = ['weir/audit/v1', 'w', '1', 'i', '2', 'A', 'alice', '', 'policy.write', 'o', 'allowed', 'own', '1', 'r', '0'.repeat(64)];
  expect(lengthPrefixed(...values)).toEqual(Buffer.concat(values.map(field)));
  expect(hashEvent(event)).toBe(createHash('sha256').update(Buffer.concat(values.map(field))).digest('hex'));
});

test('a signature is good for its purpose, its fields and its key, and never under a key of another kind', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const point = { writer: 'w', sequence: 1, hash: hashEvent(event), atMs: 2, keyId: 'k' };
  const [checkpoint, cut] = [signCheckpoint(point, privateKey), signCut(point, privateKey)];
  expect([isSigned('checkpoint', checkpoint, publicKey), isSigned('cut', cut, publicKey), isSigned('cut', checkpoint, publicKey), isSigned('checkpoint', cut, publicKey)]).toEqual([true, true, false, false]);
  for (const change of [{ writer: 'v' }, { sequence: 2 }, { hash: chainStart }, { atMs: 3 }, { keyId: 'l' }, { signature: '' }]) expect(isSigned('checkpoint', { ...checkpoint, ...change }, publicKey), JSON.stringify(change)).toBe(false);
  for (const other of [undefined, generateKeyPairSync('ed25519').publicKey, generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey]) expect(isSigned('checkpoint', checkpoint, other)).toBe(false);
});
