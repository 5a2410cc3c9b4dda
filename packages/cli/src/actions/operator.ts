/** Opens the instance for who can read its data and keys: that is the operator, and each change goes into the audit log as such. */
import { realpathSync } from 'node:fs';
import { appendAudit } from '@weir/data/audit-log';
import type { Tx } from '@weir/data/schema';
import { loadConfig, type Loaded } from '@weir/server/config/load';
import { openInstance, type Instance } from '@weir/server/instance';
import { enterService } from '@weir/server/privileges';
import type { Context, Environment } from '../context.ts';
import type { InstanceFlags } from '../flags.ts';

/** This program and its arguments, to be started again as another user. */
export const thisCommand = (): readonly string[] => [realpathSync(process.argv[1] ?? ''), ...process.argv.slice(2)];

export const loadFor = (flags: InstanceFlags, environment: Environment): Loaded => loadConfig({ file: flags.config, environment });

/** Works beside a running server. As root the command goes on as the user of the service, so that no file becomes root's. */
export async function openForOperator({ environment }: Context, flags: InstanceFlags): Promise<Instance> {
  const { config, file } = loadFor(flags, environment);
  enterService({ config, configFile: file, dataFlag: flags.data, environment, script: thisCommand() });
  return openInstance({ config, dataFlag: flags.data, environment, create: false });
}

/** The entry of a change by the operator, in the transaction of the change. */
export function record(tx: Tx, instance: Instance, action: string, object: string, reason: string): Promise<void> {
  return appendAudit(tx, instance.auditSigner, {
    class: 'A', principal: 'operator', address: '', action, object, decision: 'allowed', reason, requestId: '',
  }, instance.clock());
}
