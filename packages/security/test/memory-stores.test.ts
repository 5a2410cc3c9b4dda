/** Stores of one process: each table is bounded, and what leaves it is never to somebody's advantage. */
import { newUlid } from '@weir/contracts/clock';
import { Policy } from '@weir/contracts/policies';
import { expect, test } from 'vitest';
import { hashEvent, type AuditEntry } from '../src/audit.ts';
import { MemoryAudit, memoryStores } from '../src/memory-stores.ts';
import type { NewGrant } from '../src/streaming-stores.ts';

const startMs = Date.parse('2026-01-01T00:00:00.500Z');
const nextSecondMs = startMs + 500;
const code = (name: string) => expect.objectContaining({ code: name });

function world(bounds: Parameters<typeof memoryStores>[1] = {}) {
  const time = { nowMs: startMs };
  const stores = memoryStores(() => time.nowMs, bounds);
  /** What moved since the last time. */
  let read = 0;
  const moved = async (): Promise<readonly string[]> => {
    const { sequence, subjects } = await stores.epochs.since(read);
    read = sequence;
    return subjects;
  };
  return { ...stores, time, moved };
}

// Moves

test('each reader is told once what moved since it read, the oldest first and each subject where it moved last', async () => {
  const { epochs, tokens, moved } = world();
  expect(await epochs.since(0)).toEqual({ sequence: 0, subjects: [] });
  await tokens.revoke('a', startMs + 1);
  await tokens.revoke('b', startMs + 1);
  await tokens.revoke('a', startMs + 1);
  expect(await moved()).toEqual(['token:b', 'token:a']);
  expect(await moved()).toEqual([]);
  await tokens.endAll('ann', nextSecondMs);
  expect(await moved()).toEqual(['principal:ann']);
  expect(await epochs.since(2)).toEqual({ sequence: 4, subjects: ['token:a', 'principal:ann'] });
});

test('who reads so late that a move is forgotten asks about everything; nobody else does', async () => {
  const { epochs, tokens } = world({ moves: 3 });
  for (const jti of ['a', 'b', 'c']) await tokens.revoke(jti, startMs + 1);
  expect((await epochs.since(0)).subjects).toEqual(['token:a', 'token:b', 'token:c']);
  await tokens.revoke('d', startMs + 1);
  expect(await epochs.since(0)).toEqual({ sequence: 4, subjects: ['everything'] });
  expect((await epochs.since(1)).subjects).toEqual(['token:b', 'token:c', 'token:d']);
  await tokens.revoke('e', startMs + 1);
  expect((await epochs.since(1)).subjects).toEqual(['everything']);
  expect((await epochs.since(2)).subjects).toEqual(['token:c', 'token:d', 'token:e']);
});

// Tokens

const issued = (jti: string, expiresAtMs: number) => ({ jti, userId: 'ann', issuer: `issuer of ${jti}`, cidAccess: [], expiresAtMs });

test('issuers of tokens that have ended are forgotten first, then the oldest', async () => {
  const { tokens, time } = world({ tokens: 3 });
  const known = async () => (await Promise.all(['a', 'b', 'c', 'd', 'e'].map(async (jti) => [jti, await tokens.issuerOf(jti)] as const))).filter(([, issuer]) => issuer !== undefined).map(([jti]) => jti);
  for (const [jti, lifeMs] of [['a', 100], ['b', 10], ['c', 20]] as const) await tokens.issued(issued(jti, startMs + lifeMs));
  expect(await known()).toEqual(['a', 'b', 'c']);
  expect(await tokens.issuerOf('a')).toBe('issuer of a');
  time.nowMs += 10;
  await tokens.issued(issued('d', startMs + 100));
  expect(await known(), 'b has ended').toEqual(['a', 'c', 'd']);
  await tokens.issued(issued('e', startMs + 100));
  expect(await known(), 'none has ended').toEqual(['c', 'd', 'e']);
});

test('revocations of tokens that have ended are forgotten first, when there is no room', async () => {
  const { tokens, time } = world({ tokens: 2 });
  await tokens.revoke('short', startMs + 10);
  await tokens.revoke('long', startMs + 1_000);
  time.nowMs += 10;
  expect(await tokens.isRevoked('short')).toBe(true);
  await tokens.revoke('more', startMs + 1_000);
  expect(await Promise.all(['short', 'long', 'more'].map((jti) => tokens.isRevoked(jti)))).toEqual([false, true, true]);
  expect(await tokens.validFromMs('ann'), 'nobody else was ended for it').toBe(0);
});

