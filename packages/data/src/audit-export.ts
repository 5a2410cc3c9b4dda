/** The whole audit log as JSON Lines, streamed: what `verify` needs to check it anywhere else, later. */
import { auditExportFormat, type AuditCheckpoint, type AuditEvent, type AuditExportNote, type AuditKey } from '@weir/contracts/audit';
import { toInstant } from '@weir/contracts/identity';
import { checkpointToWire } from '@weir/security/audit-wire';
import { checkpointAudit, pagesOf, toCheckpoint, toWireEvent, type AuditSigner } from './audit-log.ts';
import { newestCuts } from './audit-verification.ts';
import type { Data } from './data.ts';
import type { Database } from './schema.ts';

/** The name under which it is remembered how far exports have come. */
export const exportReader = 'export';

type Source = Readonly<{ data: Data; signer: AuditSigner; instance: string; keys: readonly AuditKey[]; nowMs: number }>;

/**
 * Signs every head, then gives the lines, each with its newline, in pieces of a bounded size. What is written meanwhile is left out.
 * When all of it was taken, that is remembered: `[audit] require_export` waits for it.
 */
export async function* exportAudit({ data, signer, instance, keys, nowMs }: Source): AsyncGenerator<string> {
  await data.write((tx) => checkpointAudit(tx, signer, nowMs, 'all'));
  const heads = await headsOf(data.read);
  const cuts = [...(await newestCuts(data.read)).values()].map(checkpointToWire);
  yield line({ export: { format: auditExportFormat, instance, at: toInstant(nowMs), keys: [...keys], cuts } });
  let events = 0;
  for (const { writer, sequence } of heads) {
    yield* checkpointsOf(data.read, writer, sequence);
    for await (const page of pagesOf(data.read, writer, 0, sequence)) {
      events += page.length;
      yield page.map((row) => line(toWireEvent(row))).join('');
    }
  }
  yield line({ end: { events, heads, keys: [...keys] } });
  await data.write(async (tx) => {
    for (const { writer, sequence } of heads) {
      await tx.insertInto('audit_reader').values({ name: exportReader, writer, sequence, at: nowMs })
        .onConflict((c) => c.columns(['name', 'writer']).doUpdateSet({ sequence, at: nowMs })).execute();
    }
  });
}

const line = (value: AuditExportNote | AuditEvent): string => `${JSON.stringify(value)}\n`;

/** The signed heads, as checkpoints. A chain that was cut to nothing ends where it was cut. */
async function headsOf(db: Database): Promise<AuditCheckpoint[]> {
  const rows = await db.selectFrom('audit_chain')
    .innerJoin('audit_checkpoint', (join) => join.onRef('audit_checkpoint.writer', '=', 'audit_chain.writer').onRef('audit_checkpoint.sequence', '=', 'audit_chain.signed_sequence'))
    .selectAll('audit_checkpoint').orderBy('audit_chain.writer').execute();
  return [...new Map(rows.map((row) => [row.writer, checkpointToWire(toCheckpoint(row))])).values()];
}

async function* checkpointsOf(db: Database, writer: string, upTo: number): AsyncGenerator<string> {
  for (let last = 0; ;) {
    const rows = await db.selectFrom('audit_checkpoint').selectAll().where('writer', '=', writer).where('sequence', '>', last).where('sequence', '<=', upTo)
      .orderBy('sequence').limit(500).execute();
    const end = rows.at(-1);
    if (end === undefined) return;
    yield rows.map((row) => line({ checkpoint: checkpointToWire(toCheckpoint(row)) })).join('');
    last = end.sequence;
  }
}
