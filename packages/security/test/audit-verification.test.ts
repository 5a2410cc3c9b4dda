/** Whatever is done to an audit chain or to an export of one is found, and the event that it was done to is named. */
import { generateKeyPairSync } from 'node:crypto';
import { auditExportFormat } from '@weir/contracts/audit';
import { toInstant } from '@weir/contracts/identity';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chainStart, hashEvent, signCheckpoint, signCut, type AuditEvent, type Checkpoint, type Cut } from '../src/audit.ts';
import { ExportVerifier, type ExportVerification } from '../src/audit-export.ts';
import { ChainVerifier, type Flaw } from '../src/audit-verification.ts';
import { checkpointToWire, keysByName, publicKeyFrom, publicKeyText } from '../src/audit-wire.ts';
import { mutations } from './mutations.ts';
import { runs } from './runs.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const keyOf = (id: string) => (id === 'k' ? publicKey : undefined);
const length = 12;
const whole = chain();
const points = [6, 12].map((sequence) => checkpointAt(at(whole, sequence)));
const position = fc.integer({ min: 1, max: length });

function ulid(sequence: number): string {
  return `01ARZ3NDEKTSV4RRFFQ69G${String(sequence).padStart(4, '0')}`;
}

function chain(): AuditEvent[] {
  const events: AuditEvent[] = [];
  for (let sequence = 1; sequence <= length; sequence += 1) {
    events.push(hashed({
      id: ulid(sequence), writer: 'w', sequence, atMs: 1_000 * sequence, class: 'A', principal: 'alice', address: '', action: 'policy.write', object: `holding:${sequence}`,
      decision: 'allowed', reason: 'own', count: 1, requestId: 'r', previousHash: events.at(-1)?.hash ?? chainStart,
    }));
  }
  return events;
}

function hashed(event: Omit<AuditEvent, 'hash'>): AuditEvent {
  return { ...event, hash: hashEvent(event) };
}

function checkpointAt({ sequence, hash }: AuditEvent): Checkpoint {
  return signCheckpoint({ writer: 'w', sequence, hash, atMs: 1, keyId: 'k' }, privateKey);
}

function at(events: readonly AuditEvent[], sequence: number): AuditEvent {
  const found = events.find((event) => event.sequence === sequence);
  if (found === undefined) throw new Error(`no event ${sequence}`);
  return found;
}

function verify(events: readonly AuditEvent[], checkpoints: readonly Checkpoint[] = points, cut?: Cut): Flaw | undefined {
  const verifier = new ChainVerifier({ writer: 'w', checkpoints, keyOf, cut });
  for (const event of events) verifier.add(event);
  return verifier.finish();
}

const fields = ['id', 'writer', 'sequence', 'atMs', 'class', 'principal', 'address', 'action', 'object', 'decision', 'reason', 'count', 'requestId', 'previousHash', 'hash'] as const;

function mutated(event: AuditEvent, field: (typeof fields)[number]): AuditEvent {
  const value = event[field];
  return { ...event, [field]: typeof value === 'number' ? value + 40 : field === 'hash' || field === 'previousHash' ? value.replace(/^./, (c) => (c === 'f' ? '0' : 'f')) : `${value}x` };
}

test('an untouched chain is intact, with any of its checkpoints', () => {
  expect(verify(whole)).toBeUndefined();
  expect(verify(whole, [])).toBeUndefined();
});

test('a changed field names the event, whatever the field', () => {
  fc.assert(fc.property(position, fc.constantFrom(...fields), (target, field) => {
    const events = whole.map((event) => (event.sequence === target ? mutated(event, field) : event));
    const flaw = verify(events);
    expect(flaw).toMatchObject({ kind: 'changed', id: events[target - 1]?.id });
  }), { numRuns: runs(1_000) });
});

