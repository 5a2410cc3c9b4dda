/** Policies between their wire form and the rights model, and what outputs inherit from inputs. */
import { Policy } from '@weir/contracts/policies';
import { z } from 'zod';
import { compileNetworks, everywhere } from './networks.ts';
import type { AccessPolicy, Ceiling } from './rights.ts';

export function compilePolicy(policy: Policy): AccessPolicy {
  return {
    level: policy.level,
    allowedUsers: new Set(policy.allowed_users),
    allowedRoles: new Set(policy.allowed_roles),
    requiredPermissions: policy.required_permissions,
    networks: policy.networks.length === 0 ? everywhere : compileNetworks(policy.networks),
    validFromMs: policy.valid_from === undefined ? 0 : Date.parse(policy.valid_from),
    validUntilMs: policy.valid_until === undefined ? Infinity : Date.parse(policy.valid_until),
    maxConcurrentPerPrincipal: policy.max_concurrent_per_principal ?? Infinity,
  };
}

/** Reads the stored JSON of a policy; null stays "no policy". */
export const readPolicy = (stored: string | null): Policy | undefined => (stored === null ? undefined : Policy.parse(JSON.parse(stored)));

const StoredCeilings = z.array(z.strictObject({ owner: z.string(), policy: Policy.nullable() })).max(64);
export type StoredCeiling = z.infer<typeof StoredCeilings>[number];

export function compileCeilings(stored: string): readonly Ceiling[] {
  if (stored === '[]') return [];
  return StoredCeilings.parse(JSON.parse(stored)).map(({ owner, policy }) => ({ owner, policy: policy === null ? undefined : compilePolicy(policy) }));
}

/** An input of a job: whose holding it is, and what its policy and ceilings say (as stored). */
export type InheritedFrom = Readonly<{ owner: string; policy: string | null; ceilings: string }>;

/**
 * What outputs made from these inputs start with. The submitter's own inputs hand on their policy (several different ones: owner only);
 * others' inputs become ceilings, which the submitter cannot lift.
 */
export function inheritPolicy(submitter: string, inputs: readonly InheritedFrom[]): { policy: string | null; ceilings: string } {
  const own = inputs.filter((input) => input.owner === submitter);
  const policies = new Set(own.map((input) => input.policy));
  const policy = own.length === inputs.length && policies.size === 1 ? (own[0]?.policy ?? null) : null;
  const ceilings = inputs.flatMap((input): StoredCeiling[] => [
    ...StoredCeilings.parse(JSON.parse(input.ceilings)),
    ...(input.owner === submitter ? [] : [{ owner: input.owner, policy: readPolicy(input.policy) ?? null }]),
  ]);
  const distinct = [...new Map(ceilings.map((ceiling) => [JSON.stringify(ceiling), ceiling])).values()];
  return { policy, ceilings: JSON.stringify(StoredCeilings.parse(distinct)) };
}
