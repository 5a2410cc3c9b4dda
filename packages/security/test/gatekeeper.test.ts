/** The one gate: what it admits, with which reason; what it refuses, with which code, and what the audit then counts. */
import { WeirError } from '@weir/contracts/errors';
import { expect, test } from 'vitest';
import type { AccessRequest, Admission } from '../src/gatekeeper.ts';
import { objectName, viewerKey } from '../src/gatekeeper.ts';
import { EvidenceRefused, type Identity } from '../src/identity.ts';
import { compilePolicy } from '../src/policies.ts';
import type { Holding } from '../src/rights.ts';
import { here, nowSeconds, sessionId, smallWorld, type SmallWorld } from './small-world.ts';

const holding = (owner: string, policy?: Parameters<typeof compilePolicy>[0]): Holding =>
  ({ id: `h-${owner}`, owner, policy: policy === undefined ? undefined : compilePolicy(policy), ceilings: [] });
const policy = (level: 'public' | 'protected' | 'private', rest: Partial<Parameters<typeof compilePolicy>[0]> = {}) =>
  ({ level, allowed_users: [], allowed_roles: [], required_permissions: [], networks: [], ...rest });

const ask = (identity: Identity, rest: Omit<AccessRequest, 'identity' | 'address' | 'requestId'>): AccessRequest => ({ identity, address: here, requestId: 'r1', ...rest });

/** `reason` of an admission, or `code (what was counted)` of a refusal. */
async function outcome(world: SmallWorld, request: AccessRequest): Promise<string> {
  try {
    return (await world.gatekeeper.admit(request)).reason;
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return `${error.code} (${world.gatekeeper.refusals.take().map((entry) => entry.reason).join()})`;
  }
}

async function worldOf(): Promise<SmallWorld> {
  const world = await smallWorld();
  world.principal('alice');
  world.principal('bob');
  world.principal('root', { role: 'admin' });
  world.principal('w1', { role: 'worker', kind: 'worker' });
  world.owners.set('grant:g-alice', 'alice');
  world.owners.set('job:j-alice', 'alice');
  world.leases.set('j-alice', 'w1');
  return world;
}
const as = async (world: SmallWorld, principal: string): Promise<Identity> => world.identities.ofPrincipal(principal, here);

test('permissions decide about what nobody owns', async () => {
  const world = await worldOf();
  const none = { kind: 'none' } as const;
  const [alice, root, nobody] = [await as(world, 'alice'), await as(world, 'root'), world.identities.anonymous];
  expect(await outcome(world, ask(root, { action: 'user.list', resource: none }))).toBe('permission');
  expect(await outcome(world, ask(alice, { action: 'user.list', resource: none }))).toBe('permission.refused (permission manage_users)');
  expect(await outcome(world, ask(nobody, { action: 'user.list', resource: none }))).toBe('identity.required (authentication)');
  expect(await outcome(world, ask(nobody, { action: 'health.read', resource: none }))).toBe('permission');
  const open = await smallWorld('viewer');
  expect(await outcome(open, ask(open.identities.anonymous, { action: 'user.list', resource: none })), 'somebody without evidence is asked for some').toBe('identity.required (authentication)');
  expect(await outcome(open, ask(open.identities.anonymous, { action: 'token.revoke', resource: none })), 'an action for everyone who is signed in').toBe('identity.required (authentication)');
  const error = await Promise.resolve().then(() => world.gatekeeper.admit(ask(alice, { action: 'user.list', resource: none }))).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'permission.refused', facts: { missing: 'manage_users' } });
  expect(String(error)).toContain('the permission manage_users is needed');
});

