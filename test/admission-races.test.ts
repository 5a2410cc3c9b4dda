/**
 * A stream that is opened while its right is taken away is refused or ended, whichever comes first: there is no order of the two in
 * which it goes on. The parts are the server's own, over both databases; each round takes another right away at another moment.
 */
import { randomInt } from 'node:crypto';
import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import type { Data } from '../packages/data/src/data.ts';
import { epochsSince } from '../packages/data/src/epochs.ts';
import { createGrant, revokeGrant } from '../packages/data/src/security-stores/grants.ts';
import { identityStore } from '../packages/data/src/security-stores/identity-store.ts';
import { addPrincipal, changePrincipal } from '../packages/data/src/security-stores/principals.ts';
import { issueToken, revokeToken } from '../packages/data/src/security-stores/tokens.ts';
import { deleteHolding, insertHolding, setPolicy } from '../packages/content/src/holdings.ts';
import type { Tx } from '../packages/data/src/schema.ts';
import { forEachEngine } from '../packages/data/test/support/engines.ts';
import { rows } from '../packages/data/test/support/rows.ts';
import { Viewers } from '../packages/delivery/src/viewers.ts';
import { Epochs } from '../packages/security/src/epochs.ts';
import { Gatekeeper, type AccessRequest } from '../packages/security/src/gatekeeper.ts';
import { Identities } from '../packages/security/src/identity.ts';
import { KeyRing } from '../packages/security/src/key-ring.ts';
import { newMasterKey } from '../packages/security/src/master-keys.ts';
import { defineRoles } from '../packages/security/src/roles.ts';
import { newTokenKey } from '../packages/security/src/token-keys.ts';
import { objectStore, type StoredHolding } from '../packages/server/src/object-store.ts';
import { scaled } from './support/weir.ts';

const audience = 'weir:races';
const address = '192.0.2.1';
const roles = defineRoles({});
const keyRing = new KeyRing({ current: 'races', keys: [newMasterKey('races')] });
const key = newTokenKey('k');
const keys = new Map([[key.id, key]]);
const signer = { issuer: audience, audience, key, roles };

/** What a node decides with. */
class Node implements Disposable {
  readonly epochs: Epochs;
  readonly gatekeeper: Gatekeeper<StoredHolding>;
  readonly viewers: Viewers<StoredHolding>;

  constructor(data: Data) {
    this.epochs = new Epochs({ since: (sequence) => epochsSince(data.watch, sequence) });
    const identities = new Identities({
      store: identityStore(data.read, keyRing, roles), roles, defaultRole: 'none', epochs: this.epochs,
      tokens: { issuer: audience, audience, keys: { access: keys, grant: keys, job: keys } },
    });
    this.gatekeeper = new Gatekeeper<StoredHolding>({
      identities, epochs: this.epochs, objects: objectStore(data.read, Date.now), auditWorks: () => true,
      openings: (viewer, holding, client) => this.viewers.openings(viewer, holding, client),
    });
    this.viewers = new Viewers(this.gatekeeper);
  }

  /** As a request for content comes in; resolves when it is refused or runs. */
  async open({ token, grant }: Evidence, digest: string): Promise<Stream> {
    const stream: Stream = { state: 'refused' };
    const { identities } = this.gatekeeper;
    const since = this.epochs.sequence;
    try {
      await this.epochs.ensureFresh();
      const request: Omit<AccessRequest, 'identity'> = { action: 'content.read', resource: { kind: 'content', digest }, address, requestId: 'r', since };
      const admission = await this.gatekeeper.admit(grant === undefined
        ? { ...request, identity: await identities.byBearer(token ?? '', address) }
        : { ...request, identity: { ...identities.anonymous, principal: undefined }, grant: await identities.grant(grant, address) });
      stream.state = 'runs';
      this.viewers.open(admission, () => { stream.state = 'ended'; });
    } catch (error) {
      if (!(error instanceof Error && error.name === 'WeirError')) throw error;
    }
    return stream;
  }

  [Symbol.dispose](): void {
    this.viewers.stop();
    this.epochs.stop();
  }
}

type Evidence = Readonly<{ token?: string; grant?: string }>;
type Stream = { state: 'refused' | 'runs' | 'ended' };
type Round = Readonly<{ evidence: Evidence; digest: string; revoke: () => Promise<unknown> }>;

const tally = new Map<string, number>();
afterAll(() => { console.log(Object.fromEntries(tally)); });

type Prepare = (tx: Tx, round: number) => Promise<Omit<Round, 'revoke'> & { revoke: (tx: Tx) => Promise<unknown> }>;

