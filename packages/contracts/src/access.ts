/** Why somebody may or may not do something, what a principal or a role can do at all, and who may read a content. */
import { z } from 'zod';
import { CidText, Cidr, Instant, PermissionName, PrincipalId, RoleName } from './identity.ts';
import { PolicyLevel } from './policies.ts';

/** `anonymous` is whoever has no evidence; a role stands for somebody who has it and owns nothing. */
const who = { principal: PrincipalId.optional(), role: RoleName.optional() };
const oneWho = [(asked: { principal?: unknown; role?: unknown }) => (asked.principal === undefined) !== (asked.role === undefined), 'name either a principal or a role'] as const;

/** `object`: a content id, or `job:ID`, `grant:ID`, `token:ID`, `session:ID`, `holding:ID`. Without `address` it is loopback, without `at` now. */
export const ExplainRequest = z.strictObject({
  ...who, action: z.string().regex(/^[a-z_]{1,40}\.[a-z_]{1,40}$/, 'an action is named like content.read'),
  object: CidText.optional(), address: z.union([z.ipv4(), z.ipv6()]).default('127.0.0.1'), at: Instant.optional(),
}).refine(...oneWho);
export type ExplainRequest = z.infer<typeof ExplainRequest>;

/** One clause that was looked at. `about` is whose policy says it, where one does. */
export const ExplainStep = z.strictObject({ clause: z.string(), held: z.boolean(), about: z.string().nullable(), why: z.string() });
/** `code` is the error that the caller would get; `reason` the clause that decided. */
export const Explanation = z.strictObject({ allowed: z.boolean(), code: z.string().nullable(), reason: z.string(), steps: z.array(ExplainStep) });
export type Explanation = z.infer<typeof Explanation>;

export const AbilitiesQuery = z.strictObject(who).refine(...oneWho);
/** `reach`: whose objects the action reaches; `policy`: the policy of the object decides; `leased`: only a job that the worker holds. */
export const Ability = z.strictObject({
  action: z.string(), allowed: z.boolean(), reach: z.enum(['own', 'all', 'policy', 'leased']), permissions: z.array(z.string()), reason: z.string(),
});
export type Ability = z.infer<typeof Ability>;

/** Who may read a holding, apart from its conditions of time and network. */
export const Readers = z.strictObject({
  cid: CidText, owner: PrincipalId, level: PolicyLevel.nullable(),
  everyone: z.boolean(), everyone_signed_in: z.boolean(), users: z.array(PrincipalId), roles: z.array(z.strictObject({ role: RoleName, principals: z.int().min(0) })),
  required_permissions: z.array(z.string()), live_grants: z.int().min(0),
  /** Others whose policies bind it as well, because it was made of what is theirs. */
  bound_by: z.array(PrincipalId),
});
export type Readers = z.infer<typeof Readers>;

/** What a role holds, as the configuration says. `builtin`: no configuration redefines it; `principals`: how many that are not disabled have it. */
export const Role = z.strictObject({
  role: RoleName, builtin: z.boolean(), permissions: z.array(PermissionName), principals: z.int().min(0),
  allowed_samples: z.array(z.string()), allowed_nodes: z.array(z.string()), allowed_plugins: z.array(z.string()), allowed_assets: z.array(z.string()),
});
export type Role = z.infer<typeof Role>;

/**
 * Where the server sees this request come from. `peer`: the other end of the connection, `unix` for the Unix socket; `forwarded_for`: the header
 * as it came; `forwarded_counts`: whether that peer may speak for others.
 */
export const SeenAddress = z.strictObject({
  address: z.string(), peer: z.string(), forwarded_for: z.string().max(2_048).nullable(), forwarded_counts: z.boolean(),
  trusted_proxies: z.array(Cidr), behind_proxy: z.boolean(), tls: z.boolean(), role_header: z.string().nullable(), user_header: z.string().nullable(),
});
export type SeenAddress = z.infer<typeof SeenAddress>;