test('own rows, others’ rows, and rows that there are not', async () => {
  const world = await worldOf();
  const [alice, bob, root] = [await as(world, 'alice'), await as(world, 'bob'), await as(world, 'root')];
  const list = (identity: Identity, owner?: string): Promise<string> => outcome(world, ask(identity, { action: 'grant.list', resource: { kind: 'own', owner } }));
  expect([await list(alice), await list(alice, 'alice'), await list(alice, 'bob'), await list(root, 'bob')]).toEqual(['own', 'own', 'object.absent (owner)', 'all']);
  expect(await outcome(world, ask(root, { action: 'policy.write', resource: { kind: 'own', owner: 'bob' } })), 'an action that reaches nobody else').toBe('object.absent (owner)');
  const revoke = (identity: Identity, id: string): Promise<string> => outcome(world, ask(identity, { action: 'grant.revoke', resource: { kind: 'object', type: 'grant', id } }));
  expect([await revoke(alice, 'g-alice'), await revoke(bob, 'g-alice'), await revoke(root, 'g-alice'), await revoke(bob, 'g-none'), await revoke(root, 'g-none')])
    .toEqual(['own', 'object.absent (owner)', 'all', 'object.absent (absent)', 'object.absent (absent)']);
  const open = await smallWorld();
  expect(await outcome(open, ask(open.identities.anonymous, { action: 'health.read', resource: { kind: 'own' } }))).toBe('identity.required (authentication)');
});

test('a worker reaches the job that it holds, and its token one part of it', async () => {
  const world = await worldOf();
  const [w1, root] = [await as(world, 'w1'), await as(world, 'root')];
  const job = { kind: 'object', type: 'job', id: 'j-alice' } as const;
  expect(await outcome(world, ask(w1, { action: 'job.read', resource: job }))).toBe('leased');
  expect(await outcome(world, ask(w1, { action: 'job.cancel', resource: job }))).toBe('permission.refused (permission submit_jobs)');
  expect(await outcome(world, ask(w1, { action: 'job.read', resource: { kind: 'none' } }))).toBe('permission.refused (permission submit_jobs)');
  const part = { kind: 'job-part', job: 'j-alice', part: 'input:0' } as const;
  const token = await world.identities.byBearer(world.token('job', { sub: 'w1', job: 'j-alice', object: 'input:0' }), here);
  expect(await outcome(world, ask(token, { action: 'job.lease', resource: part }))).toBe('leased');
  for (const other of [{ ...part, part: 'input:1' }, { ...part, job: 'j-bob' }]) {
    expect(await outcome(world, ask(token, { action: 'job.lease', resource: other }))).toBe('object.absent (no token for this part)');
  }
  expect(await outcome(world, ask(w1, { action: 'job.lease', resource: part }))).toBe('object.absent (no token for this part)');
  expect(await outcome(world, ask(token, { action: 'job.lease', resource: { kind: 'none' } }))).toBe('identity.required (job token outside its part)');
  expect(await outcome(world, ask(token, { action: 'content.read', resource: { kind: 'content', digest: 'd' } }))).toBe('identity.required (job token outside its part)');
  world.leases.delete('j-alice');
  expect(await outcome(world, ask(token, { action: 'job.lease', resource: part }))).toBe('job.lease_lost (lease)');
  expect(await outcome(world, ask(w1, { action: 'job.read', resource: job }))).toBe('object.absent (owner)');
  expect(await outcome(world, ask(root, { action: 'job.read', resource: job }))).toBe('all');
});

const content = { kind: 'content', digest: 'd' } as const;
const read = (world: SmallWorld, identity: Identity, rest: Partial<AccessRequest> = {}): Promise<string> => outcome(world, { ...ask(identity, { action: 'content.read', resource: content }), ...rest });

test('content is read by one’s own holding first, else by whichever lets one in', async () => {
  const world = await worldOf();
  const [alice, bob] = [await as(world, 'alice'), await as(world, 'bob')];
  expect(await read(world, alice)).toBe('object.absent (absent)');
  world.holdings = [holding('bob'), holding('alice')];
  const admission = await world.gatekeeper.admit(ask(alice, { action: 'content.read', resource: content }));
  expect([admission.reason, admission.holding?.id]).toEqual(['owner', 'h-alice']);
  world.holdings = [holding('bob', policy('protected')), holding('carol')];
  expect(await read(world, alice)).toBe('protected');
  world.holdings = [holding('carol')];
  expect(await read(world, alice), 'foreign is absent').toBe('object.absent (who)');
  world.holdings = [holding('carol', policy('private')), holding('alice', policy('private', { valid_until: new Date((nowSeconds - 1) * 1_000).toISOString() }))];
  expect(await read(world, alice), 'the owner is told the clause').toBe('policy.refused (window)');
  await expect(world.gatekeeper.admit(ask(alice, { action: 'content.read', resource: content }))).rejects.toMatchObject({ facts: { clause: 'window' } });
  world.gatekeeper.refusals.take();
  expect(await read(world, bob)).toBe('object.absent (who)');
  world.holdings = [holding('carol', policy('public'))];
  expect(await read(world, world.identities.anonymous)).toBe('public');
  expect(await read(world, await world.identities.byBearer(world.token('access', { permissions: ['submit_jobs'] }), here)), 'what the token left out stays out').toBe('permission.refused (permission read_content)');
  world.open = 1;
  world.holdings = [holding('alice', policy('private', { max_concurrent_per_principal: 1 }))];
  expect(await read(world, alice)).toBe('policy.refused (concurrency)');
});

