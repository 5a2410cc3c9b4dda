/** What is explained is what is decided: the same code, the same verdict, and no trace of having asked. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { actions, type ActionName } from '../src/actions.ts';
import { Epochs } from '../src/epochs.ts';
import { sentenceOf } from '../src/explanations.ts';
import { Gatekeeper, type AccessRequest, type Resource } from '../src/gatekeeper.ts';
import { EvidenceRefused, Identities } from '../src/identity.ts';
import { everywhere } from '../src/networks.ts';
import type { PrincipalRecord } from '../src/principals.ts';
import type { Holding } from '../src/rights.ts';
import { builtinRoles } from '../src/roles.ts';
import { addresses, anyHolding, compileHolding, names, obviousModel, roles, type PlainHolding } from './obvious-model.ts';
import { runs } from './runs.ts';

type World = Readonly<{ holdings: readonly PlainHolding[]; principals: readonly Readonly<{ id: string; role: string; disabled: boolean; own: readonly string[] }>[]; nowMs: number; open: number }>;
const anyWorld: fc.Arbitrary<World> = fc.record({
  holdings: fc.uniqueArray(anyHolding(), { maxLength: 3, selector: ({ owner }) => owner }),
  principals: fc.tuple(...names.filter((name) => name !== 'anonymous').map((id) => fc.record({
    id: fc.constant(id), role: fc.constantFrom(...roles), disabled: fc.boolean().map((value) => value), own: fc.subarray(['read_content', 'share_content', 'access_all_objects']),
  }))),
  nowMs: fc.constantFrom(0, 50, 99, 100, 149, 150, 200), open: fc.constantFrom(0, 1, 2),
});

async function build(world: World): Promise<{ gatekeeper: Gatekeeper; holdings: readonly Holding[] }> {
  const holdings = world.holdings.map((plain) => ({ ...compileHolding(plain), id: `h-${plain.owner}` }));
  const records = new Map(world.principals.map(({ id, role, disabled, own }): [string, PrincipalRecord] => [id, {
    id, kind: 'user', role, rights: new Set([...builtinRoles.get(role)?.permissions ?? [], ...own]), scope: everywhere, disabled, tokensValidFromMs: 0, maxSkewSeconds: 30, keys: [],
  }]));
  const epochs = new Epochs({ since: async (sequence) => ({ sequence, subjects: [] }) });
  await epochs.refresh();
  const identities = new Identities({
    store: { principal: async (id) => records.get(id), loginSession: async () => undefined, grant: async () => undefined, isTokenRevoked: async () => false },
    roles: builtinRoles, defaultRole: 'none', epochs, clock: () => world.nowMs, tokens: { issuer: 'i', audience: 'a', keys: { access: new Map(), grant: new Map(), job: new Map() } },
  });
  const gatekeeper = new Gatekeeper({
    identities, epochs, clock: () => world.nowMs, openings: () => world.open, auditWorks: () => true,
    objects: {
      ownerOf: async (_type, id) => holdings.find((holding) => holding.id === id)?.owner, holdingsOf: async (digest) => (digest === 'd' ? holdings : []),
      holding: async (id) => holdings.find((holding) => holding.id === id), isLeasedTo: async () => false,
    },
  });
  return { gatekeeper, holdings };
}

const verdictOf = async (gatekeeper: Gatekeeper, request: AccessRequest): Promise<{ allowed: boolean; code: string | undefined; reason: string | undefined }> => {
  try {
    return { allowed: true, code: undefined, reason: (await gatekeeper.admit(request)).reason };
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { allowed: false, code: String(error.code), reason: undefined };
    throw error;
  }
};

const anyAction = fc.constantFrom(...Object.keys(actions)) as fc.Arbitrary<ActionName>;
const anyResource: fc.Arbitrary<Resource> = fc.oneof(
  fc.constantFrom<Resource>({ kind: 'none' }, { kind: 'own' }, { kind: 'own', owner: 'bob' }, { kind: 'content', digest: 'd' }, { kind: 'content', digest: 'other' }),
  fc.constantFrom('alice', 'bob', 'carol').chain((owner) => fc.constantFrom<Resource>({ kind: 'object', type: 'holding', id: `h-${owner}` }, { kind: 'library', id: `h-${owner}` }, { kind: 'content', digest: 'd', owner })),
);

test('the verdict that is explained is the one of the gate, for every action, object and caller of random worlds, and no refusal is counted', async () => {
  await fc.assert(fc.asyncProperty(anyWorld, anyAction, anyResource, fc.constantFrom(...names), fc.constantFrom(...addresses), async (world, action, resource, who, address) => {
    const { gatekeeper } = await build(world);
    const identity = await Promise.resolve(gatekeeper.identities.standing(who, address)).catch((error: unknown) => error);
    if (identity instanceof EvidenceRefused) {
      expect(world.principals.find(({ id }) => id === who)?.disabled).toBe(true);
      return;
    }
    const request = { identity, action, resource, address, requestId: 'r' } as AccessRequest;
    const explained = await gatekeeper.explain(request);
    expect(gatekeeper.refusals.take()).toEqual([]);
    const verdict = await verdictOf(gatekeeper, request);
    expect({ allowed: explained.allowed, code: explained.code }).toEqual({ allowed: verdict.allowed, code: verdict.code });
    if (verdict.allowed) expect(explained.reason).toBe(verdict.reason);
    // The last clause is the one that decided.
    expect(explained.steps.at(-1)).toMatchObject({ clause: explained.reason, held: explained.allowed });
    for (const step of explained.steps) expect(sentenceOf(step, { ...request.identity, address })).toMatch(/\.$/);
  }), { numRuns: runs(3_000) });
});

test('what is explained of reading is what the obvious model says', async () => {
  await fc.assert(fc.asyncProperty(anyWorld, fc.constantFrom(...names), fc.constantFrom(...addresses), fc.constantFrom(0, 99, 100, 149, 150), async (world, who, address, atMs) => {
    const { gatekeeper } = await build(world);
    const identity = await Promise.resolve(gatekeeper.identities.standing(who, address)).catch(() => undefined);
    if (identity === undefined) return;
    const explained = await gatekeeper.explain({ identity, action: 'content.read', resource: { kind: 'content', digest: 'd' }, address, requestId: 'r' }, atMs);
    const { principal, authenticated, role, tokenRole, effective } = identity;
    const mayRead = !authenticated || effective.has('read_content');
    const readable = world.holdings.some((holding) => obviousModel(holding, { subject: { principal, authenticated, role, tokenRole, effective, address }, nowMs: atMs, granted: new Set(), open: world.open }));
    expect(explained.allowed).toBe(mayRead && readable);
  }), { numRuns: runs(3_000) });
});

test('somebody of a role owns nothing and may what the role may', async () => {
  const { gatekeeper } = await build({ holdings: [], principals: [], nowMs: 0, open: 0 });
  const identity = gatekeeper.identities.standingOfRole('viewer');
  if (identity === undefined) throw new Error('viewer');
  const may = async (action: ActionName): Promise<boolean> => (await gatekeeper.explain({ identity, action, resource: { kind: 'none' }, address: '::1', requestId: 'r' })).allowed;
  expect([await may('content.read'), await may('status.read'), await may('job.submit'), await may('role.read')]).toEqual([true, true, false, false]);
  expect(gatekeeper.identities.standingOfRole('nobody')).toBeUndefined();
});
