/** The audit trail in the store: appended in the transaction of what it records, its chain continued under the writer's lock. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { newUlid } from '@weir/contracts/clock';
import { chainStart, ChainVerifier, hashEvent, signCheckpoint, type AuditEntry, type AuditEvent, type Checkpoint, type Flaw } from '@weir/security/audit';
import type { Selectable } from 'kysely';
import type { Database, Schema, Tx } from './schema.ts';

/** How many events between signed checkpoints. */
const checkpointEvery = 500;

export type AuditSigner = Readonly<{ writer: string; keyId: string; key: KeyObject }>;

/** Appends one event to the writer's chain. Call it inside the transaction of the change: both happen or neither. */
export async function appendAudit(tx: Tx, signer: AuditSigner, entry: AuditEntry, atMs: number): Promise<void> {
  const last = await tx.selectFrom('audit_event').select(['sequence', 'hash']).where('writer', '=', signer.writer)
    .orderBy('sequence', 'desc').limit(1).executeTakeFirst();
  const event = {
    id: newUlid(atMs), writer: signer.writer, sequence: (last?.sequence ?? 0) + 1, atMs, class: entry.class, principal: entry.principal,
    address: entry.address, action: entry.action, object: entry.object, decision: entry.decision, reason: entry.reason, count: entry.count ?? 1,
    requestId: entry.requestId, previousHash: last?.hash ?? chainStart,
  };
  const hash = hashEvent(event);
  const { atMs: at, requestId, previousHash, ...rest } = event;
  await tx.insertInto('audit_event').values({ ...rest, at, request_id: requestId, previous_hash: previousHash, hash }).execute();
  if (event.sequence % checkpointEvery === 0) await appendCheckpoint(tx, signer, event.sequence, hash, atMs);
}

/** Signs the head of the chain now, unless it is signed already. Called when a server stops and before an export. */
export async function checkpointAudit(tx: Tx, signer: AuditSigner, atMs: number): Promise<void> {
  const last = await tx.selectFrom('audit_event').select(['sequence', 'hash']).where('writer', '=', signer.writer)
    .orderBy('sequence', 'desc').limit(1).executeTakeFirst();
  if (last === undefined) return;
  const signed = await tx.selectFrom('audit_checkpoint').select('sequence').where('writer', '=', signer.writer)
    .where('sequence', '=', last.sequence).executeTakeFirst();
  if (signed === undefined) await appendCheckpoint(tx, signer, last.sequence, last.hash, atMs);
}

async function appendCheckpoint(tx: Tx, signer: AuditSigner, sequence: number, hash: string, atMs: number): Promise<void> {
  const point = signCheckpoint({ writer: signer.writer, sequence, hash, atMs, keyId: signer.keyId }, signer.key);
  await tx.insertInto('audit_checkpoint').values({
    id: newUlid(atMs), writer: point.writer, sequence, hash, at: atMs, key_id: point.keyId, signature: point.signature,
  }).execute();
}

export type Verification = Readonly<{ events: number; checkpoints: number; flaw: Flaw | undefined }>;

/** Walks every chain. The first flaw ends it and names the event. Reads pages of 1 000, so memory stays bounded. */
export async function verifyAudit(db: Database): Promise<Verification> {
  const keys = new Map((await db.selectFrom('signing_key').select(['id', 'public_key']).where('purpose', '=', 'audit').execute())
    .map((row) => [row.id, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: row.public_key }, format: 'jwk' })]));
  const writers = await db.selectFrom('audit_event').select('writer').distinct()
    .union(db.selectFrom('audit_checkpoint').select('writer').distinct()).execute();
  let events = 0;
  let checkpoints = 0;
  for (const { writer } of writers) {
    const points = (await db.selectFrom('audit_checkpoint').selectAll().where('writer', '=', writer).orderBy('sequence').execute()).map(toCheckpoint);
    const verifier = new ChainVerifier(writer, points);
    for await (const event of eventsOf(db, writer)) {
      verifier.add(event);
      events += 1;
    }
    checkpoints += points.length;
    const flaw = verifier.finish(points, (id) => keys.get(id));
    if (flaw !== undefined) return { events, checkpoints, flaw };
  }
  return { events, checkpoints, flaw: undefined };
}

async function* eventsOf(db: Database, writer: string): AsyncGenerator<AuditEvent> {
  let after = 0;
  for (;;) {
    const rows = await db.selectFrom('audit_event').selectAll().where('writer', '=', writer).where('sequence', '>', after)
      .orderBy('sequence').limit(1_000).execute();
    if (rows.length === 0) return;
    for (const row of rows) yield toEvent(row);
    after = rows.at(-1)?.sequence ?? after;
  }
}

export const toEvent = (row: Selectable<Schema['audit_event']>): AuditEvent =>
  ({ ...row, atMs: row.at, requestId: row.request_id, previousHash: row.previous_hash });
const toCheckpoint = (row: Selectable<Schema['audit_checkpoint']>): Checkpoint =>
  ({ writer: row.writer, sequence: row.sequence, hash: row.hash, atMs: row.at, keyId: row.key_id, signature: row.signature });

export type AuditQuery = Readonly<{ before?: string | undefined; limit: number; principal?: string | undefined; action?: string | undefined; object?: string | undefined }>;

/** Newest first; `before` is the id of the last event of the page before. */
export async function listAudit(db: Database, query: AuditQuery): Promise<Selectable<Schema['audit_event']>[]> {
  return db.selectFrom('audit_event').selectAll()
    .$if(query.before !== undefined, (q) => q.where('id', '<', query.before ?? ''))
    .$if(query.principal !== undefined, (q) => q.where('principal', '=', query.principal ?? ''))
    .$if(query.action !== undefined, (q) => q.where('action', '=', query.action ?? ''))
    .$if(query.object !== undefined, (q) => q.where('object', '=', query.object ?? ''))
    .orderBy('id', 'desc').limit(query.limit).execute();
}
