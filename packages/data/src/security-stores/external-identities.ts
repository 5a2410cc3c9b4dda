/** Which principal a subject of another issuer is: linked by hand, or made when it first came. Names and e-mail addresses never decide. */
import { createHash } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { lengthPrefixed } from '@weir/security/length-prefixed';
import type { Role } from '@weir/security/roles';
import type { Selectable } from 'kysely';
import { moveEpochs } from '../epochs.ts';
import type { Database, Schema, Tx } from '../schema.ts';
import { addPrincipal, changePrincipal, getPrincipal } from './principals.ts';

export type ExternalRow = Selectable<Schema['external_identity']>;
type Roles = ReadonlyMap<string, Role>;
export type Subject = Readonly<{ issuer: string; subject: string }>;

/** The epoch subject of every link that is made or removed. */
export const externalMoved = 'external';

export async function findExternal(db: Database | Tx, { issuer, subject }: Subject): Promise<ExternalRow | undefined> {
  return db.selectFrom('external_identity').selectAll().where('issuer', '=', issuer).where('subject', '=', subject).executeTakeFirst();
}

export async function externalOf(db: Database | Tx, principal: string): Promise<ExternalRow[]> {
  return db.selectFrom('external_identity').selectAll().where('principal', '=', principal).orderBy('issuer').orderBy('subject').limit(100).execute();
}

/** Says that a subject is that principal, whose role stays what it is. `request.conflict` when it is another's already. */
export async function linkExternal(tx: Tx, { issuer, subject }: Subject, principal: string, now: number): Promise<void> {
  await getPrincipal(tx, principal);
  const { numInsertedOrUpdatedRows } = await tx.insertInto('external_identity').values({ issuer, subject, principal, created_at: now, role_as_of: null })
    .onConflict((conflict) => conflict.columns(['issuer', 'subject']).doNothing()).executeTakeFirst();
  if (numInsertedOrUpdatedRows !== 1n) throw new WeirError('request.conflict', 'This identity belongs to a principal already; unlink it there first.');
  await moveEpochs(tx, [externalMoved]);
}

/** Takes the link back; its tokens are refused within a second. */
export async function unlinkExternal(tx: Tx, { issuer, subject }: Subject, principal: string): Promise<void> {
  const { numDeletedRows } = await tx.deleteFrom('external_identity').where('issuer', '=', issuer).where('subject', '=', subject).where('principal', '=', principal).executeTakeFirst();
  if (numDeletedRows !== 1n) throw new WeirError('object.absent');
  await moveEpochs(tx, [externalMoved, `principal:${principal}`]);
}

export type Adopted = Readonly<{ principal: string; change: 'none' | 'made' | 'role' }>;

/**
 * The principal of a subject whose token was verified. One that came of a token has the role that its issuer's newest token has; one that
 * was linked by hand keeps its own. An unknown subject becomes a principal (kind user) where `create` says so, else undefined; `name` is
 * its name, which nobody else must be able to get.
 */
export async function adoptExternal(
  tx: Tx, roles: Roles, { issuer, subject, role, create, issuedAtMs, name }: Subject & Readonly<{ role: string; create: boolean; issuedAtMs: number; name?: string }>, now: number,
): Promise<Adopted | undefined> {
  const known = await findExternal(tx, { issuer, subject });
  if (known !== undefined) return { principal: known.principal, change: await followRole(tx, roles, known, role, issuedAtMs) };
  if (!create) return undefined;
  const principal = name ?? externalName({ issuer, subject });
  await addPrincipal(tx, roles, { id: principal, role, kind: 'user' }, now);
  await tx.insertInto('external_identity').values({ issuer, subject, principal, created_at: now, role_as_of: issuedAtMs }).execute();
  await moveEpochs(tx, [externalMoved]);
  return { principal, change: 'made' };
}

async function followRole(tx: Tx, roles: Roles, row: ExternalRow, role: string, issuedAtMs: number): Promise<Adopted['change']> {
  if (row.role_as_of === null || issuedAtMs <= row.role_as_of) return 'none';
  const moved = await tx.updateTable('external_identity').set({ role_as_of: issuedAtMs }).where('issuer', '=', row.issuer).where('subject', '=', row.subject)
    .where('role_as_of', '<', issuedAtMs).executeTakeFirst();
  if (moved.numUpdatedRows !== 1n || (await getPrincipal(tx, row.principal)).role === role) return 'none';
  await changePrincipal(tx, roles, row.principal, { role });
  return 'role';
}

/** Whether `adoptExternal` would change anything: asked first, because most tokens are of somebody who is known. */
export const needsAdopting = (row: ExternalRow | undefined, issuedAtMs: number): boolean => row === undefined || (row.role_as_of !== null && issuedAtMs > row.role_as_of);

/** The same name for the same subject, and for nobody else. */
export function externalName({ issuer, subject }: Subject): string {
  return `ext-${createHash('sha256').update(lengthPrefixed('weir/external/v1', issuer, subject)).digest('hex').slice(0, 40)}`;
}
