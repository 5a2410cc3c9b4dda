/** One-time tickets for what can send no headers: media elements, event streams, sockets. */
import { TicketReply, type TicketRequest } from '@weir/contracts/tickets';
import type { input } from 'zod';
import { address, call, path, type CallOptions, type Client } from './client.ts';

export const create = (client: Client, request: input<typeof TicketRequest>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/tickets', json: request, reply: TicketReply, ...options });

/** An address that a media element opens once, within 30 seconds, and then goes on with by a cookie of that address. */
export async function contentUrl(client: Client, cid: string, options: CallOptions & Readonly<{ grant?: string | undefined }> = {}): Promise<string> {
  const { grant, ...rest } = options;
  const { ticket } = await create(client, { action: 'content.read', object: cid, grant }, rest);
  return address(client, path`/api/v1/content/${cid}`, { ticket }).href;
}
