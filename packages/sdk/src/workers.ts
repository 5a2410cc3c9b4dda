/** The machines that run jobs. */
import { Instant, PrincipalId, page } from '@weir/contracts/identity';
import { z } from 'zod';
import { call, type Client, type ListOptions } from './client.ts';

export const Worker = z.object({
  worker: PrincipalId, connected: z.boolean(), slots: z.int(), running: z.int(), draining: z.boolean(), quarantined: z.boolean(),
  capabilities: z.unknown(), labels: z.record(z.string(), z.string()), last_seen_at: Instant.nullable(),
});
export type Worker = z.infer<typeof Worker>;
const Workers = page(Worker);

export const list = (client: Client, { cursor, limit, signal }: ListOptions = {}) =>
  call(client, { path: '/api/v1/workers', query: { cursor, limit }, reply: Workers, signal });
