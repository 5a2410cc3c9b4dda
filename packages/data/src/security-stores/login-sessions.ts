/** Browser sessions: how they begin, prove themselves again, and end; and the one-time links that begin one. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { SignInMethod } from '@weir/contracts/identity';
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
  if ((await getPrincipal(tx, principal)).kind === 'service') throw new WeirError('request.conflict', `"${principal}" is a service account: it signs requests or has tokens, and does not sign in.`);
  const secret = makeOneTimeSecret();
  await storeOneTimeSecret(tx, { hash: hashOneTimeSecret(signInPurpose, secret), purpose: signInPurpose, subject: principal, facts: '{}', expires_at: now + linkLifeMs });
  return secret;
}

/** Uses the secret of a link up and says whose it was; undefined for any secret that is not good now. */
export async function useSignInSecret(tx: Tx, secret: string, now: number): Promise<string | undefined> {
  return (await consumeOneTimeSecret(tx, hashOneTimeSecret(signInPurpose, secret), signInPurpose, now))?.subject;
}

export type SessionOrder = Readonly<{
  principal: string; method: SignInMethod; now: number; lifeMs: number;
  /** When who signs in proved it: now, or earlier where a provider remembered them. 0: nobody knows. */
  provedAtMs: number;
  /** What the browser calls itself. */
  agent: string;
  /** The session that the browser had before, which ends: no session outlives a sign-in over it. */
  replaces?: string | undefined;
}>;
export type StartedSession = Readonly<{ id: string; cookie: string; principal: string; role: string; expiresAtMs: number }>;

/** Starts a session under a new id and secret; undefined for a principal that is absent or disabled. */
export async function startSession(tx: Tx, { now, lifeMs, ...order }: SessionOrder): Promise<StartedSession | undefined> {
  const principal = await tx.selectFrom('principal').selectAll().where('id', '=', order.principal).where('disabled', '=', 0).executeTakeFirst();
  if (principal === undefined) return undefined;
  const id = newUlid(now);
  const secret = makeOneTimeSecret();
  await endOldest(tx, principal.id, now);
  if (order.replaces !== undefined) await endIfOpen(tx, order.replaces, now);
  await tx.insertInto('login_session').values({
    id, secret_hash: hashOneTimeSecret(loginSessionPurpose, secret), principal: principal.id, created_at: now, last_used_at: now, expires_at: now + lifeMs,
    ended_at: null, stepped_up_at: Math.min(order.provedAtMs, now), method: order.method, agent: order.agent.slice(0, 200),
  }).execute();
  await moveEpochs(tx, [`session:${id}`]);
  return { id, cookie: `${id}.${secret}`, principal: principal.id, role: principal.role, expiresAtMs: now + lifeMs };
}

/** Notes that whoever uses an open session of `principal` proved who they are at `provedAtMs`. `object.absent` if there is no such session. */
export async function stepUpSession(tx: Tx, session: Readonly<{ id: string; principal: string }>, provedAtMs: number): Promise<void> {
  const { numUpdatedRows } = await tx.updateTable('login_session').set({ stepped_up_at: provedAtMs })
    .where('id', '=', session.id).where('principal', '=', session.principal).where('ended_at', 'is', null).executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new WeirError('object.absent');
  await moveEpochs(tx, [`session:${session.id}`]);
}

/** Notes that sessions were in use at `now`. */
export async function noteUse(tx: Tx, ids: readonly string[], now: number): Promise<void> {
  await tx.updateTable('login_session').set({ last_used_at: now }).where('id', 'in', ids).where('last_used_at', '<', now).execute();
}

async function endOldest(tx: Tx, principal: string, now: number): Promise<void> {
  const open = await openSessions(tx, principal, now).select('id').orderBy('id', 'desc').offset(sessionsPerPrincipal - 1).limit(sessionsPerPrincipal).execute();
  for (const { id } of open) await endSession(tx, id, now);
}

/** Ends a session: its cookie, and the tokens and streams that came of it. */
export async function endSession(tx: Tx, id: string, now: number): Promise<void> {
  if (!await endIfOpen(tx, id, now)) throw new WeirError('object.absent');
}

async function endIfOpen(tx: Tx, id: string, now: number): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('login_session').set({ ended_at: now }).where('id', '=', id).where('ended_at', 'is', null).executeTakeFirst();
  if (numUpdatedRows !== 1n) return false;
  await tokensEnded(tx, [id], now);
  await moveEpochs(tx, [`session:${id}`]);
  return true;
}

/** Ends all sessions of a principal but one; returns how many. */
export async function endOtherSessions(tx: Tx, principal: string, kept: string | undefined, now: number): Promise<number> {
  const ended = await tx.updateTable('login_session').set({ ended_at: now }).where('principal', '=', principal).where('ended_at', 'is', null)
    .where('id', '!=', kept ?? '').returning('id').execute();
  const ids = ended.map(({ id }) => id);
  await tokensEnded(tx, ids, now);
  await moveEpochs(tx, ids.map((id) => `session:${id}`));
  return ids.length;
}

async function tokensEnded(tx: Tx, sessions: readonly string[], now: number): Promise<void> {
  if (sessions.length > 0) await tx.updateTable('token').set({ revoked_at: now }).where('session', 'in', sessions).where('revoked_at', 'is', null).execute();
}

export async function listSessions(db: Database, principal: string, now: number): Promise<Selectable<Schema['login_session']>[]> {
  return openSessions(db, principal, now).selectAll().orderBy('id', 'desc').limit(sessionsPerPrincipal).execute();
}

const openSessions = (db: Database | Tx, principal: string, now: number) =>
  db.selectFrom('login_session').where('principal', '=', principal).where('ended_at', 'is', null).where('expires_at', '>', now);
