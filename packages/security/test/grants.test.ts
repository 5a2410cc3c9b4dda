/** A child is inside its parent in every dimension, and a chain allows what all its links allow together. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Epochs } from '../src/epochs.ts';
import { longestChain, reachesBeyond, type GrantReach } from '../src/grants.ts';
import { Identities } from '../src/identity.ts';
import { compileNetworks, everywhere, networksWithin } from '../src/networks.ts';
import type { GrantRecord, PrincipalRecord } from '../src/principals.ts';
import { builtinRoles } from '../src/roles.ts';
import { runs } from './runs.ts';

/** Networks of sixteen IPv4 and sixteen IPv6 addresses, as data: which family, which host, how many bits of the host's four count. */
type Small = Readonly<{ family: 4 | 6; host: number; bits: number }>;
const anySmall: fc.Arbitrary<Small> = fc.record({ family: fc.constantFrom(4, 6), host: fc.integer({ min: 0, max: 15 }), bits: fc.integer({ min: 0, max: 4 }) });
const written = ({ family, host, bits }: Small): string => (family === 4 ? `10.0.0.${host}/${28 + bits}` : `2001:db8::${host.toString(16)}/${124 + bits}`);
const holds = ({ family, host, bits }: Small, other: number, otherFamily: number): boolean => family === otherFamily && host >> (4 - bits) === other >> (4 - bits);

test('networks lie within others exactly when no address is in the one and not in the other', () => {
  fc.assert(fc.property(fc.array(anySmall, { maxLength: 4 }), fc.array(anySmall, { maxLength: 6 }), (inner, outer) => {
    const isIn = (networks: readonly Small[], host: number, family: number): boolean => networks.some((network) => holds(network, host, family));
    const hosts = Array.from({ length: 16 }, (_, host) => host);
    // No network is every network, which no list of these small ones is.
    const obvious = outer.length === 0 || (inner.length > 0 && [4, 6].every((family) => hosts.every((host) => !isIn(inner, host, family) || isIn(outer, host, family))));
    expect(networksWithin(inner.map(written), outer.map(written))).toBe(obvious);
  }), { numRuns: runs(10_000) });
});

const admits = (networks: readonly string[], address: string): boolean => networks.length === 0 || compileNetworks(networks).contains(address);
const witnesses = [...Array.from({ length: 16 }, (_, host) => `10.0.0.${host}`), '192.0.2.1', '198.51.100.1', '::1'];

test('several networks can hold one together, and a bad one is refused', () => {
  expect(networksWithin(['192.0.2.0/24'], ['192.0.2.0/25', '192.0.2.128/26', '192.0.2.192/26'])).toBe(true);
  expect(networksWithin(['192.0.2.0/24'], ['192.0.2.0/25', '192.0.2.192/26'])).toBe(false);
  expect(networksWithin([], ['0.0.0.0/1', '128.0.0.0/1', '::/0'])).toBe(true);
  expect(networksWithin([], ['0.0.0.0/0'])).toBe(false);
  expect(networksWithin(['2001:db8:1::/48'], ['2001:db8::/32'])).toBe(true);
  expect(networksWithin(['::ffff:192.0.2.1'], ['192.0.2.0/24'])).toBe(true);
  expect(networksWithin(['192.0.2.77/24'], ['192.0.2.0/24'])).toBe(true);
  expect(() => networksWithin(['192.0.2.0/33'], ['192.0.2.0/24'])).toThrow(expect.objectContaining({ code: 'request.invalid' }));
});

