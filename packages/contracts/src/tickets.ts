/** One-time tickets: evidence for what can send no headers, such as media elements, event streams and sockets of a browser. */
import { z } from 'zod';
import { CidText, Instant } from './identity.ts';

/** What a ticket can be for: opening something to read. `object`: a content id, or `job:ID`; left out, the list of one's own. */
export const TicketRequest = z.strictObject({
  action: z.enum(['content.read', 'job.read', 'worker.connect']), object: CidText.optional(),
  /** The token of a link, when that is the right to the content. */
  grant: z.string().min(1).max(8_192).optional(),
});
export const TicketReply = z.strictObject({ ticket: z.string(), expires_at: Instant });