test('one thing of the library goes by its own policy', async () => {
  const world = await worldOf();
  world.holdings = [holding('alice'), holding('bob', policy('protected'))];
  const alice = await as(world, 'alice');
  const item = (id: string): Promise<string> => outcome(world, ask(alice, { action: 'library.read', resource: { kind: 'library', id } }));
  expect([await item('h-alice'), await item('h-bob'), await item('h-none')]).toEqual(['owner', 'protected', 'object.absent (absent)']);
});

test('read_any_content reads a named owner’s holding, and nothing unnamed', async () => {
  const world = await worldOf();
  world.holdings = [holding('bob'), holding('alice')];
  const [alice, root] = [await as(world, 'alice'), await as(world, 'root')];
  const any = (identity: Identity, owner: string) => ask(identity, { action: 'content.read', resource: { ...content, owner } });
  const admission = await world.gatekeeper.admit(any(root, 'bob'));
  expect([admission.action, admission.reason, admission.holding?.id]).toEqual(['content.read_any', 'read_any_content', 'h-bob']);
  expect(await outcome(world, any(alice, 'bob'))).toBe('permission.refused (permission read_any_content)');
  expect(await outcome(world, any(alice, 'alice'))).toBe('owner');
  expect(await outcome(world, any(root, 'carol'))).toBe('object.absent (absent)');
  expect(await read(world, root), 'silently it opens nothing').toBe('object.absent (who)');
});

test('a link stands for its holding, its issuer, its verb and the person that it is bound to', async () => {
  const world = await worldOf();
  world.holdings = [holding('alice')];
  const nobody: Identity = { ...world.identities.anonymous, principal: undefined };
  world.grant('g1');
  const granted = async (rest: Parameters<SmallWorld['grant']>[1], identity = nobody): Promise<string> => {
    world.principal('bob');
    world.grant('g1', rest);
    await world.move('grant:g1', 'principal:bob');
    return read(world, identity, { grant: await world.identities.grantById('g1', here) });
  };
  expect(await granted({})).toBe('grant');
  expect(await granted({ verbs: [] })).toBe('policy.refused (authentication)');
  expect(await granted({ holding: 'h-other' })).toBe('policy.refused (authentication)');
  expect(await granted({ issuer: 'bob' })).toBe('policy.refused (authentication)');
  expect(await granted({ principal: 'bob' })).toBe('policy.refused (authentication)');
  expect(await granted({ principal: 'bob' }, await as(world, 'bob'))).toBe('grant');
  const unable = await world.identities.byBearer(world.token('access', { sub: 'bob', permissions: ['submit_jobs'] }), here);
  expect(await granted({}, unable), 'a link needs no permission of its own').toBe('grant');
});

test('while the audit can not be written nothing gives rights, and what takes them goes on', async () => {
  const world = await worldOf();
  world.auditWorks = false;
  const [alice, root] = [await as(world, 'alice'), await as(world, 'root')];
  expect(await outcome(world, ask(alice, { action: 'grant.create', resource: { kind: 'own' } }))).toBe('audit.unavailable (audit unavailable)');
  expect(await outcome(world, ask(root, { action: 'user.write', resource: { kind: 'none' } }))).toBe('audit.unavailable (audit unavailable)');
  expect(await outcome(world, ask(alice, { action: 'grant.revoke', resource: { kind: 'object', type: 'grant', id: 'g-alice' } }))).toBe('own');
  expect(await outcome(world, ask(alice, { action: 'job.submit', resource: { kind: 'own' } }))).toBe('own');
});

