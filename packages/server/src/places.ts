/** Where things lie: the data directory, the master keys (outside it), the client's home. */
import { homedir } from 'node:os';
import path from 'node:path';
import type { Config } from './config/schema.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Started as a service of the machine (root, or the `weir` user that root becomes), Weir lives under /var/lib and /etc. */
const isService = (environment: Environment): boolean => process.getuid?.() === 0 || environment.WEIR_SERVICE === '1';

export function dataDirectory(config: Config, flag: string | undefined, environment: Environment): string {
  const chosen = flag ?? environment.WEIR_DATA ?? config.data.directory;
  if (chosen !== undefined) return path.resolve(chosen);
  return isService(environment) ? '/var/lib/weir' : path.join(environment.XDG_DATA_HOME ?? path.join(homedir(), '.local/share'), 'weir');
}

export function keyDirectory(config: Config, environment: Environment): string {
  if (config.keys.directory !== undefined) return path.resolve(config.keys.directory);
  return isService(environment) ? '/etc/weir/keys' : path.join(environment.XDG_CONFIG_HOME ?? path.join(homedir(), '.config'), 'weir', 'keys');
}

export const clientHome = (environment: Environment): string => path.resolve(environment.WEIR_HOME ?? path.join(homedir(), '.weir'));
