/** Replacing signing keys: the new one signs at once, the old ones verify until what they signed has ended, or are void at once. */
import { KeyPurpose } from '@weir/contracts/keys';
import type { KeyRing } from '@weir/security/key-ring';
import { sql } from 'kysely';
import { moveEpochs } from '../epochs.ts';
import type { Database, Tx } from '../schema.ts';
import { addSigningKey, keysMoved, voidKey, type SigningKeyRow } from './signing-keys.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** An attempt of a job lasts less than this. */
const longestJobMs = 2 * dayMs;
/** The cookie that a ticket for content becomes. */
const longestViewingMs = 12 * hourMs;
/** A worker that connects within this time learns of its instance's new key from the old one. */
const workersReturnWithinMs = 90 * dayMs;

export type Rotation = Readonly<{ id: string; verifiesUntilMs: number; voided: readonly string[] }>;

/**
 * A new key for `purpose`. The one before verifies for as long as the longest life that was issued under it; `compromised` ends every
 * older key of the purpose now, marks its tokens or grants as revoked, and tells every node so by the epochs of the keys.
 */
export async function rotateSigningKey(
  tx: Tx, keyRing: KeyRing, purpose: KeyPurpose, { now, compromised }: Readonly<{ now: number; compromised: boolean }>,
): Promise<Rotation> {
  const verifiesUntilMs = compromised ? now : now + await longestLife(tx, purpose, now);
  const ending = tx.updateTable('signing_key').where('purpose', '=', purpose).set((row) => ({ retired_at: row.fn.coalesce('retired_at', row.val(now)), verifies_until: verifiesUntilMs }));
  const replaced = await (compromised
    ? ending.where((row) => row.or([row('verifies_until', 'is', null), row('verifies_until', '>', now)]))
    : ending.where('retired_at', 'is', null)).returning('id').execute();
  const id = await addSigningKey(tx, keyRing, purpose, now);
  const voided = compromised ? replaced.map((row) => row.id) : [];
  const withdrawn = compromised ? await revokeAll(tx, purpose, now) : [];
  await moveEpochs(tx, [keysMoved, ...voided.map((key) => `${voidKey}${key}`), ...withdrawn]);
  return { id, verifiesUntilMs, voided };
}

/** At least an hour, so that a node that has not heard of the rotation yet signs nothing that ends too soon. */
async function longestLife(tx: Tx, purpose: KeyPurpose, now: number): Promise<number> {
  switch (purpose) {
    case 'access': return Math.max(hourMs, await longest(tx.selectFrom('token').where('expires_at', '>', now).select(sql<number | null>`max(expires_at - issued_at)`.as('life')).executeTakeFirst()));
    case 'grant': return Math.max(hourMs, await longest(tx.selectFrom('grant').where('expires_at', '>', now).select(sql<number | null>`max(expires_at - created_at)`.as('life')).executeTakeFirst()));
    case 'job': return longestJobMs;
    case 'ticket': return hourMs;
    case 'playlist': return longestViewingMs;
    case 'instance': return workersReturnWithinMs;
    // Checkpoints are checked under the key that their row names, however old it is.
    case 'audit': return 0;
  }
}
const longest = async (found: Promise<{ life: number | null } | undefined>): Promise<number> => Number((await found)?.life ?? 0);

/** What a void key signed can't be told from what its thief signs. Returns the epoch subjects of rows that are remembered elsewhere. */
async function revokeAll(tx: Tx, purpose: KeyPurpose, now: number): Promise<readonly string[]> {
  if (purpose === 'access') {
    await tx.updateTable('token').set({ revoked_at: now }).where('revoked_at', 'is', null).where('expires_at', '>', now).execute();
    return [];
  }
  if (purpose !== 'grant') return [];
  const grants = await tx.updateTable('grant').set({ revoked_at: now }).where('revoked_at', 'is', null).where('expires_at', '>', now).returning('id').execute();
  return grants.map(({ id }) => `grant:${id}`);
}

const rotatedByAge = ['access', 'grant', 'job', 'ticket', 'playlist'] as const;

/** Rotates the keys of tokens that are older than `maxAgeMs`; returns which purposes. Safe with any number of nodes. */
export async function rotateOldKeys(tx: Tx, keyRing: KeyRing, { now, maxAgeMs }: Readonly<{ now: number; maxAgeMs: number }>): Promise<readonly KeyPurpose[]> {
  const old = await tx.selectFrom('signing_key').select('purpose').where('purpose', 'in', rotatedByAge).where('retired_at', 'is', null)
    .where('created_at', '<=', now - maxAgeMs).execute();
  const purposes = old.map(({ purpose }) => KeyPurpose.parse(purpose));
  for (const purpose of purposes) await rotateSigningKey(tx, keyRing, purpose, { now, compromised: false });
  return purposes;
}

/** All keys that are still stored, newest first within a purpose. */
export async function listSigningKeys(db: Database): Promise<SigningKeyRow[]> {
  return db.selectFrom('signing_key').selectAll().orderBy('purpose').orderBy('created_at', 'desc').orderBy('id', 'desc').execute();
}

export function keyState({ retired_at: retiredAt, verifies_until: until }: SigningKeyRow, now: number): 'signing' | 'verifying' | 'ended' {
  if (retiredAt === null) return 'signing';
  return until === null || until > now ? 'verifying' : 'ended';
}