test('a changed field is found also when the hash was made anew', () => {
  fc.assert(fc.property(position, fc.constantFrom(...fields.slice(0, -1)), (target, field) => {
    const events = whole.map((event) => (event.sequence === target ? hashed(mutated(event, field)) : event));
    const flaw = verify(events);
    // At the end there is no neighbour, but a signature of the checkpoint.
    expect(flaw).toMatchObject(target === length && field !== 'previousHash' && field !== 'sequence' ? { kind: 'rewritten', sequence: target } : { kind: 'changed', id: events[target - 1]?.id });
  }), { numRuns: runs(1_000) });
});

test('a removed event is named by the place that it had', () => {
  fc.assert(fc.property(position, fc.integer({ min: 1, max: 3 }), (from, count) => {
    const last = Math.min(length, from + count - 1);
    const flaw = verify(whole.filter(({ sequence }) => sequence < from || sequence > last));
    expect(flaw).toMatchObject({ kind: last === length ? 'truncated' : 'removed', sequence: from, id: null });
  }), { numRuns: runs(300) });
});

test('two events that changed places are found, and one of them is named', () => {
  fc.assert(fc.property(position, position, (one, other) => {
    fc.pre(one !== other);
    const flaw = verify(whole.map((event) => (event.sequence === one ? at(whole, other) : event.sequence === other ? at(whole, one) : event)));
    expect(flaw?.kind).toBe('reordered');
    expect([ulid(one), ulid(other)]).toContain(flaw?.id);
  }), { numRuns: runs(500) });
});

test('an event that was moved is named', () => {
  fc.assert(fc.property(position, position, (from, to) => {
    fc.pre(Math.abs(from - to) > 1);
    const rest = whole.filter(({ sequence }) => sequence !== from);
    const flaw = verify(rest.toSpliced(to - 1, 0, at(whole, from)));
    expect(flaw).toMatchObject({ kind: 'reordered', id: ulid(from) });
  }), { numRuns: runs(500) });
});

test('an event that is there twice is named, wherever the second stands', () => {
  fc.assert(fc.property(position, fc.integer({ min: 0, max: length }), (target, place) => {
    const flaw = verify(whole.toSpliced(place, 0, at(whole, target)));
    expect(flaw).toMatchObject({ kind: 'inserted', id: ulid(target) });
  }), { numRuns: runs(500) });
});

test('an event that was made up and fits behind the one before is named', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: length - 2 }), (target) => {
    const before = target === 1 ? undefined : at(whole, target - 1);
    const forged = hashed({ ...at(whole, target), id: ulid(99), principal: 'mallory', previousHash: before?.hash ?? chainStart });
    expect(verify(whole.toSpliced(target - 1, 0, forged))).toMatchObject({ kind: 'inserted', id: ulid(99) });
  }), { numRuns: runs(100) });
});

test('a tail cut off before a signed checkpoint is found, and its first event named', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: length - 1 }), (kept) => {
    expect(verify(whole.slice(0, kept))).toMatchObject({ kind: 'truncated', sequence: kept + 1 });
  }), { numRuns: runs(50) });
});

test('a chain written anew from some event on is found at the next checkpoint', () => {
  fc.assert(fc.property(position, (target) => {
    let previousHash = chainStart;
    const anew = whole.map((event) => {
      const next = hashed({ ...event, ...(event.sequence === target ? { principal: 'mallory' } : {}), previousHash });
      previousHash = next.hash;
      return next;
    });
    expect(verify(anew, [])).toBeUndefined();
    expect(verify(anew)).toMatchObject({ kind: 'rewritten', sequence: target <= 6 ? 6 : 12 });
  }), { numRuns: runs(50) });
});

test('a checkpoint of another key, or changed, is refused', () => {
  const [point] = points;
  if (point === undefined) throw new Error('no checkpoint');
  for (const forged of [{ ...point, keyId: 'other' }, { ...point, atMs: 2 }, { ...point, sequence: 5, hash: at(whole, 5).hash }, signCheckpoint(point, generateKeyPairSync('ed25519').privateKey)]) {
    expect(verify(whole, [forged])?.kind).toBe('unsigned');
  }
});

