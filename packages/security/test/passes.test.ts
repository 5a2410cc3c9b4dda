/** Tickets and the cookies that they become: who they stand for, with what, and what ends them. */
import { expect, test } from 'vitest';
import type { Identity } from '../src/identity.ts';
import { builtinRoles } from '../src/roles.ts';
import { newTokenKey } from '../src/token-keys.ts';
import { here, nowSeconds, refusal, sessionId, smallWorld, type SmallWorld } from './small-world.ts';

const user = builtinRoles.get('user')?.permissions ?? new Set<string>();
const elsewhere = '198.51.100.7';

async function worldOf(): Promise<SmallWorld> {
  const world = await smallWorld();
  world.principal('alice', { networks: ['192.0.2.0/24'] });
  world.session('alice');
  return world;
}

test('a pass stands for whoever made it, with what its evidence was narrowed to, and proves nobody', async () => {
  const world = await worldOf();
  const whole = await world.identities.byPass('ticket', world.token('ticket', { sid: sessionId }), here);
  expect(whole).toMatchObject({
    principal: 'alice', authenticated: true, role: 'user', tokenRole: undefined, via: 'ticket', tokenId: undefined, keyId: undefined, sessionId, issuedAtMs: nowSeconds * 1_000, provedAtMs: 0,
    pass: { action: 'content.read', object: 'content:d' }, shares: undefined,
  });
  expect(whole.effective).toEqual(user);
  const narrow = await world.identities.byPass('playlist', world.token('playlist', { tid: 'jti-1', key: 'access-1', role: 'viewer', permissions: ['read_content', 'manage_users'] }), here);
  expect(narrow).toMatchObject({ principal: 'alice', tokenRole: 'viewer', via: 'playlist', tokenId: 'jti-1', keyId: 'access-1', pass: { object: 'content:d' } });
  expect(narrow.effective, 'no more than the principal has').toEqual(new Set(['read_content']));
  expect(narrow.shares, 'its token has none').toBeUndefined();
});

test('a ticket only opens, so what it opened lasts as long as what it stands on; a playlist’s cookie ends by itself', async () => {
  const world = await worldOf();
  const ends = async (purpose: 'ticket' | 'playlist', claims = {}): Promise<number> => (await world.identities.byPass(purpose, world.token(purpose, claims), here)).expiresAtMs;
  expect(await ends('ticket')).toBe(Infinity);
  expect(await ends('ticket', { end: nowSeconds + 900 })).toBe((nowSeconds + 900) * 1_000);
  expect(await ends('playlist', { end: nowSeconds + 900 })).toBe((nowSeconds + 60) * 1_000);
});

test('a pass opens what its token shares, asked now', async () => {
  const world = await worldOf();
  world.principal('bob');
  world.shares.set('jti-1', { issuer: 'bob', holdings: new Set(['h-bob']) });
  const pass = world.token('ticket', { tid: 'jti-1', key: 'access-1' });
  const shares = async (): Promise<Identity['shares']> => (await world.identities.byPass('ticket', pass, here)).shares;
  expect(await shares()).toEqual({ issuer: 'bob', holdings: new Set(['h-bob']) });
  world.principal('bob', { disabled: true });
  await world.move('principal:bob');
  expect(await shares()).toBeUndefined();
});

const endings: Readonly<Record<string, readonly [change: (world: SmallWorld) => void, subjects: readonly string[], says: string]>> = {
  'its session': [(world) => { world.session('alice', { ended: true }); }, [`session:${sessionId}`], 'session ended [alice]'],
  'its token': [(world) => { world.revoked.add('jti-1'); }, ['token:jti-1'], 'token revoked [alice]'],
  'the key of its token': [(world) => { world.rings.access.clear(); }, [], 'key withdrawn [alice]'],
  'its principal': [(world) => { world.principal('alice', { disabled: true }); }, ['principal:alice'], 'principal disabled [alice]'],
  'all that its principal had': [(world) => { world.principal('alice', { tokensValidFromMs: nowSeconds * 1_000 + 1 }); }, ['principal:alice'], 'token issued before all were ended [alice]'],
};
test.each(Object.entries(endings))('a pass ends with %s', async (_name, [change, subjects, says]) => {
  const world = await worldOf();
  const pass = world.token('ticket', { sid: sessionId, tid: 'jti-1', key: 'access-1' });
  expect(await refusal(() => world.identities.byPass('ticket', pass, here))).toBe('admitted');
  change(world);
  await world.move(...subjects);
  expect(await refusal(() => world.identities.byPass('ticket', pass, here))).toBe(says);
});

test('a pass is good for its purpose, its network, its time and under its key', async () => {
  const world = await worldOf();
  const [ticket, playlist] = [world.token('ticket'), world.token('playlist')];
  expect(await refusal(() => world.identities.byPass('ticket', ticket, elsewhere))).toBe('network scope [alice]');
  expect(await refusal(() => world.identities.byPass('playlist', ticket, here))).toBe('playlist malformed []');
  expect(await refusal(() => world.identities.byPass('ticket', playlist, here))).toBe('ticket malformed []');
  expect(await refusal(() => world.identities.byBearer(ticket, here))).toBe('token malformed []');
  expect(await refusal(() => world.identities.byPass('ticket', world.token('ticket', {}, newTokenKey('other')), here))).toBe('ticket key []');
  expect(await refusal(() => world.identities.byPass('ticket', world.token('ticket', { sub: 'mallory' }), here))).toBe('principal unknown [mallory]');
  world.nowMs += 60_000;
  expect(await refusal(() => world.identities.byPass('ticket', ticket, here))).toBe('ticket expired []');
});