test('on knowledge that is a second old nothing is admitted before it is renewed', async () => {
  const world = await worldOf();
  const alice = await as(world, 'alice');
  const request = ask(alice, { action: 'job.submit', resource: { kind: 'own' } });
  expect(world.gatekeeper.admit(request)).not.toBeInstanceOf(Promise);
  world.monotonicMs += 1_000;
  const late = world.gatekeeper.admit(request);
  expect(late).toBeInstanceOf(Promise);
  expect(await late).toMatchObject({ reason: 'own' });
  world.monotonicMs += 1_000;
  world.storeFails = true;
  await expect(world.gatekeeper.admit(request)).rejects.toMatchObject({ code: 'storage.failed' });
});

test('an admission says what moves it, and the epoch that was read before anything else', async () => {
  const world = await worldOf();
  world.session('bob');
  world.holdings = [holding('alice')];
  world.grant('g1', { principal: 'bob' });
  world.grant('g2', { parent: 'g1' });
  await world.move('grant:g1', 'grant:g2');
  const identity: Identity = { ...await world.identities.byBearer(world.token('access', { sub: 'bob', sid: sessionId }), here), shares: { issuer: 'carol', holdings: new Set() } };
  const grant = await world.identities.grantById('g2', here);
  const admission = await world.gatekeeper.admit({ ...ask(identity, { action: 'content.read', resource: content }), grant, client: 'player' });
  expect(admission).toMatchObject({ address: here, action: 'content.read', client: 'player', sequence: world.epochs.sequence });
  expect([...admission.subjects].toSorted()).toEqual(['grant:g1', 'grant:g2', 'holding:h-alice', 'key:access-1', 'principal:alice', 'principal:bob', 'principal:carol', `session:${sessionId}`, 'token:jti-1']);
  const plain = await world.gatekeeper.admit(ask(await as(world, 'alice'), { action: 'job.submit', resource: { kind: 'own' } }));
  expect([plain.subjects, plain.client, plain.holding]).toEqual([[], '', undefined]);
});

test('a refusal that others decided is counted by its first sentence part, once, and nothing else is', async () => {
  const world = await smallWorld();
  const request = { action: 'content.read', address: '192.0.2.1', requestId: 'r1' } as const;
  const noted = (error: unknown, more: { identity?: Identity } = {}): string[] => {
    world.gatekeeper.noteRefusal(error, { ...request, ...more });
    return world.gatekeeper.refusals.take().map(({ principal, action, reason, count }) => `${principal || '-'} ${action} ${reason} ${count}`);
  };
  expect(noted(new WeirError('policy.refused', 'The link has ended; ask for another.'))).toEqual(['- content.read The link has ended 1']);
  expect(noted(new WeirError('policy.refused', 'Only this: nothing else.'), { identity: { ...world.gatekeeper.identities.anonymous, principal: 'alice' } })).toEqual(['alice content.read Only this 1']);
  expect(noted(new WeirError('request.host'))).toHaveLength(1);
  expect(noted(new WeirError('origin.refused'))).toHaveLength(1);
  expect(noted(new WeirError('invite.invalid'))).toHaveLength(1);
  expect(noted(new WeirError('policy.refused', 'x'.repeat(500)))).toEqual([`- content.read ${'x'.repeat(200)} 1`]);
  // Evidence is counted with its own reason, a failure is no refusal, and the gate has counted its own.
  for (const other of [new WeirError('object.absent'), new WeirError('identity.required'), new WeirError('internal'), new Error('broken'), 'text', undefined]) expect(noted(other)).toEqual([]);
  expect(noted(new WeirError('policy.refused', undefined, { cause: new WeirError('identity.required') }))).toEqual([]);
  const own = world.gatekeeper.refuse({ ...request, identity: world.gatekeeper.identities.anonymous }, 'policy.refused', 'level');
  expect(world.gatekeeper.refusals.take()).toMatchObject([{ reason: 'level' }]);
  expect(noted(own)).toEqual([]);
});

