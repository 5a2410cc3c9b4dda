/** What the server is and how it is: its version, its fleet, its warnings, its counts. */
import { z } from 'zod';
import { PrincipalId } from '@weir/contracts/identity';
import { call, type CallOptions, type Client } from './client.ts';

export const Status = z.object({
  version: z.string(),
  instance: z.string(),
  principal: PrincipalId.nullable(),
  fleet: z.object({ available: z.boolean(), reason: z.string().nullable(), workers: z.int() }),
  warnings: z.array(z.object({ code: z.string(), message: z.string(), next_step: z.string() })).max(100),
  counts: z.object({ library: z.int(), jobs_running: z.int(), jobs_queued: z.int(), jobs_failed: z.int() }),
});
export type Status = z.infer<typeof Status>;

export const get = (client: Client, options: CallOptions = {}) => call(client, { path: '/api/v1/status', reply: Status, ...options });
