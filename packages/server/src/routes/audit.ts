/** The audit trail, searched and verified. */
import { AuditEvent, AuditVerification } from '@weir/contracts/audit';
import { ListQuery, page, toInstant } from '@weir/contracts/identity';
import { listAudit, verifyAudit } from '@weir/data/audit-log';
import { z } from 'zod';
import { route } from '../route.ts';

const Search = z.strictObject({ ...ListQuery, principal: z.string().max(64).optional(), action: z.string().max(64).optional(), object: z.string().max(256).optional() });

export const routes = [
  route({
    method: 'GET', path: '/api/v1/audit', action: 'audit.read', query: Search, reply: page(AuditEvent), summary: 'Audit events, newest first',
  }, async ({ app, query }) => {
    const { cursor, ...filter } = query;
    const rows = await listAudit(app.data.read, { ...filter, before: cursor });
    const items = rows.map(({ at, ...row }) => AuditEvent.parse({ ...row, at: toInstant(at) }));
    return { items, next_cursor: rows.length === query.limit ? (rows.at(-1)?.id ?? null) : null };
  }),

  route({
    method: 'GET', path: '/api/v1/audit/verification', action: 'audit.read', reply: AuditVerification, summary: 'Walk every chain and say where it first breaks',
  }, async ({ app }) => {
    const { events, checkpoints, flaw } = await verifyAudit(app.data.read);
    return { intact: flaw === undefined, events, checkpoints, first_bad: flaw === undefined ? null : { ...flaw } };
  }),
];