test('refusals are counted by whom, from where, what and why', async () => {
  const world = await worldOf();
  const alice = await as(world, 'alice');
  for (let round = 0; round < 3; round += 1) await Promise.resolve().then(() => world.gatekeeper.admit(ask(alice, { action: 'user.list', resource: { kind: 'none' } }))).catch(() => undefined);
  expect(world.gatekeeper.refusals.take()).toEqual([{
    class: 'C', principal: 'alice', address: '192.0.2.1', action: 'user.list', object: '', decision: 'refused', reason: 'permission manage_users', requestId: 'r1', count: 3,
  }]);
  world.gatekeeper.refuseEvidence(new EvidenceRefused('signature', 'w9'), { action: 'job.read', address: '2001:db8:1:2:3::4', requestId: 'r2' });
  expect(world.gatekeeper.refusals.take()).toMatchObject([{ principal: 'w9', address: '2001:db8:1:2::/64', action: 'job.read', reason: 'signature', count: 1 }]);
  expect([undefined, { kind: 'none' }, { kind: 'own' }, { kind: 'object', type: 'job', id: 'j' }, { kind: 'content', digest: 'd' }, { kind: 'library', id: 'h' }, { kind: 'job-part', job: 'j', part: 'input:0' }].map((resource) => objectName(resource as never)))
    .toEqual(['', '', '', 'job:j', 'content:d', 'holding:h', 'job:j/input:0']);
});

test('an opening counts for a principal, or for a link and where it is used', async () => {
  const world = await worldOf();
  world.grant('g1');
  const grant = await world.identities.grantById('g1', here);
  const alice = await as(world, 'alice');
  expect([viewerKey(alice, undefined, here), viewerKey(alice, grant, here), viewerKey(world.identities.anonymous, undefined, here)]).toEqual(['alice', 'grant:g1:192.0.2.1', 'address:192.0.2.1']);
});

const goesOn = async (world: SmallWorld, admission: Admission<Holding>): Promise<string> => {
  const { allowed, reason } = await world.gatekeeper.goesOn(admission);
  return `${allowed ? 'goes on' : 'ends'}: ${reason}`;
};

test('a stream goes on as long as all that let it in holds', async () => {
  const changes: Readonly<Record<string, readonly [change: (world: SmallWorld) => void, moved: readonly string[], says: string]>> = {
    'nothing moved': [() => undefined, [], 'goes on: user'],
    'the policy leaves the reader out': [(world) => { world.holdings = [holding('alice')]; }, ['holding:h-alice'], 'ends: who'],
    'the holding is gone': [(world) => { world.holdings = []; }, ['holding:h-alice'], 'ends: absent'],
    'the principal is disabled': [(world) => { world.principal('bob', { disabled: true }); }, ['principal:bob'], 'ends: principal disabled'],
    'the role lost the permission': [(world) => { world.principal('bob', { role: 'worker' }); }, ['principal:bob'], 'ends: permission'],
    'the time of the policy is over': [(world) => { world.nowMs += 120_000; }, [], 'ends: window'],
    'somebody else opened the only place': [(world) => { world.open = 1; }, [], 'ends: concurrency'],
  };
  for (const [name, [change, moved, says]] of Object.entries(changes)) {
    const world = await worldOf();
    const until = new Date(world.nowMs + 100_000).toISOString();
    world.holdings = [holding('alice', policy('private', { allowed_users: ['bob'], valid_until: until, max_concurrent_per_principal: 1 }))];
    const admission = await world.gatekeeper.admit(ask(await as(world, 'bob'), { action: 'content.read', resource: content }));
    change(world);
    await world.move(...moved);
    expect(await goesOn(world, admission), name).toBe(says);
  }
});

