/** Leaves root behind for a command beside the server, so that no file of the database becomes root's. */
import { realpathSync } from 'node:fs';
import { loadConfig, type Loaded } from '@weir/server/config/load';
import { enterService, hasServiceUser, isRoot, serverStart } from '@weir/server/privileges';
import type { Context, Environment } from '../context.ts';
import type { InstanceFlags } from '../flags.ts';

/** This program and its arguments, to be started again as another user. */
export const thisCommand = (): readonly string[] => [realpathSync(process.argv[1] ?? ''), ...process.argv.slice(2)];

export const loadFor = (flags: InstanceFlags, environment: Environment): Loaded => loadConfig({ file: flags.config, environment });

/** Starts the same command again as the service's user when it runs as root, and there is such a user; otherwise does nothing. */
export function enterAsOperator({ environment }: Context, flags: InstanceFlags): void {
  if (!isRoot() || !hasServiceUser(environment)) return;
  const { config, file } = loadFor(flags, environment);
  enterService(serverStart({ config, configFile: file, dataFlag: flags.data }, environment, thisCommand()));
}
