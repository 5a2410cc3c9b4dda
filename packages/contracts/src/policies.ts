/** Who may use a holding, and grants: the wire form of the rights model. */
import { z } from 'zod';
import { Cidr, Instant, PermissionName, PrincipalId, RoleName, Ulid } from './identity.ts';

export const PolicyLevel = z.enum(['public', 'protected', 'private', 'encrypted']);
export type PolicyLevel = z.infer<typeof PolicyLevel>;

export const Policy = z.strictObject({
  level: PolicyLevel,
  allowed_users: z.array(PrincipalId).max(1_000).default([]),
  allowed_roles: z.array(RoleName).max(100).default([]),
  required_permissions: z.array(PermissionName).max(50).default([]),
  networks: z.array(Cidr).max(100).default([]),
  valid_from: Instant.optional(),
  valid_until: Instant.optional(),
  max_concurrent_per_principal: z.int().min(1).max(1_000).optional(),
});
export type Policy = z.infer<typeof Policy>;

export const GrantVerb = z.enum(['read']);

/** `expires_in` in seconds, `uses` counts opened readings. */
export const GrantRequest = z.strictObject({
  cid: z.string().max(200).optional(),
  library_id: Ulid.optional(),
  verbs: z.array(GrantVerb).min(1).max(4).default(['read']),
  expires_in: z.int().min(1).max(31_536_000).default(3_600),
  principal: PrincipalId.optional(),
  networks: z.array(Cidr).max(100).default([]),
  uses: z.int().min(1).max(1_000_000).optional(),
}).refine((g) => (g.cid === undefined) !== (g.library_id === undefined), 'name either cid or library_id');

export const GrantReply = z.strictObject({ grant_id: Ulid, token: z.string(), url: z.string(), expires_at: Instant });
export const Grant = z.strictObject({
  grant_id: Ulid, cid: z.string(), verbs: z.array(GrantVerb), issuer: PrincipalId, principal: PrincipalId.nullable(),
  networks: z.array(Cidr), uses_left: z.int().nullable(), expires_at: Instant, revoked: z.boolean(), created_at: Instant,
});
export type Grant = z.infer<typeof Grant>;
