/** Signing in by a one-time link, and the browser sessions that come of it. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { loginSessionPurpose } from '@weir/security/identity';
import { hashOneTimeSecret, makeOneTimeSecret } from '@weir/security/one-time-secrets';
import type { Selectable } from 'kysely';
import { moveEpochs } from '../epochs.ts';
import { consumeOneTimeSecret, storeOneTimeSecret } from '../once.ts';
import type { Database, Schema, Tx } from '../schema.ts';
import { getPrincipal } from './principals.ts';

export const signInPurpose = 'sign-in';
/** How long a sign-in link can be used. */
const linkLifeMs = 600_000;
/** At most so many sessions of one principal; the oldest ends when another begins. */
const sessionsPerPrincipal = 50;

/** A secret for a sign-in link: works once, within ten minutes. It is returned here and never again. */
export async function createSignInSecret(tx: Tx, principal: string, now: number): Promise<string> {
  await getPrincipal(tx, principal);
  const secret = makeOneTimeSecret();
  await storeOneTimeSecret(tx, { hash: hashOneTimeSecret(signInPurpose, secret), purpose: signInPurpose, subject: principal, facts: '{}', expires_at: now + linkLifeMs });
  return secret;
}

export type StartedSession = Readonly<{ id: string; cookie: string; principal: string; role: string; expiresAtMs: number }>;

/** Uses the secret up and starts a session; undefined for any secret that is not good now. */
export async function signIn(tx: Tx, secret: string, { now, lifeMs }: { now: number; lifeMs: number }): Promise<StartedSession | undefined> {
  const link = await consumeOneTimeSecret(tx, hashOneTimeSecret(signInPurpose, secret), signInPurpose, now);
  if (link === undefined) return undefined;
  const principal = await tx.selectFrom('principal').selectAll().where('id', '=', link.subject).where('disabled', '=', 0).executeTakeFirst();
  if (principal === undefined) return undefined;
  const id = newUlid(now);
  const sessionSecret = makeOneTimeSecret();
  await endOldest(tx, principal.id, now);
  await tx.insertInto('login_session').values({
    id, secret_hash: hashOneTimeSecret(loginSessionPurpose, sessionSecret), principal: principal.id,
    created_at: now, last_used_at: now, expires_at: now + lifeMs, ended_at: null,
  }).execute();
  await moveEpochs(tx, [`session:${id}`]);
  return { id, cookie: `${id}.${sessionSecret}`, principal: principal.id, role: principal.role, expiresAtMs: now + lifeMs };
}

async function endOldest(tx: Tx, principal: string, now: number): Promise<void> {
  const open = await tx.selectFrom('login_session').select('id').where('principal', '=', principal).where('ended_at', 'is', null)
    .where('expires_at', '>', now).orderBy('id', 'desc').offset(sessionsPerPrincipal - 1).limit(sessionsPerPrincipal).execute();
  for (const { id } of open) await endSession(tx, id, now);
}

/** Ends a session: its cookie, and the tokens and streams that came of it. */
export async function endSession(tx: Tx, id: string, now: number): Promise<void> {
  const { numUpdatedRows } = await tx.updateTable('login_session').set({ ended_at: now }).where('id', '=', id).where('ended_at', 'is', null).executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new WeirError('object.absent');
  await tx.updateTable('token').set({ revoked_at: now }).where('session', '=', id).where('revoked_at', 'is', null).execute();
  await moveEpochs(tx, [`session:${id}`]);
}

export async function listSessions(db: Database, principal: string, now: number): Promise<Selectable<Schema['login_session']>[]> {
  return db.selectFrom('login_session').selectAll().where('principal', '=', principal).where('ended_at', 'is', null).where('expires_at', '>', now)
    .orderBy('id', 'desc').limit(sessionsPerPrincipal).execute();
}