const anyReach: fc.Arbitrary<GrantReach> = fc.record({
  verbs: fc.subarray(['read', 'watch', 'download']), holding: fc.constantFrom('h1', 'h2'), validFromMs: fc.constantFrom(0, 10), expiresAtMs: fc.constantFrom(20, 30),
  networks: fc.subarray(['10.0.0.0/28', '10.0.0.0/29', '10.0.0.4/31', '192.0.2.1']), uses: fc.constantFrom(undefined, 0, 1, 5), principal: fc.constantFrom(undefined, 'alice', 'bob'),
});
type Use = Readonly<{ verb: string; holding: string; nowMs: number; address: string; use: number; principal: string }>;
const uses: readonly Use[] = ['read', 'watch', 'download'].flatMap((verb) => ['h1', 'h2'].flatMap((holding) => [0, 9, 10, 19, 20, 29].flatMap((nowMs) =>
  ['10.0.0.0', '10.0.0.5', '10.0.0.9', '192.0.2.1', '198.51.100.1'].flatMap((address) => [1, 5, 6].flatMap((use) => ['alice', 'bob', 'carol'].map((principal) => ({ verb, holding, nowMs, address, use, principal })))))));
/** Whether a grant alone allows a use: the `use`th opening, by somebody, at some time, from somewhere. */
const allows = (grant: GrantReach, { verb, holding, nowMs, address, use, principal }: Use): boolean =>
  grant.verbs.includes(verb) && grant.holding === holding && nowMs >= grant.validFromMs && nowMs < grant.expiresAtMs && admits(grant.networks, address)
  && (grant.uses === undefined || use <= grant.uses) && (grant.principal === undefined || grant.principal === principal);

test('a child is accepted exactly when it is inside its parent in every dimension', () => {
  fc.assert(fc.property(anyReach, anyReach, (child, parent) => {
    const dimension = reachesBeyond(child, parent);
    const obvious = child.verbs.every((verb) => parent.verbs.includes(verb)) && child.holding === parent.holding
      && child.validFromMs >= parent.validFromMs && child.expiresAtMs <= parent.expiresAtMs
      && witnesses.every((address) => !admits(child.networks, address) || admits(parent.networks, address))
      && (parent.uses ?? Infinity) >= (child.uses ?? Infinity) && (parent.principal === undefined || parent.principal === child.principal);
    expect(dimension === undefined, dimension).toBe(obvious);
  }), { numRuns: runs(5_000) });
});

test('what an accepted child allows, its parent allows too', () => {
  fc.assert(fc.property(anyReach, anyReach, (child, parent) => {
    if (reachesBeyond(child, parent) !== undefined) return;
    for (const use of uses) if (allows(child, use)) expect(allows(parent, use), JSON.stringify(use)).toBe(true);
  }), { numRuns: runs(300) });
});

const issuer: PrincipalRecord = {
  id: 'owner', kind: 'user', role: 'user', rights: new Set(['share_content']), scope: everywhere, disabled: false, tokensValidFromMs: 0, maxSkewSeconds: 30, keys: [],
};
async function holder(records: readonly GrantRecord[], nowMs: number, owner: PrincipalRecord = issuer): Promise<Identities> {
  const epochs = new Epochs({ since: async (sequence) => ({ sequence, subjects: [] }) });
  await epochs.refresh();
  return new Identities({
    store: {
      principal: async (id) => (id === owner.id ? owner : undefined), grant: async (id) => records.find((record) => record.id === id),
      loginSession: async () => undefined, isTokenRevoked: async () => false,
    },
    roles: builtinRoles, defaultRole: 'none', epochs, clock: () => nowMs,
    tokens: { issuer: 'i', audience: 'a', keys: { access: new Map(), grant: new Map(), job: new Map() } },
  });
}
const record = (reach: GrantReach, index: number, parent: string | undefined, revoked = false): GrantRecord => ({
  id: `g${index}`, issuer: 'owner', holding: reach.holding, verbs: reach.verbs, principal: reach.principal, networks: reach.networks.length === 0 ? everywhere : compileNetworks(reach.networks),
  validFromMs: reach.validFromMs, expiresAtMs: reach.expiresAtMs, revoked, usesLeft: reach.uses, parent,
});

