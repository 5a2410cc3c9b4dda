/** Searches the audit log, newest first, a bounded piece of it at a time. */
import type { AuditSearch } from '@weir/contracts/audit';
import { WeirError } from '@weir/contracts/errors';
import { sql, type ExpressionBuilder, type SelectQueryBuilder } from 'kysely';
import type { AuditRow } from './audit-log.ts';
import type { Database, Schema } from './schema.ts';

/** How many events one search looks at; beyond, the caller goes on with the cursor. So a rare word never stops the server. */
const mostExamined = 10_000;

export type AuditFilter = Omit<AuditSearch, 'cursor' | 'limit'>;
export type AuditPage = Readonly<{ rows: readonly AuditRow[]; next: string | null }>;
type Events = ExpressionBuilder<Schema, 'audit_event'>;
type Query<O> = SelectQueryBuilder<Schema, 'audit_event', O>;

/**
 * Up to `limit` events that match, newest first, and the cursor to go on with, which is null at the end. A page may hold fewer, even
 * none, and still have a cursor. Errors: `request.invalid` for a cursor that is none.
 */
export async function searchAudit(db: Database, { cursor, limit, ...filter }: AuditSearch): Promise<AuditPage> {
  const examined = db.selectFrom('audit_event').$call(indexed(filter)).$call(before(cursor)).orderBy('at', 'desc').orderBy('id', 'desc');
  const rows = await db.selectFrom(examined.selectAll().limit(mostExamined).as('audit_event')).selectAll().$call(others(filter))
    .orderBy('at', 'desc').orderBy('id', 'desc').limit(limit).execute();
  const last = rows.length === limit ? rows.at(-1) : await examined.select(['at', 'id']).offset(mostExamined - 1).limit(1).executeTakeFirst();
  return { rows, next: last === undefined ? null : `${last.at}.${last.id}` };
}

/** Events that match and came after `after` (a cursor), oldest first: what happens now. */
export function auditSince(db: Database, filter: AuditFilter, after: string, limit: number): Promise<AuditRow[]> {
  const { at, id } = readCursor(after);
  return db.selectFrom('audit_event').selectAll().$call(indexed(filter)).$call(others(filter))
    .where((e) => e(e.refTuple('at', 'id'), '>', e.tuple(at, id))).orderBy('at').orderBy('id').limit(limit).execute();
}

const before = (cursor: string | undefined) => <O>(query: Query<O>): Query<O> => {
  if (cursor === undefined) return query;
  const { at, id } = readCursor(cursor);
  return query.where((e) => e(e.refTuple('at', 'id'), '<', e.tuple(at, id)));
};

function readCursor(cursor: string): { at: number; id: string } {
  const [, at, id] = /^([0-9]{1,15})\.([0-9A-Z]{0,26})$/.exec(cursor) ?? [];
  if (at === undefined || id === undefined) throw new WeirError('request.invalid', 'That is no cursor of this list; leave it out to begin anew.');
  return { at: Number(at), id };
}

/** What an index answers. */
const indexed = ({ principal, action, object, from, to }: AuditFilter) => <O>(query: Query<O>): Query<O> => query
  .$if(principal !== undefined, (q) => q.where('principal', '=', principal ?? ''))
  .$if(action !== undefined && !isPrefix(action), (q) => q.where('action', '=', action ?? ''))
  .$if(object !== undefined && !isPrefix(object), (q) => q.where('object', '=', object ?? ''))
  .$if(from !== undefined, (q) => q.where('at', '>=', Date.parse(from ?? '')))
  .$if(to !== undefined, (q) => q.where('at', '<', Date.parse(to ?? '')));

/** What each event must be looked at for. */
const others = (filter: AuditFilter) => <O>(query: Query<O>): Query<O> => query
  .$if(isPrefix(filter.action), (q) => q.where((e) => startsWith(e, 'action', filter.action ?? '')))
  .$if(isPrefix(filter.object), (q) => q.where((e) => startsWith(e, 'object', filter.object ?? '')))
  .$if(filter.address !== undefined, (q) => (isPrefix(filter.address) ? q.where((e) => startsWith(e, 'address', filter.address ?? '')) : q.where('address', '=', filter.address ?? '')))
  .$if(filter.decision !== undefined, (q) => q.where('decision', '=', filter.decision ?? ''))
  .$if(filter.class !== undefined, (q) => q.where('class', '=', filter.class ?? ''))
  .$if(filter.text !== undefined, (q) => q.where((e) => e.or(['object', 'reason', 'principal'].map((column) => contains(column, filter.text ?? '')))));

const isPrefix = (text: string | undefined): boolean => text?.endsWith('*') === true;

/** Texts are compared by their bytes, so what begins with `a` lies between `a` and `a` with the last of all characters. */
function startsWith(e: Events, column: 'action' | 'object' | 'address', pattern: string) {
  const prefix = pattern.slice(0, -1);
  return e.and([e(column, '>=', prefix), e(column, '<', `${prefix}\u{10FFFF}`)]);
}

/** Whatever the case of A to Z, as `lower` of both engines has it. */
function contains(column: string, text: string) {
  const folded = text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()).replaceAll(/[!%_]/g, (sign) => `!${sign}`);
  return sql<boolean>`lower(${sql.ref(column)}) like ${`%${folded}%`} escape '!'`;
}
