/** Grants: rows whose signed tokens open one holding; made, narrowed, used, listed, revoked. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { GrantNarrowing, GrantState } from '@weir/contracts/policies';
import { longestChain, reachesBeyond, type GrantReach } from '@weir/security/grants';
import type { TokenKey } from '@weir/security/token-keys';
import { signToken } from '@weir/security/tokens';
import type { Selectable } from 'kysely';
import { isPostgres } from '../engine.ts';
import { moveEpochs } from '../epochs.ts';
import type { Database, Schema, Tx } from '../schema.ts';
import { readStrings } from './identity-store.ts';

export type GrantRow = Selectable<Schema['grant']>;
export type GrantSigner = Readonly<{ issuer: string; audience: string; key: TokenKey }>;
export type MadeGrant = Readonly<{ id: string; token: string; cid: string; expiresAtMs: number }>;
export type GrantOrder = Readonly<{
  issuer: string; holding: string; cid: string; verbs: readonly string[]; principal?: string | undefined; networks: readonly string[];
  uses?: number | undefined; validFromMs?: number | undefined; expiresInSeconds: number;
}>;

/** Unexpired grants that may have been narrowed from those to one holding: whoever has a link can make them. */
const mostNarrowed = 1_000;
/** The longest life that a token can have, in seconds. */
const longestLife = 31_622_400;

export async function createGrant(tx: Tx, signer: GrantSigner, { issuer, cid, expiresInSeconds, ...order }: GrantOrder, now: number): Promise<MadeGrant> {
  return insertGrant(tx, signer, { issuer, cid, parent: null }, {
    holding: order.holding, verbs: order.verbs, networks: order.networks, uses: order.uses, principal: order.principal, ...windowOf(order.validFromMs ?? now, expiresInSeconds),
  }, now);
}

/** From a whole second on, because tokens count in seconds. */
function windowOf(fromMs: number, seconds: number): Pick<GrantReach, 'validFromMs' | 'expiresAtMs'> {
  return { validFromMs: fromMs, expiresAtMs: (Math.floor(fromMs / 1_000) + seconds) * 1_000 };
}

/**
 * A child of the grant `id`: its issuer's right still carries it, and what is not asked for stays as the parent has it. `grant.exceeds` with the
 * `dimension` in which it would reach beyond, `policy.refused` when the parent is gone, `request.conflict` when there are too many.
 */
export async function narrowGrant(tx: Tx, signer: GrantSigner, id: string, asked: Omit<GrantNarrowing, 'grant'>, now: number): Promise<MadeGrant> {
  const row = await tx.selectFrom('grant').selectAll().where('id', '=', id).where('revoked_at', 'is', null).executeTakeFirst();
  if (row === undefined) throw new WeirError('policy.refused', 'The right that this link gave was withdrawn.');
  const parent = reachOf(row);
  const fromMs = asked.valid_from === undefined ? Math.max(now, parent.validFromMs) : Date.parse(asked.valid_from);
  const child: GrantReach = {
    holding: parent.holding, verbs: asked.verbs ?? parent.verbs, networks: asked.networks ?? parent.networks, uses: asked.uses ?? parent.uses,
    principal: asked.principal ?? parent.principal,
    ...(asked.expires_in === undefined ? { validFromMs: fromMs, expiresAtMs: parent.expiresAtMs } : windowOf(fromMs, asked.expires_in)),
  };
  const dimension = reachesBeyond(child, parent);
  if (dimension !== undefined) throw new WeirError('grant.exceeds', `A link can only be narrowed: its ${dimension} would be more than the one that it comes of has.`, { facts: { dimension } });
  if ((await ancestorsOf(tx, row)).length + 2 > longestChain) throw new WeirError('request.conflict', `A link can be narrowed ${longestChain - 1} times, one from the other; narrow an earlier one.`);
  const { count } = await tx.selectFrom('grant').select((grant) => grant.fn.countAll().as('count')).where('holding', '=', row.holding).where('parent', 'is not', null)
    .where('expires_at', '>', now).where('revoked_at', 'is', null).executeTakeFirstOrThrow();
  if (Number(count) >= mostNarrowed) throw new WeirError('request.conflict', `${mostNarrowed} links to this were narrowed already; let some expire or be revoked.`);
  return insertGrant(tx, signer, { issuer: row.issuer, cid: row.cid, parent: id }, child, now);
}

