/** Audit events as they are listed and exported. */
import { z } from 'zod';
import { Instant, Ulid } from './identity.ts';

export const AuditEvent = z.strictObject({
  id: Ulid, writer: z.string(), sequence: z.int(), at: Instant, class: z.enum(['A', 'B', 'C']), principal: z.string(), address: z.string(),
  action: z.string(), object: z.string(), decision: z.enum(['allowed', 'refused']), reason: z.string(), count: z.int(), request_id: z.string(),
  previous_hash: z.string(), hash: z.string(),
});
export type AuditEvent = z.infer<typeof AuditEvent>;
export const AuditVerification = z.strictObject({
  intact: z.boolean(), events: z.int(), checkpoints: z.int(), first_bad: z.strictObject({ id: z.string(), writer: z.string(), sequence: z.int(), reason: z.string() }).nullable(),
});
