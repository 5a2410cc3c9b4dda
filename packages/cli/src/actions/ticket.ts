/** `weir ticket`: one-time evidence for what can send no headers. */
import * as tickets from '@weir/sdk/tickets';
import { connect } from '../client/connection.ts';
import { note, print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';

export type TicketFlags = ServerFlags & Readonly<{ quiet?: boolean; json?: boolean }>;

/** For a content its address with the ticket in it; for a job, or without an object for the list of one's own, the ticket alone. */
export async function ticket(this: Context, flags: TicketFlags, object?: string): Promise<void> {
  const client = await connect(this, flags);
  const isContent = object !== undefined && !object.startsWith('job:');
  const made = await tickets.create(client, { action: isContent ? 'content.read' : 'job.read', object }, { signal: this.signal });
  if (flags.json === true) return printJson(this, made);
  print(this, isContent ? new URL(`/api/v1/content/${encodeURIComponent(object)}?ticket=${made.ticket}`, client.baseUrl).href : made.ticket);
  if (flags.quiet !== true) note(this, `Works once, until ${made.expires_at}.`);
}
