/** Changes of principals and their keys. Each runs inside a transaction, moves the epoch, and keeps one principal that can manage users. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { PrincipalId, type PrincipalKind } from '@weir/contracts/identity';
import type { KeyRing } from '@weir/security/key-ring';
import { compileNetworks } from '@weir/security/networks';
import { newDffmpegKey, parseDffmpegKey } from '@weir/security/request-signing/dffmpeg';
import { permissions, type Role } from '@weir/security/roles';
import type { Selectable } from 'kysely';
import { moveEpochs } from '../epochs.ts';
import type { Database, Schema, Tx } from '../schema.ts';
import { readStrings } from './identity-store.ts';
import { sharedPrefix } from './proxy-principals.ts';
import { destroyUserKey } from './user-keys.ts';

export type PrincipalRow = Selectable<Schema['principal']>;
type Roles = ReadonlyMap<string, Role>;
/** `kind`: what the role says, when it is left out. */
export type NewPrincipal = Readonly<{ id: string; role: string; kind?: PrincipalKind | undefined; permissions?: readonly string[]; networks?: readonly string[]; maxSkewSeconds?: number | undefined }>;

/** A new principal without a key. `principal.exists`, `role.unknown`, `request.invalid`. */
export async function addPrincipal(tx: Tx, roles: Roles, principal: NewPrincipal, now: number): Promise<void> {
  requireName(principal.id);
  requireRole(roles, principal.role);
  requirePermissions(principal.permissions ?? []);
  compileNetworks(principal.networks ?? []);
  const inserted = await tx.insertInto('principal').values({
    id: principal.id, kind: principal.kind ?? kindOf(principal.role), role: principal.role, permissions: JSON.stringify(principal.permissions ?? []),
    networks: JSON.stringify(principal.networks ?? []), disabled: 0, tokens_valid_from: 0, max_skew_seconds: principal.maxSkewSeconds ?? null, created_at: now,
  }).onConflict((conflict) => conflict.column('id').doNothing()).executeTakeFirst();
  if (inserted.numInsertedOrUpdatedRows !== 1n) throw new WeirError('principal.exists', `A principal named "${principal.id}" exists already.`);
  await moveEpochs(tx, [`principal:${principal.id}`]);
}

const kindOf = (role: string): PrincipalKind => (role === 'worker' || role === 'client' ? role : 'user');

/** The audit log says these of who is nobody's principal: callers without evidence, who has the machine, the server itself, and too many to name. */
export const reservedNames: ReadonlySet<string> = new Set(['anonymous', 'operator', 'weir', 'many']);

function requireName(id: string): void {
  if (!PrincipalId.safeParse(id).success || id.startsWith(sharedPrefix)) {
    throw new WeirError('request.invalid', `"${id.slice(0, 64)}" can not name a principal: use a-z, 0-9, ".", "_", "-", at most 64 characters.`);
  }
  if (reservedNames.has(id)) throw new WeirError('request.invalid', `"${id}" can not name a principal: the audit log means somebody else by it. Take another name.`);
}

/** `request.invalid` unless there are such permissions. */
export function requirePermissions(named: readonly string[]): void {
  const strange = named.find((name) => !permissions.some((permission) => permission === name));
  if (strange !== undefined) throw new WeirError('request.invalid', `There is no permission "${strange.slice(0, 64)}". There are: ${permissions.join(', ')}.`);
}
function requireRole(roles: Roles, role: string): void {
  if (!roles.has(role)) throw new WeirError('role.unknown', `There is no role "${role}". There are: ${[...roles.keys()].join(', ')}.`);
}

const longestOverlapMs = 7 * 86_400_000;

/**
 * A new HMAC key, sealed in the row; returns it in base64, the only time it is seen. The key before it ends `overlapMs` from now, and one whose
 * own overlap still ran ends now: requests are checked against two keys, never more.
 * `given` takes over a key that the other side has already. `request.invalid` for an overlap of more than a week.
 */