const reachOf = (row: GrantRow): GrantReach => ({
  verbs: readStrings(row.verbs), holding: row.holding, validFromMs: row.valid_from, expiresAtMs: row.expires_at, networks: readStrings(row.networks),
  uses: row.uses_left ?? undefined, principal: row.principal ?? undefined,
});

async function ancestorsOf(tx: Tx, { parent }: Pick<GrantRow, 'parent'>): Promise<string[]> {
  const found: string[] = [];
  for (let next = parent; next !== null && found.length < longestChain;) {
    found.push(next);
    next = (await tx.selectFrom('grant').select('parent').where('id', '=', next).executeTakeFirst())?.parent ?? null;
  }
  return found;
}

async function insertGrant(
  tx: Tx, signer: GrantSigner, { issuer, cid, parent }: Readonly<{ issuer: string; cid: string; parent: string | null }>, reach: GrantReach, now: number,
): Promise<MadeGrant> {
  const { holding, verbs, principal, validFromMs, expiresAtMs } = reach;
  const [iat, nbf, exp] = [now, validFromMs, expiresAtMs].map((ms) => Math.floor(ms / 1_000)) as [number, number, number];
  if (exp <= iat || exp - Math.min(iat, nbf) > longestLife) throw new WeirError('request.invalid', 'A link ends after now, and at most 366 days from now.');
  const id = newUlid(now);
  await tx.insertInto('grant').values({
    id, issuer, holding, cid, verbs: JSON.stringify(verbs), principal: principal ?? null, networks: JSON.stringify(reach.networks), parent,
    uses_left: reach.uses ?? null, valid_from: validFromMs, expires_at: expiresAtMs, revoked_at: null, created_at: now,
  }).execute();
  const token = signToken('grant', {
    iss: signer.issuer, aud: signer.audience, sub: principal ?? 'anyone', iat, nbf, exp, jti: id, object: `holding:${holding}`, verbs,
  }, signer.key);
  return { id, token, cid, expiresAtMs };
}

/**
 * Counts one opening by a grant: one use of each grant of `ids`, its chain's counted ones; all of them or, with `policy.refused`, none. One
 * conditional statement, so of any number of concurrent openings as many succeed as there are uses. What was narrowed from one that is used up is used up with it.
 */
export async function useGrant(tx: Tx, ids: readonly string[]): Promise<void> {
  // Always the older first, so that openings by links of one family wait for each other and never in a circle.
  const inOrder = tx.selectFrom('grant').select('id').where('id', 'in', ids).orderBy('id').$if(isPostgres(tx), (query) => query.forUpdate());
  const rows = await tx.updateTable('grant').set((grant) => ({ uses_left: grant('uses_left', '-', 1) }))
    .where('id', 'in', inOrder).where('uses_left', '>', 0).where('revoked_at', 'is', null).returning(['id', 'uses_left']).execute();
  if (rows.length !== ids.length) throw new WeirError('policy.refused', 'This link has been used as often as it may be.');
  const usedUp = await descendantsOf(tx, rows.filter((row) => row.uses_left === 0).map(({ id }) => id));
  if (usedUp.length > 0) await tx.updateTable('grant').set({ uses_left: 0 }).where('id', 'in', usedUp).execute();
}

/** Those that were narrowed from `ids`, and from those again. */
async function descendantsOf(tx: Tx, ids: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (let parents = ids; parents.length > 0;) {
    const children = await tx.selectFrom('grant').select('id').where('parent', 'in', parents).execute();
    parents = children.map(({ id }) => id);
    found.push(...parents);
  }
  return found;
}

