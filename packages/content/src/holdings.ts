/**
 * Holdings: what each owner keeps, one row for (owner, content). Nothing is shared between owners, so nobody's change is seen by
 * another. Callers have been admitted; what is sealed arrives sealed and leaves sealed.
 */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import type { PolicyLevel } from '@weir/contracts/policies';
import { moveEpochs } from '@weir/data/epochs';
import type { Database, Schema, Tx } from '@weir/data/schema';
import type { Selectable } from 'kysely';

export type HoldingRow = Selectable<Schema['holding']>;

/** `data_key` is sealed by the key ring, `leaf_digests` by `sealLeafDigests`; of a plain blob the one is null and the other in the clear. */
export type NewHolding = Readonly<Omit<HoldingRow, 'id' | 'deleted_at'>>;

/**
 * Records what an owner now holds. Whoever holds the same content already keeps that holding unchanged and gets it back; its `blob`
 * is then not the new one, which is in no use and which the caller deletes. Of racing uploads one makes the holding.
 */
export async function insertHolding(tx: Tx, order: NewHolding): Promise<HoldingRow> {
  const inserted = await tx.insertInto('holding').values({ ...order, id: newUlid(order.created_at), deleted_at: null })
    .onConflict((conflict) => conflict.columns(['owner', 'digest']).where('deleted_at', 'is', null).doNothing())
    .returningAll().executeTakeFirst();
  const holding = inserted ?? await findHolding(tx, order.owner, order.digest);
  if (holding === undefined) throw new WeirError('request.conflict', 'This content was deleted while it was uploaded; upload it again.');
  return holding;
}

/** The holding of this owner for the content with this hex digest. */
export async function findHolding(db: Database, owner: string, digest: string): Promise<HoldingRow | undefined> {
  return present(db).where('owner', '=', owner).where('digest', '=', digest).executeTakeFirst();
}

export async function holdingById(db: Database, id: string): Promise<HoldingRow | undefined> {
  return present(db).where('id', '=', id).executeTakeFirst();
}

/** Everybody's holdings of one content, oldest first: any of them may admit a request. */
export async function holdingsOfDigest(db: Database, digest: string): Promise<HoldingRow[]> {
  return present(db).where('digest', '=', digest).orderBy('id').execute();
}

/** A page of an owner's holdings, newest first; `next` is the `after` of the next page, null at the end. `limit` is at least 1. */
export async function listHoldings(
  db: Database, owner: string, page: { readonly after?: string | undefined; readonly limit: number },
): Promise<{ readonly items: HoldingRow[]; readonly next: string | null }> {
  const rows = await present(db).where('owner', '=', owner)
    .$if(page.after !== undefined, (query) => query.where('id', '<', page.after ?? ''))
    .orderBy('id', 'desc').limit(page.limit + 1).execute();
  const items = rows.slice(0, page.limit);
  return { items, next: rows.length > items.length ? (items.at(-1)?.id ?? null) : null };
}

/** Ids of an owner's holdings that meet every condition given, oldest first. `level` null: without a policy; `content_type` may be the first part alone. */
export async function holdingsByFilter(
  db: Database, owner: string, { level, content_type: type }: Readonly<{ level?: PolicyLevel | null | undefined; content_type?: string | undefined }>, limit: number,
): Promise<Pick<HoldingRow, 'id' | 'cid'>[]> {
  return db.selectFrom('holding').select(['id', 'cid']).where('owner', '=', owner).where('deleted_at', 'is', null)
    .$if(level === null, (query) => query.where('policy', 'is', null))
    // Policies are written by their schema, which begins with the level.
    .$if(typeof level === 'string', (query) => query.where('policy', 'like', `{"level":"${level}"%`))
    // "0" follows "/", and "<" follows ";": all that begin with the type and one of these.
    .$if(type !== undefined, (query) => query.where((where) => where.or([
      where('content_type', '=', type ?? ''),
      where.and([where('content_type', '>=', `${type}/`), where('content_type', '<', `${type}0`)]),
      where.and([where('content_type', '>=', `${type};`), where('content_type', '<', `${type}<`)]),
    ])))
    .orderBy('id').limit(limit).execute();
}

/** Sets who may use a holding, as JSON of a `Policy`; null leaves it to its owner. Running streams are decided anew. `object.absent`. */
export async function setPolicy(tx: Tx, id: string, policy: string | null): Promise<HoldingRow> {
  const row = await change(tx, id, { policy });
  await moveEpochs(tx, [`holding:${id}`]);
  return row;
}

/** `object.absent` when there is no such holding. */
export async function setTitle(tx: Tx, id: string, title: string): Promise<HoldingRow> {
  return change(tx, id, { title });
}

/**
 * Leaves a tombstone and destroys what opens the content: the data key, without which its blob is noise at once. Returns the blob,
 * which `collectGarbage` removes after the grace period. `object.absent`, also the second time.
 */
export async function deleteHolding(tx: Tx, id: string, now: number): Promise<string> {
  const { blob } = await change(tx, id, { deleted_at: now, data_key: null, leaf_digests: new Uint8Array(), title: '', policy: null });
  await tx.deleteFrom('policy_change').where('holding', '=', id).execute();
  await moveEpochs(tx, [`holding:${id}`]);
  return blob;
}

/** Those of `blobs` that a holding uses, or used until after `deletedAfter` (milliseconds since 1970). At most 1 000 at a time. */
export async function blobsInUse(db: Database, blobs: readonly string[], deletedAfter: number): Promise<ReadonlySet<string>> {
  if (blobs.length === 0) return new Set();
  const rows = await db.selectFrom('holding').select('blob').where('blob', 'in', blobs)
    .where((where) => where.or([where('deleted_at', 'is', null), where('deleted_at', '>', deletedAfter)])).execute();
  return new Set(rows.map(({ blob }) => blob));
}

const present = (db: Database) => db.selectFrom('holding').selectAll().where('deleted_at', 'is', null);

async function change(tx: Tx, id: string, values: Partial<HoldingRow>): Promise<HoldingRow> {
  const row = await tx.updateTable('holding').set(values).where('id', '=', id).where('deleted_at', 'is', null).returningAll().executeTakeFirst();
  if (row === undefined) throw new WeirError('object.absent');
  return row;
}