export async function addHmacKey(
  tx: Tx, keyRing: KeyRing, principal: string, { now, overlapMs = 0, given }: { now: number; overlapMs?: number; given?: string | undefined },
): Promise<string> {
  const key = given ?? newDffmpegKey();
  parseDffmpegKey(key);
  if (overlapMs > longestOverlapMs) throw new WeirError('request.invalid', 'The key before it goes on for at most 7d; name a shorter overlap.');
  const bytes = Buffer.from(key, 'base64');
  const id = newUlid(now);
  await endKeys(tx, principal, now, now + overlapMs);
  await tx.insertInto('principal_key').values({
    id, principal, algorithm: 'hmac-sha256', secret: keyRing.seal('principal-key', id, bytes), public_key: null, created_at: now, expires_at: null,
  }).execute();
  bytes.fill(0);
  await moveEpochs(tx, [`principal:${principal}`]);
  return key;
}

/**
 * The HMAC key that a principal signs with now, in base64: the newest, where an older one still runs out. `principal.absent`; `key.not_held`
 * where there is none, as the private half of an Ed25519 key never left its machine.
 */
export async function revealHmacKey(tx: Tx, keyRing: KeyRing, principal: string, now: number): Promise<Readonly<{ id: string; key: string }>> {
  await getPrincipal(tx, principal);
  const keys = await tx.selectFrom('principal_key').select(['id', 'algorithm', 'secret']).where('principal', '=', principal)
    .where((key) => key.or([key('expires_at', 'is', null), key('expires_at', '>', now)])).orderBy('created_at', 'desc').orderBy('id', 'desc').execute();
  const shown = keys.find(({ algorithm }) => algorithm === 'hmac-sha256');
  if (shown === undefined || shown.secret === null) {
    throw new WeirError('key.not_held', keys.length > 0 ? `"${principal}" signs with an Ed25519 key; its private half never left the machine that made it.`
      : `"${principal}" has no key. \`weir admin user rotate-key ${principal}\` makes one.`);
  }
  const bytes = Buffer.from(keyRing.open('principal-key', shown.id, shown.secret));
  const key = bytes.toString('base64');
  bytes.fill(0);
  return { id: shown.id, key };
}

async function endKeys(tx: Tx, principal: string, now: number, at: number): Promise<void> {
  await tx.updateTable('principal_key').set({ expires_at: now }).where('principal', '=', principal).where('expires_at', '>', now).execute();
  await tx.updateTable('principal_key').set({ expires_at: at }).where('principal', '=', principal).where('expires_at', 'is', null).execute();
}

export type PrincipalChange = Readonly<{
  role?: string | undefined; permissions?: readonly string[] | undefined; networks?: readonly string[] | undefined; disabled?: boolean | undefined;
  /** Null: 30. */
  maxSkewSeconds?: number | null | undefined;
}>;

/** Changes what is given. `principal.absent`, `role.unknown`, `principal.last_admin`. */
export async function changePrincipal(tx: Tx, roles: Roles, id: string, change: PrincipalChange): Promise<void> {
  if (change.role !== undefined) requireRole(roles, change.role);
  requirePermissions(change.permissions ?? []);
  compileNetworks(change.networks ?? []);
  const set = {
    ...(change.role === undefined ? {} : { role: change.role, ...((await getPrincipal(tx, id)).kind === 'service' ? {} : { kind: kindOf(change.role) }) }),
    ...(change.permissions === undefined ? {} : { permissions: JSON.stringify(change.permissions) }),
    ...(change.networks === undefined ? {} : { networks: JSON.stringify(change.networks) }),
    ...(change.maxSkewSeconds === undefined ? {} : { max_skew_seconds: change.maxSkewSeconds }),
    ...(change.disabled === undefined ? {} : { disabled: change.disabled ? 1 : 0 }),
  };
  if (Object.keys(set).length > 0) await requireOne(await tx.updateTable('principal').set(set).where('id', '=', id).executeTakeFirst(), id);
  else await getPrincipal(tx, id);
  await requireAdminLeft(tx, roles);
  await moveEpochs(tx, [`principal:${id}`]);
}

/** Whether a change gave a principal anything that it had not: a permission, another network, being let in again, a wider window for its signatures. */
export function raisesRights(roles: Roles, before: PrincipalRow, after: PrincipalRow): boolean {
  const rights = (row: PrincipalRow) => [...(roles.get(row.role)?.permissions ?? []), ...readStrings(row.permissions)];
  const held = new Set(rights(before));
  return rights(after).some((permission) => !held.has(permission)) || after.networks !== before.networks || after.disabled < before.disabled
    || (after.max_skew_seconds ?? anywhereSkewSeconds) > (before.max_skew_seconds ?? anywhereSkewSeconds);
}