test('a stream under a link, under read_any_content and without a holding goes on by its own right', async () => {
  const world = await worldOf();
  world.holdings = [holding('alice')];
  world.grant('g1');
  const nobody: Identity = { ...world.identities.anonymous, principal: undefined };
  const linked = await world.gatekeeper.admit({ ...ask(nobody, { action: 'content.read', resource: content }), grant: await world.identities.grantById('g1', here) });
  expect(await goesOn(world, linked)).toBe('goes on: grant');
  world.grant('g1', { revoked: true });
  await world.move('grant:g1');
  expect(await goesOn(world, linked)).toBe('ends: grant');

  const root = await as(world, 'root');
  const any = await world.gatekeeper.admit(ask(root, { action: 'content.read', resource: { ...content, owner: 'alice' } }));
  expect(await goesOn(world, any)).toBe('goes on: read_any_content');
  const events = await world.gatekeeper.admit(ask(root, { action: 'audit.read', resource: { kind: 'none' } }));
  expect(await goesOn(world, events)).toBe('goes on: permission');
  world.principal('root', { role: 'user' });
  await world.move('principal:root');
  expect([await goesOn(world, any), await goesOn(world, events)]).toEqual(['ends: permission', 'ends: permission']);

  world.monotonicMs += 1_000;
  world.storeFails = true;
  expect(await goesOn(world, events)).toBe('ends: storage.failed');
});

test('what asks for a fresh proof is admitted for ten minutes after one', async () => {
  const world = await worldOf();
  const proved = async (provedAtMs: number): Promise<Identity> => ({ ...await as(world, 'alice'), provedAtMs });
  const add = async (provedAtMs: number): Promise<string> => outcome(world, ask(await proved(provedAtMs), { action: 'passkey.add', resource: { kind: 'own' } }));
  expect([await add(world.nowMs), await add(world.nowMs - 599_999), await add(world.nowMs - 600_000), await add(0)])
    .toEqual(['own', 'own', 'step_up.required (step-up)', 'step_up.required (step-up)']);
  expect(await outcome(world, ask(await proved(0), { action: 'grant.list', resource: { kind: 'own' } })), 'the others ask for none').toBe('own');
  const explained = await world.gatekeeper.explain(ask(await proved(0), { action: 'passkey.add', resource: { kind: 'own' } }));
  expect(explained).toMatchObject({ allowed: false, code: 'step_up.required', reason: 'step-up' });
  expect((await world.gatekeeper.explain(ask(await proved(world.nowMs), { action: 'passkey.add', resource: { kind: 'own' } }))).steps).toContainEqual({ clause: 'step-up', held: true });
});

test('an action that needs no permission is for whoever is signed in, also for rows', async () => {
  const world = await worldOf();
  world.owners.set('token:t-alice', 'alice');
  const [alice, bob, w1] = [await as(world, 'alice'), await as(world, 'bob'), await as(world, 'w1')];
  const revoke = (identity: Identity): Promise<string> => outcome(world, ask(identity, { action: 'token.revoke', resource: { kind: 'object', type: 'token', id: 't-alice' } }));
  expect([await revoke(alice), await revoke(bob), await revoke(w1)]).toEqual(['own', 'object.absent (owner)', 'object.absent (owner)']);
  expect(await outcome(world, ask(w1, { action: 'token.list', resource: { kind: 'own' } }))).toBe('own');
  const listing = await world.gatekeeper.admit(ask(w1, { action: 'token.list', resource: { kind: 'own' } }));
  expect(await goesOn(world, listing)).toBe('goes on: permission');
});

test('a lease opens that very job to its worker, and nothing else', async () => {
  const world = await worldOf();
  world.owners.set('job:j-w1', 'w1');
  world.owners.set('grant:j-alice', 'alice');
  world.leases.set('j-w1', 'w2');
  const [w1, bob] = [await as(world, 'w1'), await as(world, 'bob')];
  const object = (identity: Identity, action: 'job.read' | 'job.lease' | 'job.cancel' | 'key.rotate', type: 'job' | 'grant', id: string): Promise<string> => outcome(world, ask(identity, { action, resource: { kind: 'object', type, id } }));
  expect(await object(w1, 'job.read', 'job', 'j-w1'), 'its own, but it may not own jobs').toBe('object.absent (owner)');
  expect(await object(w1, 'job.read', 'grant', 'j-alice'), 'a row of another kind with the name of the job').toBe('object.absent (owner)');
  expect(await object(w1, 'job.read', 'job', 'j-alice')).toBe('leased');
  world.leases.set('j-alice', 'bob');
  expect(await object(bob, 'job.read', 'job', 'j-alice'), 'a lease without the permission to run jobs').toBe('object.absent (owner)');
  world.principal('w1', { role: 'worker', own: ['submit_jobs'] });
  await world.move('principal:w1');
  world.leases.set('j-alice', 'w1');
  expect(await object(await as(world, 'w1'), 'job.cancel', 'job', 'j-alice'), 'an action that a lease does not give').toBe('object.absent (owner)');
});

