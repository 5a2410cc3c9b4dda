import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Epochs } from '../src/epochs.ts';
import { Gatekeeper } from '../src/gatekeeper.ts';
import { Identities } from '../src/identity.ts';
import { compileNetworks, everywhere } from '../src/networks.ts';
import type { PrincipalRecord, TokenShares } from '../src/principals.ts';
import type { AccessPolicy, Holding } from '../src/rights.ts';
import { builtinRoles } from '../src/roles.ts';
import { newTokenKey } from '../src/token-keys.ts';
import { signToken } from '../src/tokens.ts';
import { runs } from './runs.ts';

const now = 1_800_000_000;
const key = newTokenKey('access-1');
const address = '10.0.0.1';

type World = Readonly<{
  level: AccessPolicy['level']; policyNetworks: string[]; until: number; required: string[]; open: number; most: number; ceiling: boolean;
  owner: string; shares: TokenShares | undefined; claimed: boolean; issuerRights: string[]; issuerDisabled: boolean; issuerThere: boolean; revoked: boolean; listed: string[] | undefined; deleted: boolean;
}>;
const anyWorld: fc.Arbitrary<World> = fc.record({
  level: fc.constantFrom('private', 'protected', 'encrypted', 'public'), policyNetworks: fc.constantFrom([], [address], ['192.0.2.0/24']), until: fc.constantFrom(Infinity, now * 1_000, now * 1_000 + 1),
  required: fc.constantFrom([], ['submit_jobs'], ['manage_users']), open: fc.constantFrom(0, 1), most: fc.constantFrom(Infinity, 1), ceiling: fc.boolean(),
  owner: fc.constantFrom('issuer', 'third'), claimed: fc.boolean(),
  shares: fc.option(fc.record({ issuer: fc.constantFrom('issuer', 'third', 'operator'), holdings: fc.subarray(['h1', 'h2']).map((ids) => new Set(ids)) }), { nil: undefined }),
  issuerRights: fc.constantFrom(['share_content'], []), issuerDisabled: fc.boolean(), issuerThere: fc.boolean(), revoked: fc.boolean(), listed: fc.constantFrom(undefined, ['read_content'], ['use_account']), deleted: fc.boolean(),
});

/** The one addition of a token, as rights.md says it: a grant by a recorded issuer, valid while that issuer holds and may share, and nothing skipped. */
function obvious(world: World): boolean {
  const { shares } = world;
  if (world.revoked || world.deleted) return false;
  const readsAtAll = world.listed === undefined || world.listed.includes('read_content');
  if (!readsAtAll) return false;
  const mayShare = world.issuerThere && !world.issuerDisabled && world.issuerRights.includes('share_content');
  const shared = world.claimed && shares !== undefined && shares.issuer === 'issuer' && mayShare && world.owner === 'issuer' && shares.holdings.has('h1');
  const inTime = now * 1_000 < world.until;
  const inNetwork = world.policyNetworks.length === 0 || world.policyNetworks.includes(address);
  const hasRequired = world.required.every((permission) => permission === 'submit_jobs' && world.listed === undefined);
  const who = world.level === 'public' || world.level === 'protected' || shared;
  const hasPlace = world.open < world.most;
  return inTime && inNetwork && hasRequired && who && hasPlace && !world.ceiling;
}

async function admitted(world: World): Promise<boolean> {
  const person = (id: string, more: Partial<PrincipalRecord> = {}): PrincipalRecord => ({
    id, kind: 'user', role: 'user', rights: builtinRoles.get('user')?.permissions ?? new Set(), scope: everywhere, disabled: false, tokensValidFromMs: 0, maxSkewSeconds: 30, keys: [], ...more,
  });
  const people = [person('reader'), person('third', { rights: new Set() }), ...(world.issuerThere ? [person('issuer', { rights: new Set(world.issuerRights), disabled: world.issuerDisabled })] : [])];
  const epochs = new Epochs({ since: async (sequence) => ({ sequence, subjects: [] }) });
  await epochs.refresh();
  const identities = new Identities({
    store: {
      principal: async (id) => people.find((one) => one.id === id), loginSession: async () => undefined, grant: async () => undefined,
      isTokenRevoked: async () => world.revoked, tokenShares: async () => world.shares,
    },
    roles: builtinRoles, defaultRole: 'none', epochs, clock: () => now * 1_000,
    tokens: { issuer: 'i', audience: 'a', keys: { access: new Map([[key.id, key]]), grant: new Map(), job: new Map() } },
  });
  const policy: AccessPolicy = {
    level: world.level, allowedUsers: new Set(), allowedRoles: new Set(), requiredPermissions: world.required, networks: world.policyNetworks.length === 0 ? everywhere : compileNetworks(world.policyNetworks),
    validFromMs: 0, validUntilMs: world.until, maxConcurrentPerPrincipal: world.most,
  };
  const holding: Holding = { id: 'h1', owner: world.owner, policy, ceilings: world.ceiling ? [{ owner: 'nobody', policy: undefined }] : [] };
  const stored = world.deleted ? [] : [holding];
  const gatekeeper = new Gatekeeper({
    identities, epochs, clock: () => now * 1_000, auditWorks: () => true, openings: () => world.open,
    objects: { ownerOf: async () => undefined, holdingsOf: async () => stored, holding: async () => stored[0], isLeasedTo: async () => false },
  });
  const token = signToken('access', {
    iss: 'i', aud: 'a', sub: 'reader', iat: now, nbf: now, exp: now + 60, jti: 'j', ...(world.listed === undefined ? {} : { permissions: world.listed }), ...(world.claimed ? { cid_access: ['bafy'] } : {}),
  }, key);
  try {
    const identity = await identities.byBearer(token, address);
    await gatekeeper.admit({ identity, action: 'content.read', resource: { kind: 'content', digest: 'd' }, address, requestId: 'r' });
    return true;
  } catch {
    return false;
  }
}

test('cid_access is a grant by the recorded issuer while that issuer holds the content and may share it, and it skips nothing', async () => {
  await fc.assert(fc.asyncProperty(anyWorld, async (world) => {
    expect(await admitted(world)).toBe(obvious(world));
  }), { numRuns: runs(5_000) });
});