test('a chain begins behind a signed cut, and behind no other place', () => {
  const cut = signCut({ writer: 'w', sequence: 6, hash: at(whole, 6).hash, atMs: 5, keyId: 'k' }, privateKey);
  const rest = whole.slice(6);
  expect(verify(rest, points, cut)).toBeUndefined();
  expect(verify([], [checkpointAt(at(whole, 6))], cut)).toBeUndefined();
  expect(verify(rest, points)).toMatchObject({ kind: 'removed', sequence: 1 });
  expect(verify(rest.slice(1), points, cut)).toMatchObject({ kind: 'removed', sequence: 7 });
  expect(verify(rest, points, { ...cut, atMs: 6 })?.kind).toBe('unsigned');
  // A checkpoint is no leave to remove what it covers.
  expect(verify(rest, points, points[0])?.kind).toBe('unsigned');
});

test('a checkpoint from before a cut says nothing more, one at the cut and behind it has to agree', () => {
  const cutAt = (sequence: number, hash = at(whole, sequence).hash): Cut => signCut({ writer: 'w', sequence, hash, atMs: 5, keyId: 'k' }, privateKey);
  expect(verify(whole.slice(8), points, cutAt(8))).toBeUndefined();
  const another = signCheckpoint({ writer: 'w', sequence: 6, hash: 'f'.repeat(64), atMs: 1, keyId: 'k' }, privateKey);
  expect(verify(whole.slice(6), [another], cutAt(6))).toMatchObject({ kind: 'rewritten', sequence: 6 });
  const late = signCheckpoint({ writer: 'w', sequence: 12, hash: 'f'.repeat(64), atMs: 1, keyId: 'k' }, privateKey);
  expect(verify(whole.slice(8), [late], cutAt(8))).toMatchObject({ kind: 'rewritten', sequence: 12, reason: expect.stringContaining('something after 8 was') });
  expect(verify(whole.slice(8), points, { ...cutAt(8), keyId: 'other' })).toMatchObject({ kind: 'unsigned', reason: expect.stringContaining('the cut at 8') });
  // Nothing stands before the first event behind a cut that could be to blame.
  expect(verify(whole.slice(8), [], cutAt(8, 'f'.repeat(64)))).toMatchObject({ kind: 'changed', id: ulid(9) });
  expect(verify([at(whole, 3), at(whole, 4), ...whole.slice(8)], [], cutAt(8))).toMatchObject({ kind: 'inserted', id: ulid(3) });
});

test('of two events for one place the one that the next does not follow is named, and of several that were put in the first', () => {
  const forged = (sequence: number): AuditEvent => hashed({ ...at(whole, sequence), id: ulid(99), principal: 'mallory' });
  for (const [events, id] of [
    [whole.toSpliced(4, 0, forged(5)), ulid(99)], [whole.toSpliced(5, 0, forged(5)), ulid(99)], [[...whole, forged(12)], ulid(99)], [whole.toSpliced(5, 0, at(whole, 2), at(whole, 3)), ulid(2)],
  ] as const) expect(verify(events, [])).toMatchObject({ kind: 'inserted', id });
});

test('of two neighbours that do not fit a checkpoint says who was changed, then whoever comes behind', () => {
  const torn = (sequence: number): AuditEvent[] => whole.map((event) => (event.sequence === sequence ? hashed({ ...event, previousHash: 'f'.repeat(64) }) : event));
  for (const [events, checkpoints, sequence] of [[torn(6), points, 6], [torn(6), [], 6], [torn(12), [], 12], [torn(1), [], 1]] as const) {
    expect(verify(events, checkpoints), String(sequence)).toMatchObject({ kind: 'changed', sequence, id: ulid(sequence) });
  }
  const anew = whole.map((event) => (event.sequence === 5 ? hashed({ ...event, principal: 'mallory' }) : event));
  for (const checkpoints of [points, []]) expect(verify(anew, checkpoints)).toMatchObject({ kind: 'changed', id: ulid(5) });
  // The one that was expected came late and does not follow what stands before it.
  expect(verify([...whole.slice(0, 4), at(whole, 8), hashed({ ...at(whole, 5), previousHash: 'f'.repeat(64) }), ...whole.slice(5)], [])).toMatchObject({ kind: 'reordered', sequence: 5, id: ulid(5) });
});