/** Rights to a holding of its own, each with what takes it away. */
const kinds: readonly (readonly [string, Prepare])[] = Object.entries<Prepare>({
  async grant(tx, round) {
    const { holding, digest } = await newHolding(tx, round);
    const { id, token } = await createGrant(tx, signer, { issuer: 'owner', holding, cid: 'c', verbs: ['read'], networks: [], expiresInSeconds: 600 }, Date.now());
    return { evidence: { grant: token }, digest, revoke: (later) => revokeGrant(later, id, Date.now()) };
  },
  async token(tx, round) {
    const { digest } = await newHolding(tx, round, 'protected');
    const { token, jti } = await newToken(tx, 'viewer');
    return { evidence: { token }, digest, revoke: (later) => revokeToken(later, jti, Date.now()) };
  },
  async policy(tx, round) {
    const { holding, digest } = await newHolding(tx, round, 'protected');
    const { token } = await newToken(tx, 'viewer');
    return { evidence: { token }, digest, revoke: (later) => setPolicy(later, holding, null) };
  },
  async holding(tx, round) {
    const { holding, digest } = await newHolding(tx, round, 'protected');
    const { token } = await newToken(tx, 'viewer');
    return { evidence: { token }, digest, revoke: (later) => deleteHolding(later, holding, Date.now()) };
  },
  disabled: ofPrincipal({ disabled: true }),
  role: ofPrincipal({ role: 'worker' }),
  network: ofPrincipal({ networks: ['198.51.100.0/24'] }),
});

function ofPrincipal(change: Parameters<typeof changePrincipal>[3]): Prepare {
  return async (tx, round) => {
    const { digest } = await newHolding(tx, round, 'protected');
    const id = `p${round}`;
    await addPrincipal(tx, roles, { id, role: 'viewer' }, Date.now());
    const { token } = await newToken(tx, id);
    return { evidence: { token }, digest, revoke: (later) => changePrincipal(later, roles, id, change) };
  };
}

const newToken = (tx: Tx, principal: string) => issueToken(tx, signer, { principal, issuer: principal, expiresInSeconds: 600 }, { now: Date.now() });

async function newHolding(tx: Tx, round: number, level?: 'protected'): Promise<{ holding: string; digest: string }> {
  const digest = round.toString(16).padStart(64, '0');
  const { id: _id, deleted_at: _deleted, ...row } = rows.holding;
  const { id } = await insertHolding(tx, { ...row, owner: 'owner', digest, ceilings: '[]', policy: level === undefined ? null : JSON.stringify({ level }) });
  return { holding: id, digest };
}

/** A moment later: by turns of the event loop, or by a part of a millisecond. */
async function pause(): Promise<void> {
  for (let turns = randomInt(0, 6); turns > 0; turns -= 1) await setImmediate();
  if (randomInt(0, 4) === 0) await wait(randomInt(0, 3));
}

const rounds = scaled(10_000, 200);

forEachEngine('a stream that opens while its right is taken away never outlives it', async (fresh) => {
  await using data = await fresh.open();
  using node = new Node(data);
  await node.epochs.start(() => undefined);
  await data.write(async (tx) => {
    await addPrincipal(tx, roles, { id: 'admin', role: 'admin' }, Date.now());
    await addPrincipal(tx, roles, { id: 'owner', role: 'user' }, Date.now());
    await addPrincipal(tx, roles, { id: 'viewer', role: 'viewer' }, Date.now());
  });
  // Several rounds at once, so that their readings and moves mix.
  const together = 8;
  for (let first = 0; first < rounds; first += together) {
    const prepared = await data.write(async (tx) => {
      const round: (Round & { name: string })[] = [];
      for (let index = first; index < first + together; index += 1) {
        const [name, prepare] = kinds[index % kinds.length] ?? notThere();
        const { revoke, ...more } = await prepare(tx, index);
        round.push({ ...more, name: `${name}, round ${index}`, revoke: () => data.write(revoke) });
      }
      return round;
    });
    if (randomInt(0, 2) === 0) await node.epochs.refresh();
    await Promise.all(prepared.map((round) => race(node, round)));
  }
  expect(node.viewers.size).toBe(0);
}, 900_000);

async function race(node: Node, { name, evidence, digest, revoke }: Round & { name: string }): Promise<void> {
  const opening = async (): Promise<Stream> => {
    await pause();
    return node.open(evidence, digest);
  };
  const revoking = async (): Promise<void> => {
    await pause();
    await revoke();
    await pause();
    await node.epochs.refresh();
  };
  const [stream] = await Promise.all([opening(), revoking()]);
  for (let turns = 0; stream.state === 'runs' && turns < 200; turns += 1) await wait(5);
  expect(stream.state, name).not.toBe('runs');
  tally.set(stream.state, (tally.get(stream.state) ?? 0) + 1);
}

function notThere(): never {
  throw new Error('no such kind');
}
