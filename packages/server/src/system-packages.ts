/** ffmpeg and bubblewrap come from the system. When one is missing on a Debian-like system, Weir offers to install it, or says how. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findTool, type ToolName } from '@weir/fleet/media-tools';

export type SystemPackages = Readonly<{
  environment: Readonly<Record<string, string | undefined>>;
  isRoot: boolean;
  /** Asks on the terminal; undefined where nobody could answer. */
  ask: ((question: string) => Promise<boolean>) | undefined;
  say: (line: string) => void;
}>;

/** The Debian package that brings each program. */
const packageOf: Readonly<Record<ToolName, string>> = { ffmpeg: 'ffmpeg', ffprobe: 'ffmpeg', bwrap: 'bubblewrap', prlimit: 'util-linux' };
const installTimeoutMs = 15 * 60_000;

/** Names of the packages that are missing; a program named by `FFMPEG_PATH` is not looked for elsewhere. */
export function missingPackages(environment: SystemPackages['environment']): readonly string[] {
  const chosen = environment.FFMPEG_PATH !== undefined && environment.FFMPEG_PATH !== '';
  const wanted: readonly ToolName[] = chosen ? ['bwrap', 'prlimit'] : ['ffmpeg', 'ffprobe', 'bwrap', 'prlimit'];
  const path = environment.PATH === undefined ? {} : { PATH: environment.PATH };
  return [...new Set(wanted.filter((tool) => findTool(tool, path) === null).map((tool) => packageOf[tool]))];
}

/**
 * Installs what is missing where it may: after a yes on the terminal, or without asking as root without one; never with
 * `WEIR_NO_INSTALL=1`. What stays missing is said with the command to run. Never fails: without
 * bubblewrap alone jobs run in the weaker jail, without the others there is no fleet.
 */
export async function offerSystemPackages(options: SystemPackages): Promise<void> {
  const { environment, isRoot, ask, say } = options;
  const missing = missingPackages(environment);
  if (missing.length === 0) return;
  const names = missing.join(' and ');
  const canInstall = environment.WEIR_NO_INSTALL !== '1' && existsSync('/usr/bin/apt-get') && (isRoot || (ask !== undefined && existsSync('/usr/bin/sudo')));
  const mayInstall = canInstall && (ask === undefined ? isRoot : await ask(`Jobs need ${names}. Install ${missing.length === 1 ? 'it' : 'them'} now with apt?`));
  if (mayInstall && await install(missing, isRoot, say)) return;
  const consequence = missing.length === 1 && missing[0] === 'bubblewrap' ? 'without it they run in a weaker jail, where the kernel has one' : 'Weir starts without the fleet';
  say(`Jobs need ${names}; ${consequence}. To install: ${isRoot ? '' : 'sudo '}apt-get install -y ${missing.join(' ')}`);
}

async function install(packages: readonly string[], isRoot: boolean, say: (line: string) => void): Promise<boolean> {
  say(`Installing ${packages.join(' and ')} with apt …`);
  const apt = [...(isRoot ? [] : ['/usr/bin/sudo', '--']), '/usr/bin/apt-get', '-qq', '-o', 'Dpkg::Use-Pty=0'];
  const attempt = async (): Promise<boolean> => await run([...apt, 'install', '-y', '--no-install-recommends', '--', ...packages]) === 0;
  // The lists may be absent or old; fetching them takes long, so only when it does not work without.
  const done = await attempt() || (await run([...apt, 'update']) === 0 && await attempt());
  say(done ? 'Installed.' : 'apt could not install them; its own message is above.');
  return done;
}

/** What apt prints goes to standard error: standard output carries Weir's own lines only. */
function run([file = '', ...args]: readonly string[]): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['inherit', 2, 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: installTimeoutMs });
    child.once('error', () => resolve(null)); // said by the caller
    child.once('close', (code) => resolve(code));
  });
}