/** Takes a grant back, and with it all that were narrowed from it; a second time is fine. */
export async function revokeGrant(tx: Tx, id: string, now: number): Promise<void> {
  const grant = await tx.selectFrom('grant').select('id').where('id', '=', id).executeTakeFirst();
  if (grant === undefined) throw new WeirError('object.absent');
  await revokeRows(tx, [id, ...await descendantsOf(tx, [id])], now);
}

/** Takes back all that an issuer gave, to one holding or to all; returns the ids of those that were still valid. */
export async function revokeGrantsOf(tx: Tx, { issuer, holding }: Readonly<{ issuer: string; holding?: string | undefined }>, now: number): Promise<string[]> {
  const rows = await tx.selectFrom('grant').select('id').where('issuer', '=', issuer).where('revoked_at', 'is', null).where('expires_at', '>', now)
    .$if(holding !== undefined, (q) => q.where('holding', '=', holding ?? '')).execute();
  const ids = rows.map(({ id }) => id);
  // What can be bound to one statement is bounded on both engines.
  for (let start = 0; start < ids.length; start += 500) await revokeRows(tx, ids.slice(start, start + 500), now);
  return ids;
}

async function revokeRows(tx: Tx, ids: readonly string[], now: number): Promise<void> {
  await tx.updateTable('grant').set({ revoked_at: now }).where('id', 'in', ids).where('revoked_at', 'is', null).execute();
  await moveEpochs(tx, ids.map((id) => `grant:${id}`));
}

export type GrantFilter = Readonly<{ holding?: string | undefined; parent?: string | undefined; principal?: string | undefined; state?: GrantState | undefined }>;

/** Newest first; `before` is the id of the last grant of the page before. */
export async function listGrants(
  db: Database, issuer: string, filter: GrantFilter, page: Readonly<{ before?: string | undefined; limit: number; now: number }>,
): Promise<GrantRow[]> {
  return db.selectFrom('grant').selectAll().where('issuer', '=', issuer)
    .$if(filter.holding !== undefined, (q) => q.where('holding', '=', filter.holding ?? ''))
    .$if(filter.parent !== undefined, (q) => q.where('parent', '=', filter.parent ?? ''))
    .$if(filter.principal !== undefined, (q) => q.where('principal', '=', filter.principal ?? ''))
    .$if(filter.state === 'revoked', (q) => q.where('revoked_at', 'is not', null))
    .$if(filter.state !== undefined && filter.state !== 'revoked', (q) => q.where('revoked_at', 'is', null))
    .$if(filter.state === 'expired', (q) => q.where('expires_at', '<=', page.now))
    .$if(filter.state === 'live' || filter.state === 'used_up', (q) => q.where('expires_at', '>', page.now))
    .$if(filter.state === 'used_up', (q) => q.where('uses_left', '=', 0))
    .$if(filter.state === 'live', (q) => q.where((where) => where.or([where('uses_left', 'is', null), where('uses_left', '>', 0)])))
    .$if(page.before !== undefined, (q) => q.where('id', '<', page.before ?? ''))
    .orderBy('id', 'desc').limit(page.limit).execute();
}

/** The same words as the filter of `listGrants`. */
export function stateOfGrant(row: GrantRow, now: number): GrantState {
  if (row.revoked_at !== null) return 'revoked';
  if (row.expires_at <= now) return 'expired';
  return row.uses_left === 0 ? 'used_up' : 'live';
}

/** How many grants to one holding can be used now. */
export async function countLiveGrants(db: Database, holding: string, now: number): Promise<number> {
  const { count } = await db.selectFrom('grant').select((grant) => grant.fn.countAll().as('count')).where('holding', '=', holding).where('revoked_at', 'is', null)
    .where('expires_at', '>', now).where((where) => where.or([where('uses_left', 'is', null), where('uses_left', '>', 0)])).executeTakeFirstOrThrow();
  return Number(count);
}