test('where no revocation has ended, all older tokens end instead, of everybody, and all that is open is asked about', async () => {
  const { tokens, moved } = world({ tokens: 2 });
  for (const jti of ['a', 'b']) await tokens.revoke(jti, startMs + 1_000);
  expect(await tokens.validFromMs('bob')).toBe(0);
  await moved();
  await tokens.revoke('c', startMs + 1_000);
  expect(await moved()).toEqual(['everything', 'token:c']);
  for (const user of ['ann', 'bob']) expect(await tokens.validFromMs(user), user).toBe(nextSecondMs);
  expect(await tokens.isRevoked('c')).toBe(true);
  await tokens.revoke('d', startMs + 1_000);
  expect(await moved(), 'there is room again').toEqual(['token:d']);
});

test('where no more users can be ended one by one, everybody is', async () => {
  const { tokens, moved } = world({ tokens: 2 });
  for (const user of ['ann', 'bob']) await tokens.endAll(user, nextSecondMs + 5_000);
  expect([await tokens.validFromMs('ann'), await tokens.validFromMs('eve')]).toEqual([nextSecondMs + 5_000, 0]);
  await moved();
  await tokens.endAll('eve', nextSecondMs);
  expect(await moved()).toEqual(['everything', 'principal:eve']);
  for (const user of ['ann', 'bob', 'eve', 'fay']) expect(await tokens.validFromMs(user), `${user}: later than any of before`).toBe(nextSecondMs + 6_000);
  await tokens.endAll('ann', nextSecondMs + 9_000);
  expect(await moved(), 'there is room again').toEqual(['principal:ann']);
});

test('a clock that goes back revives no token', async () => {
  const { tokens, time } = world({ tokens: 1 });
  for (const jti of ['a', 'b']) await tokens.revoke(jti, startMs + 60_000);
  time.nowMs -= 30_000;
  await tokens.revoke('c', startMs + 60_000);
  expect(await tokens.validFromMs('ann')).toBeGreaterThan(nextSecondMs);
});

// Policies

const policy = (level: 'public' | 'private') => Policy.parse({ level });

test('a holding keeps its id while its policy changes, each owner has one, and a further one is refused when it has no room', async () => {
  const { policies, moved } = world({ policies: 2 });
  expect(await policies.holdingsOf('film')).toEqual([]);
  for (let time = 0; time < 3; time += 1) await policies.setPolicy('film', 'ann', policy('private'));
  const [first] = await policies.holdingsOf('film');
  await policies.setPolicy('film', 'bob', policy('private'));
  await moved();
  for (const [digest, owner] of [['film', 'eve'], ['song', 'ann']] as const) await expect(policies.setPolicy(digest, owner, policy('public'))).rejects.toThrow(code('request.conflict'));
  expect(await moved()).toEqual([]);
  expect(await policies.holdingsOf('song')).toEqual([]);
  await policies.setPolicy('film', 'ann', policy('public'));
  expect(await moved()).toEqual([`holding:${first?.id}`]);
  expect((await policies.holdingsOf('film')).map(({ id, owner, policy: now }) => [owner, now?.level, id === first?.id])).toEqual([['ann', 'public', true], ['bob', 'private', false]]);
  await expect(policies.setPolicy('song', 'ann', policy('public'))).rejects.toThrow(code('request.conflict'));
});

// Grants

const grant = (id: string, more: Partial<NewGrant> = {}): NewGrant =>
  ({ id, issuer: 'ann', holding: 'h', verbs: ['read'], principal: undefined, networks: [], validFromMs: startMs, expiresAtMs: startMs + 1_000, usesLeft: undefined, ...more });