const key = { id: 'k', public_key: publicKeyText(publicKey) };
const wire = ({ atMs, requestId, previousHash, ...event }: AuditEvent): string => JSON.stringify({ ...event, at: toInstant(atMs), request_id: requestId, previous_hash: previousHash });
const lines = [
  JSON.stringify({ export: { format: auditExportFormat, instance: 'i', at: toInstant(0), keys: [key], cuts: [] } }),
  ...points.map((point) => JSON.stringify({ checkpoint: checkpointToWire(point) })),
  ...whole.map(wire),
  JSON.stringify({ end: { events: length, heads: points.slice(1).map(checkpointToWire), keys: [key] } }),
];
const firstEvent = 3;

function verifyLines(given: readonly string[], trusted?: ReadonlySet<string>): ExportVerification {
  const verifier = new ExportVerifier(trusted);
  for (const line of given) verifier.add(line);
  return verifier.finish();
}

test('an export alone is whole, and by the key that one expects', () => {
  expect(verifyLines(lines)).toMatchObject({ events: length, checkpoints: 2, flaw: undefined });
  expect(verifyLines(lines, new Set([key.public_key])).flaw).toBeUndefined();
  expect(verifyLines(lines, new Set([publicKeyText(generateKeyPairSync('ed25519').publicKey)])).flaw).toMatchObject({ kind: 'unsigned' });
});

test('a line of an export that is removed, doubled or swapped is found, and an event named', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: lines.length - 1 }), fc.constantFrom('remove', 'double', 'swap'), (index, how) => {
    const next = [...lines];
    if (how === 'remove') next.splice(index, 1);
    if (how === 'double') next.splice(index, 0, lines[index] ?? '');
    if (how === 'swap') [next[index], next[(index + 1) % next.length]] = [lines[(index + 1) % next.length] ?? '', lines[index] ?? ''];
    const { flaw } = verifyLines(next);
    const isEvent = index >= firstEvent && index < lines.length - 1;
    // Two checkpoints that changed places, or one that is there twice, say the same as before; one that is gone says less, unless it is the last.
    if (index === 1 || index === 2) return;
    expect(flaw, `${how} ${index}`).toBeDefined();
    if (isEvent && how !== 'swap') expect(flaw?.sequence).toBe(index - firstEvent + 1);
  }), { numRuns: runs(300) });
});

test('an export with any of its letters changed is never called whole', () => {
  const text = lines.join('\n');
  const quiet = new Set(['']);
  for (const other of mutations([text], runs(3_000))) {
    const given = other.split('\n').filter((line) => line !== '');
    if (given.join('\n') === text) continue;
    const { flaw } = verifyLines(given);
    if (flaw === undefined) quiet.add(other);
  }
  // What may pass: spaces in JSON, the address of the instance, the time of the export, a repeated or missing inner checkpoint.
  for (const other of quiet) {
    const events = other.split('\n').filter((line) => line.startsWith('{"id"') || /"previous_hash"/.test(line)).map((line): unknown => JSON.parse(line));
    if (other !== '') expect(events).toEqual(whole.map((event): unknown => JSON.parse(wire(event))));
  }
});

