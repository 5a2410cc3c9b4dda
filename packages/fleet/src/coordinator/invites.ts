/** Invitations for workers: a one-time secret that lets a machine register its own key, once, within ten minutes. */
import { WeirError } from '@weir/contracts/errors';
import type { JoinRequest } from '@weir/contracts/workers';
import { newUlid } from '@weir/contracts/clock';
import type { Data } from '@weir/data/data';
import { moveEpochs } from '@weir/data/epochs';
import { consumeOneTimeSecret, storeOneTimeSecret } from '@weir/data/once';
import type { Tx } from '@weir/data/schema';
import { addPrincipal } from '@weir/data/security-stores/principals';
import { hashOneTimeSecret, makeOneTimeSecret } from '@weir/security/one-time-secrets';
import { strongPublicKey } from '@weir/security/public-keys';
import type { Role } from '@weir/security/roles';

const purpose = 'worker-invite';
const lifetimeMs = 600_000;

type Roles = ReadonlyMap<string, Role>;
type Recorded = (tx: Tx) => Promise<void>;

/** Makes an invitation in the name of `inviter`; the secret is returned once and stored as a digest. `record` audits in the same transaction. */
export async function createInvite(data: Data, inviter: string, now: number, record: Recorded = async () => undefined): Promise<Readonly<{ secret: string; expiresAt: number }>> {
  const secret = makeOneTimeSecret();
  const expiresAt = now + lifetimeMs;
  await data.write(async (tx) => {
    await storeOneTimeSecret(tx, { hash: hashOneTimeSecret(purpose, secret), purpose, subject: inviter, facts: '{}', expires_at: expiresAt });
    await record(tx);
  });
  return { secret, expiresAt };
}

/**
 * `https://host:port#FINGERPRINT:SECRET`. `fingerprint` is the SHA-256 of the certificate (DER) in hex; null only for a
 * server on loopback without TLS. The fragment is never sent, so no proxy or log sees the secret.
 */
export function inviteLink(origin: string, fingerprint: string | null, secret: string): string {
  return `${new URL(origin).origin}#${fingerprint === null ? '' : `${fingerprint}:`}${secret}`;
}

/**
 * Uses an invitation up: creates the worker's principal with its Ed25519 key, all or nothing.
 * Errors: `invite.invalid`, `request.invalid` (a weak key) and `worker.name_taken` (the invitation stays usable then).
 */
export async function acceptJoin(data: Data, roles: Roles, request: JoinRequest, now: number, record: (tx: Tx, inviter: string) => Promise<void> = async () => undefined): Promise<void> {
  const key = strongPublicKey({ kty: 'OKP', crv: 'Ed25519', x: request.public_key });
  if (key === undefined) throw new WeirError('request.invalid', 'The key of the worker is none that Ed25519 can use; let the worker make another.');
  await data.write(async (tx) => {
    const invite = await consumeOneTimeSecret(tx, hashOneTimeSecret(purpose, request.token), purpose, now);
    if (invite === undefined) throw new WeirError('invite.invalid');
    await addWorker(tx, roles, request.name, now);
    await tx.insertInto('principal_key').values({
      id: newUlid(now), principal: request.name, algorithm: 'ed25519', secret: null, public_key: request.public_key, created_at: now, expires_at: null,
    }).execute();
    await moveEpochs(tx, [`principal:${request.name}`]);
    await record(tx, invite.subject);
  });
}

async function addWorker(tx: Tx, roles: Roles, name: string, now: number): Promise<void> {
  try {
    await addPrincipal(tx, roles, { id: name, role: 'worker' }, now);
  } catch (cause) {
    if (cause instanceof WeirError && cause.code === 'principal.exists') throw new WeirError('worker.name_taken', undefined, { cause });
    throw cause;
  }
}
