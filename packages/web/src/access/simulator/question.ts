/** A question to the gate: as an address and a form hold it, and as the server is asked. */
import type { ExplainRequest } from '@weir/contracts/access';
import type { input } from 'zod';

/** `at` as `<input type="datetime-local">` writes it, in the time zone of the browser. */
export type Question = Readonly<{
  principal?: string | undefined; role?: string | undefined; action?: string | undefined; object?: string | undefined; address?: string | undefined; at?: string | undefined;
}>;

/** What to ask the server; undefined while it is not said who or what. A moment that can not be read is left out. */
export function questionOf({ principal, role, action, object, address, at }: Question): input<typeof ExplainRequest> | undefined {
  if (action === undefined || (principal === undefined && role === undefined)) return undefined;
  const moment = at === undefined ? NaN : new Date(at).getTime();
  return {
    ...(role === undefined ? { principal } : { role }), action, ...(object === undefined ? {} : { object }), ...(address === undefined ? {} : { address }),
    ...(Number.isNaN(moment) ? {} : { at: new Date(moment).toISOString() }),
  };
}
