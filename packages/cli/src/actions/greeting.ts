/** What `weir up` says to a person: the way in, where things are, what to mind, what to try. */
import type { Config } from '@weir/server/config/schema';
import { keyDirectory } from '@weir/server/places';
import type { RunningServer } from '@weir/server/serve';
import type { Environment } from '../context.ts';

type Started = Pick<RunningServer, 'url' | 'dataPath' | 'signInLink' | 'warnings' | 'fleetProblem'>;

export function greeting(server: Started, config: Config, environment: Environment): string {
  const weir = environment['npm_lifecycle_event'] === undefined ? 'weir' : 'npx weir';
  const signIn = server.signInLink ?? `${weir} admin user link NAME   makes a sign-in link`;
  const dataFlag = environment['WEIR_DATA'] === undefined ? '' : ` (WEIR_DATA=${server.dataPath} for the commands below)`;
  return [
    '',
    `  Sign in    ${signIn}`,
    ...(server.signInLink === undefined ? [] : ['             works once, for ten minutes; `' + weir + ' admin user link admin` makes another']),
    `  Data       ${server.dataPath}${dataFlag}`,
    `  Keys       ${keyDirectory(config, environment)}   keep a copy elsewhere: without it the data can not be opened`,
    '  Stop       Ctrl-C',
    '',
    ...cautions(server, config).map((line) => `  ! ${line}`),
    '',
    '  Next',
    `    ${weir} upload FILE                                   store a file`,
    `    ${weir} job submit mp4-h264 --input FILE --wait       transcode one`,
    `    ${weir} admin user add alice --role user              let somebody else in`,
    '',
  ].join('\n');
}

function cautions({ warnings, fleetProblem }: Started, { server, fleet }: Config): string[] {
  const isLocal = /^(127\.|::1$)/.test(server.address);
  return [
    ...(isLocal && !server.behind_proxy ? ['Only this machine reaches it, and it speaks plain HTTP: before you open it to a network, set [server] tls = true (or a reverse proxy). `weir doctor` checks.'] : []),
    ...(fleet.enabled && fleetProblem !== undefined && !warnings.some(({ code }) => code === 'fleet.missing') ? [`Jobs are off: ${fleetProblem}`] : []),
    ...warnings.map(({ message, next_step: nextStep }) => `${message} ${nextStep}`),
  ];
}