test('grants that have ended leave first; no other does, and a further one is refused', async () => {
  const { grants, time } = world({ grants: 2 });
  await grants.addGrant(grant('short', { expiresAtMs: startMs + 10 }));
  await grants.addGrant(grant('long'));
  await expect(grants.addGrant(grant('more'))).rejects.toThrow(code('request.conflict'));
  time.nowMs += 9;
  await expect(grants.addGrant(grant('more'))).rejects.toThrow(code('request.conflict'));
  expect(await grants.grant('short')).toBeDefined();
  time.nowMs += 1;
  await grants.addGrant(grant('more'));
  expect(await Promise.all(['short', 'long', 'more'].map(async (id) => (await grants.grant(id))?.id))).toEqual([undefined, 'long', 'more']);
});

test('ended grants stay as long as there is room', async () => {
  const { grants, time } = world({ grants: 3 });
  await grants.addGrant(grant('short', { expiresAtMs: startMs + 10 }));
  time.nowMs += 10;
  await grants.addGrant(grant('more'));
  expect(await grants.grant('short')).toBeDefined();
});

test('a grant holds in the networks that it names, and everywhere when it names none', async () => {
  const { grants } = world();
  await grants.addGrant(grant('here', { networks: ['192.0.2.0/24'] }));
  await grants.addGrant(grant('anywhere'));
  const contains = async (id: string, address: string) => (await grants.grant(id))?.networks.contains(address);
  expect([await contains('here', '192.0.2.1'), await contains('here', '198.51.100.1'), await contains('anywhere', '198.51.100.1'), await contains('anywhere', '')]).toEqual([true, false, true, true]);
});

test('uses are counted where they are, and of a grant that is not there none is left', async () => {
  const { grants } = world();
  await grants.addGrant(grant('two', { usesLeft: 2 }));
  await grants.addGrant(grant('any'));
  const use = async (id: string, times: number) => { const all = []; for (let at = 0; at < times; at += 1) all.push(await grants.useGrant(id)); return all; };
  expect([await use('two', 4), await use('any', 3), await use('absent', 1)]).toEqual([[true, true, false, false], [true, true, true], [false]]);
});

test('a revoked grant is marked and moves; one that is not there is said to be absent', async () => {
  const { grants, moved } = world();
  await grants.addGrant(grant('a'));
  expect(await grants.grant('a')).toMatchObject({ revoked: false, parent: undefined });
  await grants.revokeGrant('a');
  expect(await grants.grant('a')).toMatchObject({ id: 'a', issuer: 'ann', revoked: true });
  expect(await moved()).toEqual(['grant:a']);
  await expect(grants.revokeGrant('b')).rejects.toThrow(code('object.absent'));
});

// Audit

const entry = (action: string, more: Partial<AuditEntry> = {}): AuditEntry =>
  ({ class: 'B', principal: 'ann', address: '192.0.2.1', action, object: 'content:x', decision: 'allowed', reason: 'owner', requestId: newUlid(), ...more });

test('the last events stay, one chain with what left, and of no event there is nothing to find', async () => {
  const audit = new MemoryAudit(() => startMs, 3);
  expect(MemoryAudit.verify(audit.events)).toBeUndefined();
  for (const action of ['a', 'b', 'c']) await audit.append(entry(action));
  expect(audit.events.map(({ action, sequence, count, atMs, writer }) => ({ action, sequence, count, atMs, writer }))).toEqual(
    ['a', 'b', 'c'].map((action, index) => ({ action, sequence: index + 1, count: 1, atMs: startMs, writer: 'memory' })));
  await audit.append(entry('d', { count: 7 }));
  expect(audit.events.map(({ action, sequence, count }) => [action, sequence, count])).toEqual([['b', 2, 1], ['c', 3, 1], ['d', 4, 7]]);
  expect(MemoryAudit.verify(audit.events)).toBeUndefined();
  const [first, ...rest] = audit.events;
  if (first === undefined) throw new Error('no event');
  const forged = { ...first, action: 'z' };
  expect(MemoryAudit.verify([{ ...forged, hash: hashEvent(forged) }, ...rest]), 'even with its own hash made anew').toBeDefined();
});

test('stores are bounded one by one, and each bound that is not given stays what it is', async () => {
  const { audit } = world({ tokens: 1 });
  for (let at = 0; at < 3; at += 1) await audit.append(entry('a'));
  expect(audit.events).toHaveLength(3);
  const { audit: small } = world({ auditEvents: 2 });
  for (let at = 0; at < 3; at += 1) await small.append(entry('a'));
  expect(small.events).toHaveLength(2);
});
