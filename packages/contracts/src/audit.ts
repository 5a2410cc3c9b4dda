/** Audit events as they are listed, exported, sent to webhooks and verified. */
import { z } from 'zod';
import { Instant, ListQuery, Ulid } from './identity.ts';

const text = (most: number) => z.string().max(most);
const Hash = z.string().regex(/^[0-9a-f]{64}$/, 'a hash has 64 hex digits');
const Writer = text(64);
const Sequence = z.int().min(0);

export const AuditEvent = z.strictObject({
  id: Ulid, writer: Writer, sequence: Sequence, at: Instant, class: z.enum(['A', 'B', 'C']), principal: text(200), address: text(200),
  action: text(200), object: text(1_000), decision: z.enum(['allowed', 'refused']), reason: text(2_000), count: z.int().min(1), request_id: text(200),
  previous_hash: Hash, hash: Hash,
});
export type AuditEvent = z.infer<typeof AuditEvent>;

/** Filters of a search. `action` and `object` may end in `*`: then what begins like that. `address` likewise. `text` is looked for in object, reason and principal. */
export const AuditSearch = z.strictObject({
  ...ListQuery,
  principal: text(64).optional(), action: text(64).optional(), object: text(256).optional(), address: text(64).optional(),
  decision: z.enum(['allowed', 'refused']).optional(), class: z.enum(['A', 'B', 'C']).optional(),
  from: Instant.optional(), to: Instant.optional(), text: z.string().min(1).max(100).optional(),
});
export type AuditSearch = z.infer<typeof AuditSearch>;

/** A signed head of one writer's chain. */
export const AuditCheckpoint = z.strictObject({
  writer: Writer, sequence: Sequence, hash: Hash, at: Instant, key_id: text(128), signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/, 'an Ed25519 signature in base64url'),
});
export type AuditCheckpoint = z.infer<typeof AuditCheckpoint>;

/** An Ed25519 public key, raw, in base64url. */
export const AuditKey = z.strictObject({ id: text(128), public_key: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'an Ed25519 public key in base64url') });
export type AuditKey = z.infer<typeof AuditKey>;

export const auditExportFormat = 'weir-audit-export/1';

/**
 * The lines of an export that are no events. The first says whose it is and where each chain begins; the checkpoints of a writer
 * come before its events; the last says where each chain ends.
 */
export const AuditExportNote = z.union([
  z.strictObject({ export: z.strictObject({
    format: z.literal(auditExportFormat), instance: text(64), at: Instant, keys: z.array(AuditKey).max(1_000), cuts: z.array(AuditCheckpoint).max(100_000),
  }) }),
  z.strictObject({ checkpoint: AuditCheckpoint }),
  z.strictObject({ end: z.strictObject({ events: z.int(), heads: z.array(AuditCheckpoint).max(100_000), keys: z.array(AuditKey).max(1_000) }) }),
]);
export type AuditExportNote = z.infer<typeof AuditExportNote>;

export const AuditFlaw = z.strictObject({
  kind: z.enum(['changed', 'removed', 'inserted', 'reordered', 'truncated', 'rewritten', 'unsigned', 'differs']),
  writer: z.string(), sequence: z.int(), id: z.string().nullable(), reason: z.string(),
});

/** `begins_after`: chains whose oldest events were removed on purpose, up to that sequence, with a signature. `keys`: what the checkpoints are signed with. */
export const AuditVerification = z.strictObject({
  intact: z.boolean(), events: z.int(), checkpoints: z.int(), first_bad: AuditFlaw.nullable(),
  begins_after: z.array(z.strictObject({ writer: z.string(), sequence: z.int(), at: Instant })), keys: z.array(AuditKey),
});
export type AuditVerification = z.infer<typeof AuditVerification>;

/** What a webhook receives, signed. `event.id` is its idempotency key: a repetition carries the same. */
export const AuditDelivery = z.strictObject({ instance: z.string(), event: AuditEvent });
export type AuditDelivery = z.infer<typeof AuditDelivery>;