test('a chain allows the intersection of its links, whatever their rows say, and nothing once one of them is revoked', async () => {
  const links = fc.array(anyReach.map((reach) => ({ ...reach, holding: 'h1' })), { minLength: 1, maxLength: 4 });
  await fc.assert(fc.asyncProperty(links, fc.constantFrom(0, 9, 10, 19, 20, 29), fc.constantFrom('10.0.0.5', '10.0.0.9', '192.0.2.1'), fc.option(fc.nat(3)), async (reaches, nowMs, address, revokedAt) => {
    const records = reaches.map((reach, index) => record(reach, index, index === 0 ? undefined : `g${index - 1}`, index === revokedAt));
    const identities = await holder(records, nowMs);
    const held = await Promise.resolve(identities.grantById(`g${reaches.length - 1}`, address)).catch(() => undefined);
    for (const principal of ['alice', 'bob', 'carol']) {
      for (const verb of ['read', 'watch', 'download']) {
        const chainAllows = held !== undefined && held.verbs.includes(verb) && (held.principal === undefined || held.principal === principal);
        const all = records.every(({ revoked }) => !revoked) && reaches.every((reach) => allows({ ...reach, uses: undefined }, { verb, holding: 'h1', nowMs, address, use: 1, principal }));
        expect(chainAllows).toBe(all);
      }
    }
    if (held !== undefined) expect(held.counted).toEqual(reaches.flatMap((reach, index) => (reach.uses === undefined ? [] : [`g${index}`])).reverse());
  }), { numRuns: runs(1_000) });
});

test('a chain ends with its issuer’s right to share, and is never longer than it may be', async () => {
  const reach: GrantReach = { verbs: ['read'], holding: 'h1', validFromMs: 0, expiresAtMs: 100, networks: [], uses: undefined, principal: undefined };
  const records = Array.from({ length: longestChain + 1 }, (_, index) => record(reach, index, index === 0 ? undefined : `g${index - 1}`));
  const identities = await holder(records, 1);
  expect((await identities.grantById(`g${longestChain - 1}`, '::1')).chain).toHaveLength(longestChain);
  await expect(identities.grantById(`g${longestChain}`, '::1')).rejects.toMatchObject({ code: 'policy.refused' });
  for (const owner of [{ ...issuer, rights: new Set<string>() }, { ...issuer, disabled: true }]) {
    const without = await holder(records, 1, owner);
    await expect(without.grantById('g3', '::1')).rejects.toMatchObject({ code: 'policy.refused' });
  }
  const loop = await holder([record(reach, 0, 'g1'), record(reach, 1, 'g0')], 1);
  await expect(loop.grantById('g0', '::1')).rejects.toMatchObject({ code: 'policy.refused' });
});

test('the dimension in which a child reaches beyond its parent is named', () => {
  const parent: GrantReach = { verbs: ['read', 'watch'], holding: 'h1', validFromMs: 10, expiresAtMs: 20, networks: ['10.0.0.0/28'], uses: 5, principal: 'alice' };
  const beyond = (child: Partial<GrantReach>, given: Partial<GrantReach> = {}) => reachesBeyond({ ...parent, ...child }, { ...parent, ...given });
  for (const inside of [{}, { verbs: [] }, { verbs: ['watch'] }, { validFromMs: 11, expiresAtMs: 19 }, { networks: ['10.0.0.1'] }, { uses: 0 }]) expect(beyond(inside), JSON.stringify(inside)).toBeUndefined();
  expect(beyond({ uses: undefined, principal: undefined, networks: [] }, { uses: undefined, principal: undefined, networks: [] })).toBeUndefined();
  expect(beyond({ uses: 9, principal: 'bob' }, { uses: undefined, principal: undefined })).toBeUndefined();
  expect([beyond({ verbs: ['read', 'download'] }), beyond({ holding: 'h2' }), beyond({ validFromMs: 9 }), beyond({ expiresAtMs: 21 }), beyond({ networks: ['10.0.0.0/27'] }), beyond({ networks: [] }),
    beyond({ uses: 6 }), beyond({ uses: undefined }), beyond({ principal: 'bob' }), beyond({ principal: undefined })])
    .toEqual(['verbs', 'object', 'window', 'window', 'networks', 'networks', 'uses', 'uses', 'principal', 'principal']);
});
