/** The audit trail in the store: appended in the transaction of what it records, its chain continued under the writer's lock. */
import type { KeyObject } from 'node:crypto';
import { newUlid } from '@weir/contracts/clock';
import type { AuditEvent as WireEvent } from '@weir/contracts/audit';
import { toInstant } from '@weir/contracts/identity';
import { chainStart, hashEvent, signCheckpoint, type AuditEntry, type AuditEvent, type Checkpoint } from '@weir/security/audit';
import type { Selectable } from 'kysely';
import type { Database, Schema, Tx } from './schema.ts';

/** `checkpointEvents`: how many events between signed checkpoints. */
export type AuditSigner = Readonly<{ writer: string; keyId: string; key: KeyObject; checkpointEvents: number }>;

export type AuditRow = Selectable<Schema['audit_event']>;

/** Longer texts are cut: nothing that somebody sends can fill the log with one request. */
const longest = { principal: 128, address: 64, action: 64, object: 300, reason: 500, requestId: 64 } as const;

/** Appends one event to the writer's chain. Call it inside the transaction of the change: both happen or neither. */
export async function appendAudit(tx: Tx, signer: AuditSigner, entry: AuditEntry, atMs: number): Promise<void> {
  const { writer } = signer;
  const head = await headOf(tx, writer);
  const event = {
    id: newUlid(atMs), writer, sequence: (head?.sequence ?? 0) + 1, atMs, class: entry.class, decision: entry.decision, count: entry.count ?? 1,
    principal: clip(entry, 'principal'), address: clip(entry, 'address'), action: clip(entry, 'action'), object: clip(entry, 'object'),
    reason: clip(entry, 'reason'), requestId: clip(entry, 'requestId'), previousHash: head?.hash ?? chainStart,
  };
  const hash = hashEvent(event);
  const { atMs: at, requestId, previousHash, ...rest } = event;
  const { sequence } = event;
  const isDue = sequence - (head?.signed_sequence ?? 0) >= signer.checkpointEvents;
  const next = { sequence, hash, signed_sequence: isDue ? sequence : (head?.signed_sequence ?? 0) };
  // The head first: of two changes that go on from the same one PostgreSQL then runs one again, where the event's number would be refused.
  if (head === undefined) await tx.insertInto('audit_chain').values({ writer, ...next }).onConflict((conflict) => conflict.doNothing()).execute();
  else await tx.updateTable('audit_chain').set(next).where('writer', '=', writer).execute();
  await tx.insertInto('audit_event').values({ ...rest, at, request_id: requestId, previous_hash: previousHash, hash }).execute();
  if (isDue) await insertCheckpoint(tx, signer, writer, sequence, hash, atMs);
}

const headOf = (tx: Tx, writer: string) => tx.selectFrom('audit_chain').selectAll().where('writer', '=', writer).executeTakeFirst();

/** A lone surrogate would come back from the database as another character, and its hash would no longer fit. */
const clip = (entry: AuditEntry, field: keyof typeof longest): string => entry[field].slice(0, longest[field]).toWellFormed().replaceAll('\0', '\u{FFFD}');

/** Signs the heads that are not signed yet: of this writer, or of every chain. Called from time to time, before an export and at the end. */
export async function checkpointAudit(tx: Tx, signer: AuditSigner, atMs: number, which: 'own' | 'all' = 'own'): Promise<void> {
  const heads = await tx.selectFrom('audit_chain').selectAll().whereRef('signed_sequence', '<', 'sequence')
    .$if(which === 'own', (q) => q.where('writer', '=', signer.writer)).execute();
  for (const { writer, sequence, hash } of heads) {
    await insertCheckpoint(tx, signer, writer, sequence, hash, atMs);
    await tx.updateTable('audit_chain').set({ signed_sequence: sequence }).where('writer', '=', writer).execute();
  }
}

async function insertCheckpoint(tx: Tx, signer: AuditSigner, writer: string, sequence: number, hash: string, atMs: number): Promise<void> {
  const point = signCheckpoint({ writer, sequence, hash, atMs, keyId: signer.keyId }, signer.key);
  await tx.insertInto('audit_checkpoint').values({ id: newUlid(atMs), writer, sequence, hash, at: atMs, key_id: point.keyId, signature: point.signature }).execute();
}

const pageSize = 500;

/** One writer's events behind `after`, up to `upTo`, in pages; the event loop turns between them. */
export async function* pagesOf(db: Database, writer: string, after = 0, upTo = Number.MAX_SAFE_INTEGER): AsyncGenerator<readonly AuditRow[]> {
  for (let last = after; ;) {
    const rows = await db.selectFrom('audit_event').selectAll().where('writer', '=', writer).where('sequence', '>', last).where('sequence', '<=', upTo)
      .orderBy('sequence').limit(pageSize).execute();
    const end = rows.at(-1);
    if (end === undefined) return;
    yield rows;
    last = end.sequence;
    await new Promise((resolve) => { setImmediate(resolve); });
  }
}

export const toEvent = (row: AuditRow): AuditEvent => ({ ...row, atMs: row.at, requestId: row.request_id, previousHash: row.previous_hash });

/** As it is listed and exported. The database holds no other classes and decisions than these. */
export function toWireEvent({ at, class: eventClass, decision, ...row }: AuditRow): WireEvent {
  return { ...row, at: toInstant(at), class: eventClass === 'A' || eventClass === 'B' ? eventClass : 'C', decision: decision === 'allowed' ? 'allowed' : 'refused' };
}

export const toCheckpoint = (row: Omit<Selectable<Schema['audit_checkpoint']>, 'id'>): Checkpoint =>
  ({ writer: row.writer, sequence: row.sequence, hash: row.hash, atMs: row.at, keyId: row.key_id, signature: row.signature });
