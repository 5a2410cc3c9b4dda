/** Opens the instance for who can read its data and keys: that is the operator, and each change goes into the audit log as such. */
import { appendAudit } from '@weir/data/audit-log';
import type { Tx } from '@weir/data/schema';
import { openInstance, type Instance } from '@weir/server/instance';
import type { Context } from '../context.ts';
import type { InstanceFlags } from '../flags.ts';
import { loadFor } from './enter.ts';

/** Works beside a running server. */
export function openForOperator({ environment }: Context, flags: InstanceFlags): Promise<Instance> {
  return openInstance({ config: loadFor(flags, environment).config, dataFlag: flags.data, environment, create: false });
}

/** The entry of a change by the operator, in the transaction of the change. */
export function record(tx: Tx, instance: Instance, action: string, object: string, reason: string): Promise<void> {
  return appendAudit(tx, instance.auditSigner, {
    class: 'A', principal: 'operator', address: '', action, object, decision: 'allowed', reason, requestId: '',
  }, instance.clock());
}