test('a refusal says what is missing where it is a permission, and nothing of one where it is not', async () => {
  const world = await worldOf();
  world.holdings = [holding('alice', policy('public'))];
  const unable = await world.identities.byBearer(world.token('access', { permissions: ['submit_jobs'] }), here);
  await expect(world.gatekeeper.admit(ask(unable, { action: 'content.read', resource: content }))).rejects.toMatchObject({ facts: { missing: 'read_content' }, message: expect.stringContaining('the permission read_content is needed') });
  const absent = await Promise.resolve(world.gatekeeper.admit(ask(await as(world, 'bob'), { action: 'content.read', resource: { kind: 'content', digest: 'none' } }))).catch((error: unknown) => error);
  expect(String(absent)).not.toContain('permission');
  world.gatekeeper.refusals.take();
  await Promise.resolve().then(() => world.gatekeeper.admit(ask(world.identities.anonymous, { action: 'user.list', resource: { kind: 'none' } }))).catch(() => undefined);
  expect(world.gatekeeper.refusals.take()).toMatchObject([{ principal: '' }]);
});

test('the clauses of an answer are told in their order, each once', async () => {
  const world = await worldOf();
  const alice = await as(world, 'alice');
  const steps = async (request: AccessRequest): Promise<string[]> => (await world.gatekeeper.explain(request)).steps.map(({ clause, held }) => `${held ? '' : 'not '}${clause}`);
  expect(await steps(ask(alice, { action: 'job.submit', resource: { kind: 'own' } }))).toEqual(['permission submit_jobs', 'own']);
  const over = policy('private', { valid_until: new Date((nowSeconds - 1) * 1_000).toISOString() });
  world.holdings = [holding('carol', over), holding('alice', over)];
  expect(await steps(ask(alice, { action: 'content.read', resource: content }))).toEqual(['permission read_content', 'not window', 'not window', 'not window']);
  world.holdings = [holding('carol', policy('public'))];
  expect((await steps(ask(world.identities.anonymous, { action: 'content.read', resource: content })))[0]).toBe('window');
  const unable = await world.identities.byBearer(world.token('access', { permissions: ['submit_jobs'] }), here);
  expect(await steps(ask(unable, { action: 'content.read', resource: content }))).toEqual(['not permission read_content']);
  world.grant('g1', { issuer: 'carol', holding: 'h-carol' });
  world.principal('carol');
  expect((await steps({ ...ask(alice, { action: 'content.read', resource: content }), grant: await world.identities.grantById('g1', here) }))[0], 'a link needs no permission').toBe('window');
});

test('what failed is no answer: neither an explanation nor a stream ends in a made-up one', async () => {
  const world = await worldOf();
  world.holdings = [holding('alice', policy('protected'))];
  const [alice, bob] = [await as(world, 'alice'), await as(world, 'bob')];
  const revoke = ask(alice, { action: 'grant.revoke', resource: { kind: 'object', type: 'grant', id: 'g-alice' } });
  const admission = await world.gatekeeper.admit(ask(bob, { action: 'content.read', resource: content }));
  for (const failure of [new TypeError('a bug'), new WeirError('storage.failed')]) {
    world.objectsFail = failure;
    await expect(world.gatekeeper.explain(revoke)).rejects.toBe(failure);
    if (failure instanceof WeirError) expect(await goesOn(world, admission)).toBe('ends: storage.failed');
    else await expect(world.gatekeeper.goesOn(admission)).rejects.toBe(failure);
  }
  world.objectsFail = undefined;
  world.monotonicMs += 1_000;
  world.storeFails = true;
  await expect(world.gatekeeper.explain(revoke)).rejects.toMatchObject({ code: 'storage.failed' });
});

test('the reason that a link’s holder hears is that of the link’s holding', async () => {
  const world = await worldOf();
  const over = policy('private', { valid_until: new Date((nowSeconds - 1) * 1_000).toISOString() });
  world.holdings = [holding('bob'), holding('alice', over), holding('carol')];
  world.grant('g1');
  expect(await read(world, await as(world, 'bob'), { grant: await world.identities.grantById('g1', here) }), 'bob’s own still opens').toBe('owner');
  const nobody: Identity = { ...world.identities.anonymous, principal: undefined };
  expect(await read(world, nobody, { grant: await world.identities.grantById('g1', here) })).toBe('policy.refused (window)');
});

