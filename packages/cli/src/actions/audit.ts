/** `weir audit …`: reads and checks the audit log on the server's machine. */
import type { AuditEvent } from '@weir/contracts/audit';
import { WeirError } from '@weir/contracts/errors';
import { toInstant } from '@weir/contracts/identity';
import { listAudit, verifyAudit } from '@weir/data/audit-log';
import { print, printJson, type Context } from '../context.ts';
import { Finished } from '../failure.ts';
import type { InstanceFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';
import { openForOperator } from './operator.ts';

export type ListFlags = InstanceFlags & Readonly<{
  limit: number; before?: string; principal?: string; action?: string; object?: string; json?: boolean;
}>;
export type VerifyFlags = InstanceFlags & Readonly<{ json?: boolean }>;

type Row = Awaited<ReturnType<typeof listAudit>>[number];

export async function list(this: Context, flags: ListFlags): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const rows = await listAudit(instance.data.read, flags);
  if (flags.json === true) return printJson(this, { items: rows.map(toWire), next_cursor: rows.length === flags.limit ? (rows.at(-1)?.id ?? null) : null });
  print(this, tableText(['AT', 'WHO', 'FROM', 'ACTION', 'OBJECT', 'DECISION', 'REASON'], rows.map((row) =>
    [toInstant(row.at), row.principal || '-', row.address || '-', row.action, row.object, row.count > 1 ? `${row.decision} ×${row.count}` : row.decision, row.reason])));
}

export async function verify(this: Context, flags: VerifyFlags): Promise<void> {
  await using instance = await openForOperator(this, flags);
  const { events, checkpoints, flaw } = await verifyAudit(instance.data.read);
  if (flags.json === true) {
    printJson(this, { intact: flaw === undefined, events, checkpoints, first_bad: flaw ?? null });
    if (flaw !== undefined) throw new Finished(1);
    return;
  }
  if (flaw !== undefined) {
    throw new WeirError('audit.broken', `The audit log was tampered with: event ${flaw.sequence} of ${flaw.writer} (${flaw.id}): ${flaw.reason}. Compare with a backup.`);
  }
  print(this, `intact: ${events} events, ${checkpoints} signed checkpoints`);
}

const toWire = ({ request_id, previous_hash, at, ...row }: Row): Omit<AuditEvent, 'class' | 'decision'> & { class: string; decision: string } =>
  ({ ...row, at: toInstant(at), request_id, previous_hash });
