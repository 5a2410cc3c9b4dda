/** The library: the caller's holdings by name. */
import { listHoldings, setTitle, type HoldingRow } from '@weir/content/holdings';
import { LibraryChange, LibraryItem } from '@weir/contracts/content';
import { WeirError } from '@weir/contracts/errors';
import { ListQuery, page, toInstant, Ulid } from '@weir/contracts/identity';
import { readPolicy } from '@weir/security/policies';
import { z } from 'zod';
import { changeEntry } from '../audit-trail.ts';
import { route } from '../route.ts';

const ById = z.strictObject({ id: Ulid });

export const routes = [
  route({
    method: 'GET', path: '/api/v1/library', action: 'library.read', query: z.strictObject(ListQuery), reply: page(LibraryItem),
    resource: () => ({ kind: 'own' }), summary: 'What you hold, newest first',
  }, async ({ app, principal, query }) => {
    const { items, next } = await listHoldings(app.data.read, principal, { after: query.cursor, limit: query.limit });
    return { items: items.map((row) => toWire(row, principal)), next_cursor: next };
  }),

  route({
    method: 'GET', path: '/api/v1/library/:id', action: 'library.read', parameters: ById, reply: LibraryItem,
    resource: ({ id }) => ({ kind: 'library', id }), summary: 'One asset that you own or may read',
  }, async ({ admission, principal }) => {
    if (admission.holding === undefined) throw new WeirError('object.absent');
    return toWire(admission.holding.row, principal);
  }),

  route({
    method: 'PATCH', path: '/api/v1/library/:id', action: 'library.write', parameters: ById, body: LibraryChange, reply: LibraryItem,
    resource: ({ id }) => ({ kind: 'object', type: 'holding', id }), summary: 'Rename an asset',
  }, async ({ app, admission, principal, parameters, body, requestId }) => toWire(await app.data.write(async (tx) => {
    await app.audit.record(tx, changeEntry(admission, `holding:${parameters.id}`, requestId, 'title'));
    return setTitle(tx, parameters.id, body.title);
  }), principal)),
];

/** The policy's level is the owner's business; others learn only that they were admitted. */
const toWire = (row: HoldingRow, reader: string): z.input<typeof LibraryItem> => ({
  library_id: row.id, cid: row.cid, title: row.title, size: row.size, content_type: row.content_type, owner: row.owner, encrypted: row.data_key !== null,
  level: row.owner === reader ? (readPolicy(row.policy)?.level ?? null) : null, origin: row.owner === reader ? row.origin : null, created_at: toInstant(row.created_at),
});