test('read_any_content is used, and audited, where nothing of the caller’s own opens', async () => {
  const world = await worldOf();
  const over = policy('private', { valid_until: new Date((nowSeconds - 1) * 1_000).toISOString() });
  world.holdings = [holding('bob', policy('public')), holding('alice', over), holding('root', over)];
  const [alice, root] = [await as(world, 'alice'), await as(world, 'root')];
  const any = (identity: Identity, owner: string): Promise<string> => outcome(world, ask(identity, { action: 'content.read', resource: { ...content, owner } }));
  expect(await any(root, 'bob'), 'also where the policy would open it').toBe('read_any_content');
  expect([await any(root, 'root'), await any(alice, 'alice')]).toEqual(['read_any_content', 'permission.refused (permission read_any_content)']);
  world.holdings = [];
  expect([await any(root, 'root'), await any(alice, 'alice')]).toEqual(['object.absent (absent)', 'permission.refused (permission read_any_content)']);
});

test('content that a token’s issuer shares opens: that holding alone, and as long as it is the issuer’s', async () => {
  const world = await worldOf();
  world.holdings = [holding('bob')];
  const shares = (issuer: string, holdings: readonly string[]) => read(world, { ...world.identities.anonymous, authenticated: true, principal: 'guest', effective: new Set(['read_content']), shares: { issuer, holdings: new Set(holdings) } });
  expect([await shares('bob', ['h-bob']), await shares('bob', ['h-other']), await shares('alice', ['h-bob']), await shares('bob', [])]).toEqual(['grant', 'object.absent (who)', 'object.absent (who)', 'object.absent (who)']);
});

test('a stream that nobody in particular reads goes on by the policy alone; openings are asked about by viewer, holding and player', async () => {
  const world = await worldOf();
  world.holdings = [holding('alice', policy('public'))];
  const admission = await world.gatekeeper.admit(ask(world.identities.anonymous, { action: 'content.read', resource: content }));
  expect(admission.subjects).toEqual(['holding:h-alice']);
  expect(world.openingsAsked).toEqual([`address:${here}`, 'h-alice', '']);
  expect(await goesOn(world, admission)).toBe('goes on: public');
  const alice = await world.gatekeeper.admit({ ...ask(await as(world, 'alice'), { action: 'content.read', resource: content }), client: 'player' });
  expect(alice.subjects).toEqual(['holding:h-alice', 'principal:alice']);
  expect(world.openingsAsked).toEqual(['alice', 'h-alice', 'player']);
});

test('a stream under a link goes on although its viewer lost the permission to read', async () => {
  const world = await worldOf();
  world.holdings = [holding('alice')];
  world.grant('g1');
  const admission = await world.gatekeeper.admit({ ...ask(await as(world, 'bob'), { action: 'content.read', resource: content }), grant: await world.identities.grantById('g1', here) });
  world.principal('bob', { role: 'worker' });
  await world.move('principal:bob');
  expect(await goesOn(world, admission)).toBe('goes on: grant');
});

test('a call of a milder action that turns out to grant asks for the audit and for a fresh proof', async () => {
  const world = await worldOf();
  const request = (provedAtMs: number) => ({ identity: { ...world.identities.anonymous, principal: 'alice', provedAtMs }, action: 'grant.create', address: here, requestId: 'r1' } as const);
  const asked = (provedAtMs: number): string => {
    try {
      world.gatekeeper.requirePrivilege(request(provedAtMs));
      return 'granted';
    } catch (error) {
      return `${error instanceof WeirError ? error.code : String(error)} (${world.gatekeeper.refusals.take().map(({ reason }) => reason).join()})`;
    }
  };
  expect([asked(world.nowMs), asked(0)]).toEqual(['granted', 'step_up.required (step-up)']);
  world.auditWorks = false;
  expect(asked(world.nowMs)).toBe('audit.unavailable (audit unavailable)');
});
