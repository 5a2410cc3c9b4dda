/** The address of a search of the audit log, and what the server is asked for it. */
import type { output } from 'zod';
import type { AuditAddress } from '../addresses.ts';
import type { AuditFilter } from '../queries.ts';

/** `from` and `to` as `<input type="datetime-local">` writes them, in the time zone of the browser. */
export type AuditSearchAddress = output<typeof AuditAddress>;

/** A moment that can not be read is left out, as is what is empty. */
export function filterOf({ from, to, ...texts }: AuditSearchAddress): AuditFilter {
  const begun = { ...texts, from: momentOf(from), to: momentOf(to) };
  return Object.fromEntries(Object.entries(begun).filter(([, value]) => value !== undefined && value !== ''));
}

function momentOf(local: string | undefined): string | undefined {
  const ms = local === undefined ? NaN : new Date(local).getTime();
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}
