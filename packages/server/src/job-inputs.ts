/** Whether the submitter of a job may still read one of its inputs: asked at each lease and at each opened input. */
import type { Gatekeeper } from '@weir/security/gatekeeper';
import { admitHolding } from '@weir/security/rights';
import type { Instance } from './instance.ts';
import { objectStore, type StoredHolding } from './object-store.ts';

/**
 * Decides as the submitter, with what its principal may do now. The submitter is not here, so a policy that names networks cannot be
 * asked for its address again; where it submitted from was asked then.
 */
export async function readableByOwnerOfJob(gatekeeper: Gatekeeper<StoredHolding>, { data, clock }: Pick<Instance, 'data' | 'clock'>, owner: string, holdingId: string): Promise<boolean> {
  const record = await gatekeeper.identities.principal(owner);
  if (record === undefined || record.disabled || !record.rights.has('read_content') || !record.rights.has('submit_jobs')) return false;
  const holding = await objectStore(data.read, clock).holding(holdingId);
  if (holding === undefined) return false;
  const anywhere = { contains: () => true };
  const policy = holding.policy && { ...holding.policy, networks: anywhere, maxConcurrentPerPrincipal: Infinity };
  const ceilings = holding.ceilings.map((ceiling) => ({ ...ceiling, policy: ceiling.policy && { ...ceiling.policy, networks: anywhere } }));
  return admitHolding({ ...holding, policy, ceilings }, {
    subject: { principal: owner, authenticated: true, role: record.role, tokenRole: undefined, effective: record.rights, address: '' },
    nowMs: clock(), granted: new Set(), open: 0,
  }).allowed;
}