test('every flaw is told in words that name the place', () => {
  const without = (...sequences: number[]) => whole.filter(({ sequence }) => !sequences.includes(sequence));
  const says = (events: readonly AuditEvent[], checkpoints = points): string => { const { kind, reason } = verify(events, checkpoints) ?? { kind: 'none', reason: '' }; return `${kind}: ${reason}`; };
  expect(says(without(12))).toBe('truncated: event 12, the last, was removed');
  expect(says(without(11, 12))).toBe('truncated: events 11 to 12 were removed from the end');
  expect(says(without(3))).toBe(`removed: event 3 was removed; the next one is ${ulid(4)}`);
  expect(says(without(3, 4))).toBe(`removed: events 3 to 4 were removed; the next one is ${ulid(5)}`);
  expect(says(whole.map((event) => (event.sequence === 3 ? { ...event, reason: 'other' } : event)))).toBe('changed: a field of it was changed');
  expect(says([...whole.slice(0, 4), at(whole, 7), ...whole.slice(4, 6), ...whole.slice(7)])).toBe('reordered: it stands before event 5');
  expect(says([...whole.slice(0, 4), ...whole.slice(5, 8), at(whole, 5), ...whole.slice(8)])).toBe('reordered: it stands behind event 6');
  expect(says([...whole.slice(0, 5), at(whole, 2), ...whole.slice(5)])).toBe('inserted: it stands where event 6 belongs');
  expect(says([...whole.slice(0, 4), at(whole, 8), ...whole.slice(4)])).toBe('inserted: it stands before event 5');
  expect(says(whole.map((event) => (event.sequence === 3 ? hashed({ ...event, reason: 'other' }) : event)))).toContain('changed: it was changed and its hash made anew');
  expect(says(whole.map((event) => (event.sequence === 3 ? hashed({ ...event, sequence: 30 }) : event)))).toBe('changed: its sequence was changed and its hash made anew');
  const [first, second] = points;
  if (first === undefined || second === undefined) throw new Error('two checkpoints');
  expect(says(whole, [{ ...first, atMs: 9 }])).toBe('unsigned: the checkpoint at 6 is not signed by a known key of this instance');
  const anew = signCheckpoint({ ...second, hash: 'f'.repeat(64) }, privateKey);
  expect(says(whole, [first, anew])).toContain('the signed checkpoint at 12: something after 6 was');
});

test('a chain that is said to end later was cut off, and one that ends where it is said to is whole', () => {
  const end = (kept: number, head: number): Flaw | undefined => {
    const verifier = new ChainVerifier({ writer: 'w', checkpoints: [], keyOf });
    for (const event of whole.slice(0, kept)) verifier.add(event);
    return verifier.finish(head);
  };
  expect([end(12, 12), end(12, 0), end(12, 5)]).toEqual([undefined, undefined, undefined]);
  expect(end(11, 12)).toMatchObject({ kind: 'truncated', writer: 'w', sequence: 12 });
});

test('a part of a chain is looked at behind the event before it', () => {
  const part = new ChainVerifier({ writer: 'w', checkpoints: [], keyOf, after: at(whole, 4) });
  for (const event of whole.slice(4)) part.add(event);
  expect(part.finish()).toBeUndefined();
  const wrong = new ChainVerifier({ writer: 'w', checkpoints: [], keyOf, after: at(whole, 3) });
  for (const event of whole.slice(4)) wrong.add(event);
  expect(wrong.finish()).toMatchObject({ kind: 'removed', sequence: 4 });
});

