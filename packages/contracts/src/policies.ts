/** Who may use a holding, and grants: the wire form of the rights model. */
import { z } from 'zod';
import { CidText, Cidr, Instant, PermissionName, PrincipalId, RoleName, Ulid } from './identity.ts';

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

/** A policy with its version, which counts its changes; null means that only the owner may use the holding. */
export const PolicyState = z.strictObject({ policy: Policy.nullable(), version: z.int().min(0) });

/** One change: what the policy was and became, and whose doing it was. */
export const PolicyChange = z.strictObject({ version: z.int().min(1), at: Instant, principal: PrincipalId, before: Policy.nullable(), after: Policy.nullable() });
export type PolicyChange = z.infer<typeof PolicyChange>;

/** Back to what the policy was after the change `version`; 0 is what it began with. */
export const PolicyRevert = z.strictObject({ version: z.int().min(0).max(2 ** 31) });

/** Holdings of the caller: all that meet every condition named. `renditions_of`: made by jobs from this content, or from what was made of it. */
export const LibraryFilter = z.strictObject({
  renditions_of: CidText.optional(),
  /** Null: those without a policy. */
  level: PolicyLevel.nullable().optional(),
  /** The first part of a media type, or a whole one: `video`, `video/mp4`. */
  content_type: z.string().regex(/^[a-z]{1,32}(\/[a-z0-9.+-]{1,64})?$/).optional(),
}).refine((filter) => Object.values(filter).some((condition) => condition !== undefined), 'name at least one condition');
export type LibraryFilter = z.infer<typeof LibraryFilter>;

/** One policy for many holdings: all of them or none. */
export const PolicyBulk = z.strictObject({
  cids: z.array(CidText).min(1).max(1_000).optional(), filter: LibraryFilter.optional(), policy: Policy.nullable(),
}).refine((bulk) => (bulk.cids === undefined) !== (bulk.filter === undefined), 'name either cids or a filter');
export type PolicyBulk = z.infer<typeof PolicyBulk>;
export const PolicyBulkReply = z.strictObject({ items: z.array(z.strictObject({ cid: CidText, version: z.int().min(0) })) });

export const GrantVerb = z.enum(['read']);

const Lifetime = z.int().min(1).max(31_536_000);
const Uses = z.int().min(1).max(1_000_000);

/** `expires_in` in seconds from `valid_from`, which is now when it is left out; `uses` counts opened readings. */
export const GrantRequest = z.strictObject({
  cid: CidText.optional(),
  library_id: Ulid.optional(),
  verbs: z.array(GrantVerb).min(1).max(4).default(['read']),
  valid_from: Instant.optional(),
  expires_in: Lifetime.default(3_600),
  principal: PrincipalId.optional(),
  networks: z.array(Cidr).max(100).default([]),
  uses: Uses.optional(),
}).refine((g) => (g.cid === undefined) !== (g.library_id === undefined), 'name either cid or library_id');

/** A grant made of the one whose token is given; what is left out stays as it is there, and nothing can be more than there. */
export const GrantNarrowing = z.strictObject({
  grant: z.string().min(1).max(8_192),
  verbs: z.array(GrantVerb).min(1).max(4).optional(),
  valid_from: Instant.optional(),
  expires_in: Lifetime.optional(),
  principal: PrincipalId.optional(),
  networks: z.array(Cidr).min(1).max(100).optional(),
  uses: Uses.optional(),
});
export type GrantNarrowing = z.infer<typeof GrantNarrowing>;

export const GrantState = z.enum(['live', 'expired', 'revoked', 'used_up']);
export type GrantState = z.infer<typeof GrantState>;

export const GrantReply = z.strictObject({ grant_id: Ulid, token: z.string(), url: z.string(), expires_at: Instant });
export const Grant = z.strictObject({
  grant_id: Ulid, cid: z.string(), verbs: z.array(GrantVerb), issuer: PrincipalId, principal: PrincipalId.nullable(),
  networks: z.array(Cidr), uses_left: z.int().nullable(), valid_from: Instant, expires_at: Instant, state: GrantState, created_at: Instant,
  /** The grant that it was narrowed from. */
  parent: Ulid.nullable(),
});
export type Grant = z.infer<typeof Grant>;
export const GrantsRevoked = z.strictObject({ revoked: z.int().min(0) });
