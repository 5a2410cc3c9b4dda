/** What about the audit log needs an operator: webhooks that fail, events that should be gone and are in no export. */
import { toInstant } from '@weir/contracts/identity';
import { exportReader } from '@weir/data/audit-export';
import type { Database } from '@weir/data/schema';
import type { Warning } from './app.ts';
import { webhookName } from './audit-webhooks.ts';
import type { Config } from './config/schema.ts';

const dayMs = 86_400_000;
/** A receiver that restarts is no warning. */
const passingMs = 600_000;

export async function auditWarnings(db: Database, { webhooks, retention_days: days, require_export: requireExport }: Config['audit'], now: number): Promise<readonly Warning[]> {
  const rows = webhooks.length === 0 ? [] : await db.selectFrom('audit_webhook').selectAll().where('name', 'in', webhooks.map(webhookName)).execute();
  const failing = rows.filter((row) => row.dead_at !== null || (row.failing_since !== null && now - row.failing_since > passingMs)).map((row): Warning => {
    const settings = webhooks.find((each) => webhookName(each) === row.name);
    const host = settings === undefined ? row.name : new URL(settings.url).host;
    return row.dead_at === null
      ? { code: 'audit.webhook_failing', message: `The webhook at ${host} fails since ${toInstant(row.failing_since ?? now)}: ${row.last_error}`, next_step: 'Look at the receiver; nothing is lost meanwhile.' }
      : { code: 'audit.webhook_dead', message: `The webhook at ${host} was given up on ${toInstant(row.dead_at)}: ${row.last_error}`, next_step: 'Repair the receiver, then start Weir again: it goes on where it stopped.' };
  });
  return [...failing, ...(days > 0 && requireExport ? await exportWanted(db, now - (days + 1) * dayMs) : [])];
}

async function exportWanted(db: Database, olderThanMs: number): Promise<readonly Warning[]> {
  const waiting = await db.selectFrom('audit_event').leftJoin('audit_reader', (join) => join.onRef('audit_reader.writer', '=', 'audit_event.writer').on('audit_reader.name', '=', exportReader))
    .select('audit_event.at').where('audit_event.at', '<', olderThanMs).where((e) => e('audit_event.sequence', '>', e.fn.coalesce('audit_reader.sequence', e.lit(0))))
    .orderBy('audit_event.at').limit(1).executeTakeFirst();
  if (waiting === undefined) return [];
  return [{ code: 'audit.export_wanted', message: `Audit events since ${toInstant(waiting.at)} are older than [audit] retention_days and in no export, so they are kept.`, next_step: 'Run: weir audit export > audit.jsonl, and keep that elsewhere.' }];
}