test('an export that is no export, or not a whole one, says what is wrong with it', () => {
  const says = (given: readonly string[]): string => { const { flaw } = verifyLines(given); return flaw === undefined ? 'whole' : `${flaw.kind}: ${flaw.reason}`; };
  expect(says(lines)).toBe('whole');
  expect(says([])).toBe('truncated: the export ends without its last line');
  expect(says(lines.slice(0, -1))).toBe('truncated: the export ends without its last line');
  expect(says(['rubbish'])).toBe('changed: line 1 is no line of an export');
  expect(says([...lines.slice(0, 5), '{"end":1}', ...lines.slice(5)])).toBe('changed: line 6 is no line of an export');
  const nothing = JSON.stringify({ end: { events: 0, heads: [], keys: [key] } });
  expect([says([nothing]), says([lines[0] ?? '', nothing])]).toEqual(['removed: the first line of the export is missing or stands elsewhere', 'whole']);
  expect(says(lines.slice(1)), 'with it the keys are missing').toContain('unsigned: the checkpoint at 12');
  expect(says([...lines.slice(0, 3), lines[0] ?? '', ...lines.slice(3)])).toBe('removed: the first line of the export is missing or stands elsewhere');
  expect(says([...lines, lines.at(-1) ?? ''])).toBe('inserted: line 17 stands behind the last line of the export');
  expect(says([...lines.slice(0, 4), lines[1] ?? '', ...lines.slice(4)])).toBe('reordered: the checkpoint in line 5 stands behind events of its writer');
  const last = (events: number): string => JSON.stringify({ end: { events, heads: points.slice(1).map(checkpointToWire), keys: [key] } });
  expect(says([...lines.slice(0, -1), last(13)])).toBe('removed: the export says 13 events and holds 12');
  expect(says([...lines.slice(0, -2), last(11)])).toBe('truncated: event 12, the last, was removed');
  expect(says([lines[0] ?? '', last(0)]), 'the last line says where a chain ends of which nothing is left').toBe('truncated: events 1 to 12 were removed from the end');
  expect(says([...lines.slice(0, 3), lines.at(-1) ?? '']), 'and so do its checkpoints').toContain('truncated');
  const padded = (length: number): string => says([...lines.slice(0, 4), (lines[4] ?? '').padEnd(length), ...lines.slice(5)]);
  expect([padded(8_192), padded(8_193)], 'a line that is too long is none').toEqual(['whole', expect.stringContaining('event 2 was removed')]);
});

test('an export that begins behind cuts says which, and is whole there', () => {
  const cut = signCut({ writer: 'w', sequence: 6, hash: at(whole, 6).hash, atMs: 5, keyId: 'k' }, privateKey);
  const head = (cuts: readonly Cut[]): string => JSON.stringify({ export: { format: auditExportFormat, instance: 'i', at: toInstant(0), keys: [key], cuts: cuts.map(checkpointToWire) } });
  const end = (events: number): string => JSON.stringify({ end: { events, heads: points.slice(1).map(checkpointToWire), keys: [key] } });
  const verified = verifyLines([head([cut]), ...lines.slice(9, -1), end(6)]);
  expect(verified).toMatchObject({ events: 6, checkpoints: 0, cuts: [cut], keys: [key], flaw: undefined });
  expect(verifyLines([head([]), ...lines.slice(9, -1), end(6)]).flaw).toMatchObject({ kind: 'removed', sequence: 1 });
  expect(verifyLines([head([{ ...cut, signature: checkpointAt(at(whole, 6)).signature }]), ...lines.slice(9, -1), end(6)]).flaw).toMatchObject({ kind: 'unsigned', sequence: 6 });
});

test('keys that are no points of the curve verify nothing, and those that are not expected neither', () => {
  expect(publicKeyFrom('no key')).toBeUndefined();
  const printed = publicKeyText(generateKeyPairSync('ed25519').publicKey);
  expect(printed).toMatch(/^[\w-]{43}$/);
  expect(publicKeyFrom(printed)?.export({ format: 'jwk' })).toEqual({ kty: 'OKP', crv: 'Ed25519', x: printed });
  expect(keysByName([key]).get('k')?.asymmetricKeyType).toBe('ed25519');
  expect([...keysByName([key, { id: 'bad', public_key: 'no key' }]).keys()]).toEqual(['k']);
  expect(keysByName([key], new Set())).toEqual(new Map());
  expect([...keysByName([key], new Set([key.public_key])).keys()]).toEqual(['k']);
});
