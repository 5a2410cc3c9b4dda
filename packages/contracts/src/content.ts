/** Uploaded bytes and their names in the library. */
import { z } from 'zod';
import { CidText, Instant, PrincipalId, Ulid } from './identity.ts';
import { PolicyLevel } from './policies.ts';

export const Content = z.strictObject({
  cid: CidText, size: z.int().min(0), content_type: z.string(), profile: z.literal('unixfs-v1-2025'),
  encrypted: z.boolean(), created_at: Instant,
});
export type Content = z.infer<typeof Content>;

/** One asset of the library: a named holding of the caller, or one that a policy lets the caller see. */
export const LibraryItem = z.strictObject({
  library_id: Ulid, cid: CidText, title: z.string(), size: z.int().min(0), content_type: z.string(), owner: PrincipalId,
  encrypted: z.boolean(), level: PolicyLevel.nullable(), origin: z.string().nullable(), created_at: Instant,
});
export type LibraryItem = z.infer<typeof LibraryItem>;

export const LibraryChange = z.strictObject({ title: z.string().min(1).max(200) });
