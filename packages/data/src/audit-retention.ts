/** Removes audit events that are older than they are kept, up to a signed checkpoint, and leaves a signed cut in their place. */
import { WeirError } from '@weir/contracts/errors';
import { toInstant } from '@weir/contracts/identity';
import { signCut } from '@weir/security/audit';
import { appendAudit, type AuditSigner } from './audit-log.ts';
import { exportReader } from './audit-export.ts';
import type { Data } from './data.ts';
import type { Tx } from './schema.ts';

/** Events of one chain that one transaction removes at most, so that no other change waits for long. More than lie between two checkpoints. */
const mostAtOnce = 5_000;

export type Retention = Readonly<{ olderThanMs: number; requireExport: boolean }>;
/** `waiting`: a chain has events that are old enough and in no export yet, so they stay. */
export type Cutting = Readonly<{ removed: number; waiting: boolean }>;

/** Each cut is an audit event itself. Safe when several nodes do it at once. */
export async function cutAudit(data: Data, signer: AuditSigner, retention: Retention, nowMs: number): Promise<Cutting> {
  const writers = await data.read.selectFrom('audit_chain').select('writer').orderBy('writer').execute();
  let removed = 0;
  let waiting = false;
  for (const { writer } of writers) {
    for (;;) {
      const cut = await data.write((tx) => cutOnce(tx, signer, writer, retention, nowMs));
      removed += cut.removed;
      waiting ||= cut.waiting;
      if (!cut.more) break;
    }
  }
  return { removed, waiting };
}

async function cutOnce(tx: Tx, signer: AuditSigner, writer: string, { olderThanMs, requireExport }: Retention, nowMs: number): Promise<Cutting & { more: boolean }> {
  const oldest = await tx.selectFrom('audit_event').select('sequence').where('writer', '=', writer).orderBy('sequence').limit(1).executeTakeFirst();
  if (oldest === undefined) return { removed: 0, waiting: false, more: false };
  // The first event that is to stay. A clock that was once ahead must not keep the rest, nor one that was behind remove it.
  const young = await tx.selectFrom('audit_event').select('sequence').where('writer', '=', writer).where('at', '>=', olderThanMs).orderBy('sequence').limit(1).executeTakeFirst();
  const exported = await tx.selectFrom('audit_reader').select('sequence').where('name', '=', exportReader).where('writer', '=', writer).executeTakeFirst();
  const old = Math.min((young?.sequence ?? Number.MAX_SAFE_INTEGER) - 1, oldest.sequence + mostAtOnce - 1);
  const most = requireExport ? Math.min(old, exported?.sequence ?? 0) : old;
  const point = await lastCheckpoint(tx, writer, most);
  if (point === undefined || point.sequence < oldest.sequence) {
    const withoutExport = most < old ? await lastCheckpoint(tx, writer, old) : undefined;
    return { removed: 0, waiting: withoutExport !== undefined && withoutExport.sequence >= oldest.sequence, more: false };
  }
  await removeUpTo(tx, signer, point, nowMs);
  await appendAudit(tx, signer, {
    class: 'A', principal: 'weir', address: '', action: 'audit.cut', object: `audit:${writer}`, decision: 'allowed', requestId: '',
    reason: `events ${oldest.sequence} to ${point.sequence}, older than ${toInstant(olderThanMs)}, removed`,
  }, nowMs);
  return { removed: point.sequence - oldest.sequence + 1, waiting: false, more: true };
}

const lastCheckpoint = (tx: Tx, writer: string, most: number) =>
  tx.selectFrom('audit_checkpoint').selectAll().where('writer', '=', writer).where('sequence', '<=', most).orderBy('sequence', 'desc').limit(1).executeTakeFirst();

async function removeUpTo(tx: Tx, signer: AuditSigner, { writer, sequence, hash }: Readonly<{ writer: string; sequence: number; hash: string }>, nowMs: number): Promise<void> {
  const last = await tx.selectFrom('audit_event').select('hash').where('writer', '=', writer).where('sequence', '=', sequence).executeTakeFirst();
  if (last?.hash !== hash) throw new WeirError('audit.broken', `The audit log does not fit its checkpoint at ${sequence} of ${writer}, so nothing is removed. Run: weir audit verify`);
  const cut = signCut({ writer, sequence, hash, atMs: nowMs, keyId: signer.keyId }, signer.key);
  await tx.insertInto('audit_cut').values({ writer, sequence, hash, at: nowMs, key_id: cut.keyId, signature: cut.signature }).execute();
  await tx.deleteFrom('audit_event').where('writer', '=', writer).where('sequence', '<=', sequence).execute();
  await tx.deleteFrom('audit_checkpoint').where('writer', '=', writer).where('sequence', '<', sequence).execute();
}
