import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chainStart, ChainVerifier, hashEvent, RefusalTally, signCheckpoint, type AuditEvent, type Checkpoint, type Flaw } from '../src/audit.ts';
import { runs } from './runs.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const keyOf = (id: string) => (id === 'k' ? publicKey : undefined);

function chain(length: number): AuditEvent[] {
  const events: AuditEvent[] = [];
  for (let sequence = 1; sequence <= length; sequence += 1) {
    const event = {
      id: `id-${sequence}`, writer: 'w', sequence, atMs: sequence, class: 'A', principal: 'alice', address: '', action: 'policy.write', object: `holding:${sequence}`,
      decision: 'allowed', reason: 'own', count: 1, requestId: 'r', previousHash: events.at(-1)?.hash ?? chainStart,
    };
    events.push({ ...event, hash: hashEvent(event) });
  }
  return events;
}

const checkpointAt = (event: AuditEvent): Checkpoint => signCheckpoint({ writer: 'w', sequence: event.sequence, hash: event.hash, atMs: 1, keyId: 'k' }, privateKey);

function verify(events: readonly AuditEvent[], points: readonly Checkpoint[] = []): Flaw | undefined {
  const verifier = new ChainVerifier('w', points);
  for (const event of events) verifier.add(event);
  return verifier.finish(points, keyOf);
}

test('an untouched chain is intact', () => {
  const events = chain(20);
  expect(verify(events, [checkpointAt(events[9] ?? failing()), checkpointAt(events[19] ?? failing())])).toBeUndefined();
});

test('a changed field names the event, whatever the field', () => {
  const fields = ['id', 'atMs', 'class', 'principal', 'address', 'action', 'object', 'decision', 'reason', 'count', 'requestId', 'previousHash', 'hash'] as const;
  fc.assert(fc.property(fc.integer({ min: 0, max: 9 }), fc.constantFrom(...fields), (index, field) => {
    const events = chain(10);
    const target = events[index] ?? failing();
    events[index] = { ...target, [field]: typeof target[field] === 'number' ? target[field] + 1 : `${target[field]}x` };
    const flaw = verify(events, [checkpointAt(chain(10)[9] ?? failing())]);
    expect(flaw).toBeDefined();
    if (field !== 'hash' || index < 9) expect(flaw?.sequence).toBe(field === 'hash' ? target.sequence : target.sequence);
  }), { numRuns: runs(300) });
});

test('moving text from one field to the next changes the hash', () => {
  const [event] = chain(1);
  const { hash, ...rest } = event ?? failing();
  expect(hashEvent({ ...rest, principal: 'alic', address: 'e' })).not.toBe(hash);
});

test('a removed or reordered event is found', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 8 }), (index) => {
    const removed = chain(10).toSpliced(index, 1);
    expect(verify(removed)?.sequence).toBe(index + 1);
    const swapped = chain(10);
    [swapped[index], swapped[index + 1]] = [swapped[index + 1] ?? failing(), swapped[index] ?? failing()];
    expect(verify(swapped)?.sequence).toBe(index + 1);
  }), { numRuns: runs(50) });
});

test('a tail cut off before a signed checkpoint is found, and so is a chain written anew', () => {
  const events = chain(10);
  const point = checkpointAt(events[9] ?? failing());
  expect(verify(events.slice(0, 7), [point])?.reason).toContain('events 8 to 10 were removed');
  const anew = chain(10).map((event) => ({ ...event, principal: 'mallory' }));
  let previousHash = chainStart;
  const rewritten = anew.map((event) => {
    const hash = hashEvent({ ...event, previousHash });
    const next = { ...event, previousHash, hash };
    previousHash = hash;
    return next;
  });
  expect(verify(rewritten)).toBeUndefined();
  expect(verify(rewritten, [point])?.reason).toContain('differs from the signed checkpoint');
});

test('a checkpoint of another key, or changed, is refused', () => {
  const events = chain(3);
  const point = checkpointAt(events[2] ?? failing());
  expect(verify(events, [{ ...point, keyId: 'other' }])?.reason).toContain('not signed by a key of this instance');
  expect(verify(events, [{ ...point, atMs: 2 }])?.reason).toContain('not signed by a key of this instance');
});

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

function failing(): never {
  throw new Error('the chain is shorter than the test thinks');
}
