/** The stores of streaming security over a server's own database, so that an embedding program and the server's doors see the same tokens, policies and grants. */
import { findHolding, holdingById } from '@weir/content/holdings';
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { epochsSince, moveEpochs } from '@weir/data/epochs';
import type { Tx } from '@weir/data/schema';
import { revokeGrant, useGrant } from '@weir/data/security-stores/grants';
import { identityStore } from '@weir/data/security-stores/identity-store';
import { endEverything, holdingsToShare } from '@weir/data/security-stores/tokens';
import type { ActionName } from '@weir/security/actions';
import type { Admission } from '@weir/security/gatekeeper';
import type { StreamingStores } from '@weir/security/streaming-stores';
import type { App } from './app.ts';
import { changeEntry } from './audit-trail.ts';
import { objectStore, type StoredHolding } from './object-store.ts';
import { applyPolicy } from './policy-changes.ts';

/** The program is this process: it acts from here. */
export const embeddedAddress = '127.0.0.1';

export function embeddedStores(app: App): StreamingStores {
  const { data } = app;
  const identities = identityStore(data.read, app.keyRing, app.roles);
  /** A change that moves rights: this server's doors know of it when it is done, others within a quarter of a second. */
  const move = async (change: (tx: Tx) => Promise<void>): Promise<void> => {
    await data.write(change);
    await app.gatekeeper.epochs.refresh();
  };
  return {
    principals: identities,
    epochs: { since: (sequence) => epochsSince(data.watch, sequence) },
    audit: { append: (entry) => data.write((tx) => app.audit.record(tx, entry)) },
    tokens: {
      isRevoked: (jti) => identities.isTokenRevoked(jti),
      issuerOf: async (jti) => (await data.read.selectFrom('token').select('issuer').where('jti', '=', jti).executeTakeFirst())?.issuer,
      validFromMs: async (user) => (await data.read.selectFrom('principal').select('tokens_valid_from').where('id', '=', user).executeTakeFirst())?.tokens_valid_from ?? 0,
      async issued({ jti, userId, issuer, cidAccess, expiresAtMs }) {
        if (cidAccess.length > 0) await admitOwner(app, issuer, 'grant.create');
        await data.write(async (tx) => {
          const shared = await holdingsToShare(tx, issuer, cidAccess);
          await tx.insertInto('token').values({
            ...tokenRow, jti, principal: userId, issuer, issued_at: app.clock(), expires_at: expiresAtMs, revoked_at: null, holdings: shared.length === 0 ? null : JSON.stringify(shared),
          }).execute();
          await record(app, tx, 'token.issue', `token:${jti}`, `for ${userId}`);
        });
      },
      revoke: (jti, expiresAtMs) => move(async (tx) => {
        const now = app.clock();
        // A token that another program made with the shared secret has no row yet.
        await tx.insertInto('token').values({ ...tokenRow, jti, principal: '', issuer: '', issued_at: now, expires_at: expiresAtMs, revoked_at: now })
          .onConflict((conflict) => conflict.column('jti').doUpdateSet((row) => ({ revoked_at: row.fn.coalesce('token.revoked_at', row.val(now)) }))).execute();
        await moveEpochs(tx, [`token:${jti}`]);
        await record(app, tx, 'token.revoke', `token:${jti}`);
      }),
      endAll: (user, fromMs) => move(async (tx) => {
        // One second before: that is what it adds.
        await endEverything(tx, user, fromMs - 1_000);
        await record(app, tx, 'token.revoke', `principal:${user}`, 'all tokens and sessions ended');
      }),
    },
    policies: {
      holdingsOf: (digest) => objectStore(data.read, app.clock).holdingsOf(digest),
      async setPolicy(digest, owner, policy) {
        const { admission, requestId } = await admitOwner(app, owner, 'policy.write');
        await move(async (tx) => {
          const holding = await findHolding(tx, owner, digest);
          if (holding === undefined) throw new WeirError('object.absent', 'This owner has no such content; upload it first, and name the owner of the policy.');
          await applyPolicy({ app, admission, principal: owner, requestId }, tx, holding, policy);
        });
      },
    },
    grants: {
      grant: (id) => identities.grant(id),
      async addGrant({ id, issuer, holding, verbs, principal, networks, validFromMs, expiresAtMs, usesLeft }) {
        const { admission, requestId } = await admitOwner(app, issuer, 'grant.create');
        await data.write(async (tx) => {
          const row = await holdingById(tx, holding);
          if (row === undefined) throw new WeirError('object.absent');
          await tx.insertInto('grant').values({
            id, issuer, holding, cid: row.cid, verbs: JSON.stringify(verbs), principal: principal ?? null, networks: JSON.stringify(networks), parent: null,
            uses_left: usesLeft ?? null, valid_from: validFromMs, expires_at: expiresAtMs, revoked_at: null, created_at: app.clock(),
          }).execute();
          await app.audit.record(tx, changeEntry(admission, `grant:${id}`, requestId));
        });
      },
      async useGrant(id) {
        const grant = await identities.grant(id);
        if (grant?.usesLeft === undefined) return grant !== undefined;
        try {
          await data.writeReadCommitted((tx) => useGrant(tx, [id]));
          return true;
        } catch (error) {
          if (error instanceof WeirError && error.code === 'policy.refused') return false;
          throw error;
        }
      },
      revokeGrant: (id) => move(async (tx) => {
        await revokeGrant(tx, id, app.clock());
        await record(app, tx, 'grant.revoke', `grant:${id}`);
      }),
    },
  };
}

const tokenRow = { session: null, role: null, permissions: null, holdings: null } as const;

/** What an owner's own rights allow, done by the program in its name. */
async function admitOwner(app: App, owner: string, action: ActionName): Promise<{ admission: Admission<StoredHolding>; requestId: string }> {
  const requestId = newUlid(app.clock());
  const identity = await app.gatekeeper.identities.ofPrincipal(owner, embeddedAddress);
  return { requestId, admission: await app.gatekeeper.admit({ identity, action, resource: { kind: 'own' }, address: embeddedAddress, requestId }) };
}

const record = (app: App, tx: Tx, action: ActionName, object: string, reason = 'by the embedding program'): Promise<void> =>
  app.audit.record(tx, { class: 'A', principal: '', address: embeddedAddress, action, object, decision: 'allowed', reason, requestId: '' });
