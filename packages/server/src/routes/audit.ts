/** The audit trail: searched, exported, verified. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { AuditEvent, AuditSearch, AuditVerification } from '@weir/contracts/audit';
import { page, toInstant } from '@weir/contracts/identity';
import { exportAudit } from '@weir/data/audit-export';
import { toWireEvent } from '@weir/data/audit-log';
import { searchAudit } from '@weir/data/audit-search';
import { verifyAudit } from '@weir/data/audit-verification';
import { auditKeys } from '@weir/data/security-stores/audit-keys';
import type { z } from 'zod';
import type { App } from '../app.ts';
import { route, type Context } from '../route.ts';

export const routes = [
  route({
    method: 'GET', path: '/api/v1/audit', action: 'audit.read', query: AuditSearch, reply: page(AuditEvent),
    summary: 'Audit events, newest first. A page may hold fewer events than asked for and still have a cursor: a search looks at 10 000 at a time',
  }, async ({ app, query }) => {
    const { rows, next } = await searchAudit(app.data.read, query);
    return { items: rows.map(toWireEvent), next_cursor: next };
  }),

  route({
    method: 'GET', path: '/api/v1/audit/export', action: 'audit.read', reply: 'stream',
    summary: 'The whole audit log as JSON Lines with its signed checkpoints and public keys, to be kept and verified elsewhere; gzip by Accept-Encoding',
  }, sendExport),

  route({
    method: 'POST', path: '/api/v1/audit/verify', action: 'audit.read', reply: AuditVerification, summary: 'Walk every chain and name the first event that is wrong',
  }, async ({ app }) => verification(app)),
];

async function verification(app: App): Promise<z.input<typeof AuditVerification>> {
  const keys = await auditKeys(app.data.read, app.keyRing);
  const { events, checkpoints, cuts, flaw } = await verifyAudit(app.data.read, keys);
  return {
    intact: flaw === undefined, events, checkpoints, first_bad: flaw ?? null, keys: [...keys],
    begins_after: cuts.map(({ writer, sequence, atMs }) => ({ writer, sequence, at: toInstant(atMs) })),
  };
}

/** Never more in memory than a page of events; an export that fails ends without its last line. */
async function sendExport({ app, admission, incoming, reply, requestId, signal }: Context<unknown, unknown, unknown>): Promise<void> {
  app.audit.opened(admission, requestId, 'audit:export');
  await app.audit.flush();
  const keys = await auditKeys(app.data.read, app.keyRing);
  const lines = Readable.from(exportAudit({ data: app.data, signer: app.audit.signer, instance: app.instanceId, keys, nowMs: app.clock() }));
  const isPacked = /\bgzip\b(?!\s*;\s*q=0(?:\.0+)?\s*(?:,|$))/i.test(String(incoming.headers['accept-encoding'] ?? ''));
  const response = reply.stream();
  response.writeHead(200, {
    'content-type': 'application/jsonl; charset=utf-8', 'content-disposition': 'attachment; filename="audit.jsonl"', vary: 'accept-encoding, origin',
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
  });
  try {
    if (isPacked) await pipeline(lines, createGzip(), response, { signal });
    else await pipeline(lines, response, { signal });
  } catch (error) {
    response.destroy();
    if (!signal.aborted) app.log.error({ err: error, requestId }, 'the audit log was not exported to its end');
  }
}
