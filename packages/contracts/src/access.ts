/** Why somebody may or may not do something, what a principal or a role can do at all, and who may read a content. */
import { z } from 'zod';
import { CidText, Instant, PrincipalId, RoleName } from './identity.ts';
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