/** The most that a signature's time may be off wherever the principal comes from, and over any connection. */
export const anywhereSkewSeconds = 30;

/**
 * Refuses a wider window for signatures of a principal that comes from everywhere without TLS: whoever reads one there could send it for so
 * long. Call it after a change of either, in its transaction. `request.invalid`.
 */
export async function requireSafeSkew(tx: Tx, id: string, { secure }: Readonly<{ secure: boolean }>): Promise<void> {
  const row = await getPrincipal(tx, id);
  if (!isRiskySkew(row) || secure) return;
  throw new WeirError('request.invalid', `"${id}" may sign with a clock that is ${row.max_skew_seconds} s off only over TLS ([server] tls) or from named networks: give it some first.`);
}

/** Whether a principal's window is wide and its networks are everything. */
export const isRiskySkew = (row: Pick<PrincipalRow, 'max_skew_seconds' | 'networks'>): boolean => {
  const networks = readStrings(row.networks);
  return (row.max_skew_seconds ?? 0) > anywhereSkewSeconds && (networks.length === 0 || networks.some((network) => network.endsWith('/0')));
};

/** Removes a principal, its keys and sessions, and what only its user key opens. What else it owned stays, owned by the name. */
export async function deletePrincipal(tx: Tx, roles: Roles, id: string, now: number): Promise<void> {
  await requireOne({ numUpdatedRows: (await tx.deleteFrom('principal').where('id', '=', id).executeTakeFirst()).numDeletedRows }, id);
  await requireAdminLeft(tx, roles);
  await tx.deleteFrom('principal_key').where('principal', '=', id).execute();
  // Whoever gets the name later must not be signed in as by what belonged to this one.
  await tx.deleteFrom('passkey').where('principal', '=', id).execute();
  await tx.deleteFrom('external_identity').where('principal', '=', id).execute();
  await tx.deleteFrom('one_time_secret').where('subject', '=', id).execute();
  await tx.updateTable('login_session').set({ ended_at: now }).where('principal', '=', id).execute();
  await destroyUserKey(tx, id, now);
  await moveEpochs(tx, [`principal:${id}`]);
}

async function requireOne(result: { numUpdatedRows: bigint }, id: string): Promise<void> {
  if (result.numUpdatedRows !== 1n) throw new WeirError('principal.absent', `There is no principal "${id.slice(0, 64)}". \`weir admin user list\` names them.`);
}

async function requireAdminLeft(tx: Tx, roles: Roles): Promise<void> {
  const managing = [...roles.values()].filter((role) => role.permissions.has('manage_users')).map((role) => role.name);
  const left = await tx.selectFrom('principal').select('id').where('disabled', '=', 0).where('id', 'not like', `${sharedPrefix}%`)
    .where((row) => row.or([row('role', 'in', managing), row('permissions', 'like', '%"manage_users"%')])).limit(1).executeTakeFirst();
  if (left === undefined) throw new WeirError('principal.last_admin');
}

export async function getPrincipal(db: Database | Tx, id: string): Promise<PrincipalRow> {
  const row = await db.selectFrom('principal').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new WeirError('principal.absent', `There is no principal "${id.slice(0, 64)}". \`weir admin user list\` names them.`);
  return row;
}

export async function listPrincipals(db: Database, page: { after?: string | undefined; limit: number }): Promise<PrincipalRow[]> {
  return db.selectFrom('principal').selectAll().where('id', '>', page.after ?? '').orderBy('id').limit(page.limit).execute();
}

export const principalFacts = (row: PrincipalRow) =>
  ({ permissions: readStrings(row.permissions), networks: readStrings(row.networks), disabled: row.disabled !== 0, max_skew_seconds: row.max_skew_seconds });

/** How many principals that are not disabled have each of these roles. */
export async function countPrincipalsOfRoles(db: Database, roles: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (roles.length === 0) return new Map();
  const rows = await db.selectFrom('principal').select((principal) => ['role', principal.fn.countAll().as('count')]).where('role', 'in', roles).where('disabled', '=', 0).groupBy('role').execute();
  return new Map(rows.map(({ role, count }) => [role, Number(count)]));
}
