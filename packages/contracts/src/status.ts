/** What is running and what needs attention, for the first page. */
import { z } from 'zod';
import { PrincipalId } from './identity.ts';

export const Warning = z.strictObject({ code: z.string(), message: z.string(), next_step: z.string() });
export const Status = z.strictObject({
  version: z.string(), instance: z.string(), principal: PrincipalId,
  fleet: z.strictObject({ available: z.boolean(), reason: z.string().nullable(), workers: z.int() }),
  /** Empty for callers who do not manage the server. */
  warnings: z.array(Warning),
  /** The caller's own. */
  counts: z.strictObject({ library: z.int(), jobs_running: z.int(), jobs_queued: z.int(), jobs_failed: z.int() }),
});
export const Health = z.strictObject({ status: z.literal('ok') });
