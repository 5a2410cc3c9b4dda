/**
 * Weir never serves as root: started as root it prepares its folders, becomes the user `weir` without a single capability, and starts
 * again as that. A program or data below folders closed to that user stay reachable through a private mount namespace.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lchownSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, statSync, type Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeirError } from '@weir/contracts/errors';
import type { Config } from './config/schema.ts';
import { dataDirectory, keyDirectory } from './places.ts';
import { canEnter, canRead, planScreens, screenCommand, type Screen, type User } from './private-mounts.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a start needs to reach. */
export type ServiceStart = Readonly<{
  /** What the service writes: made, or taken over from root when nothing else is in it. */
  folders: readonly Readonly<{ path: string; isOurs: (entry: string) => boolean }>[];
  /** What it only reads, where it is there. */
  files: readonly string[];
  /** Where it finds things, as variables of the new process. */
  variables: Readonly<Record<string, string>>;
  environment: Environment;
  /** The program's own file and its arguments, to be run again. */
  script: readonly string[];
}>;

type ServerPlace = Readonly<{ config: Config; configFile: string | undefined; dataFlag: string | undefined }>;

/** The start of a server, or of a command beside it. */
export function serverStart({ config, configFile, dataFlag }: ServerPlace, environment: Environment, script: readonly string[]): ServiceStart {
  const data = dataDirectory(config, dataFlag, environment);
  const files = [configFile, config.server.cert_path, config.server.key_path].filter((file) => file !== undefined).map((file) => path.resolve(file));
  return {
    folders: [{ path: data, isOurs: isDataName }, { path: keyDirectory(config, environment), isOurs: isKeyName }], files,
    variables: { HOME: data, ...(configFile === undefined ? {} : { WEIR_CONFIG: path.resolve(configFile) }) }, environment, script,
  };
}

/** The start of a worker, whose key and scratch space are in `home`. */
export function workerStart(home: string, files: readonly string[], environment: Environment, script: readonly string[]): ServiceStart {
  return { folders: [{ path: home, isOurs: isWorkerName }], files: files.map((file) => path.resolve(file)), variables: { HOME: home, WEIR_HOME: home }, environment, script };
}

const programRoot = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
const passedOn: ReadonlySet<string> = new Set(['PATH', 'LANG', 'LC_ALL', 'TZ', 'TERM', 'NO_COLOR', 'FFMPEG_PATH', 'npm_lifecycle_event']);
const notPassedOn: ReadonlySet<string> = new Set(['WEIR_TOKEN', 'WEIR_TOKEN_FILE', 'WEIR_KEY_FILE', 'WEIR_PRINCIPAL', 'WEIR_HOME', 'WEIR_USER']);

export const isRoot = (): boolean => process.geteuid?.() === 0;

/**
 * As root: makes the user and the folders that are missing. The user is `weir`, or the one that `WEIR_USER` names.
 * Errors: `system.missing` when a user can't be made, `file.permissions` for folders that are somebody else's.
 */
export function prepareService({ folders, environment }: ServiceStart): void {
  if (!isRoot()) return;
  const name = serviceUserName(environment);
  const user = findUser(name) ?? makeUser(name);
  for (const { path: folder, isOurs } of folders) takeFolder(folder, user, name, isOurs);
}

/**
 * As root: replaces this process by the same command as the service's user; never returns then. Otherwise does nothing.
 * Errors: `system.missing`, `file.permissions` with what to do.
 */
export function enterService({ folders, files, variables, environment, script }: ServiceStart): void {
  if (!isRoot()) return;
  if (environment.WEIR_SERVICE === '1') throw new WeirError('internal', 'The process is still root after it gave root up; unset WEIR_SERVICE.');
  const name = serviceUserName(environment);
  const user = findUser(name);
  if (user === undefined) throw new WeirError('object.absent', 'There is no Weir of this machine yet: `weir up` makes one.');
  const runtime = realpathSync(process.execPath);
  const setpriv = [
    requireProgram('setpriv'), '--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups', '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--',
    runtime, ...process.execArgv, ...script,
  ];
  requireReadable(files, user, name);
  const places = [...folders.map((folder) => folder.path), ...files].filter((place) => existsSync(place));
  const screens = planScreens([programRoot, runtime, ...places].map((place) => realpathSync(place)), user);
  requireReadableProgram(screens, user, name);
  const serviceVariables = serviceEnvironment(environment, variables);
  if (screens.length === 0) return become(setpriv, serviceVariables);
  requireMounts(screens, name);
  const aside = mkdtempSync(path.join(tmpdir(), 'weir-aside-'));
  const shell = ['/bin/sh', ...screenCommand(screens, aside, process.cwd(), setpriv)];
  become([requireProgram('unshare'), '--mount', '--propagation', 'private', '--', ...shell], serviceVariables);
}

/** Minimal: what Weir is configured with, where programs are, how text is written. */
export function serviceEnvironment(environment: Environment, variables: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(environment).flatMap(([name, value]) =>
    (value !== undefined && (passedOn.has(name) || (name.startsWith('WEIR_') && !notPassedOn.has(name))) ? [[name, value] as const] : []));
  return { ...Object.fromEntries(kept), WEIR_SERVICE: '1', WEIR_PARENT: environment.WEIR_PARENT ?? String(process.ppid), ...variables };
}

/** `execve` keeps process id, parent, terminal and standard streams, so signals and exit codes need no middleman. */
function become(command: readonly string[], environment: Record<string, string>): void {
  const [file = ''] = command;
  process.execve?.(file, [...command], environment);
  throw new WeirError('system.missing', 'This system can not replace a process; start Weir as a user of its own instead of root.');
}

function serviceUserName(environment: Environment): string {
  const name = environment.WEIR_USER ?? 'weir';
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(name) || name === 'root') throw new WeirError('config.invalid', `WEIR_USER must name a user of this system that is not root.`);
  return name;
}

/** Whether the service's user was made before. */
export const hasServiceUser = (environment: Environment): boolean => findUser(serviceUserName(environment)) !== undefined;

function findUser(name: string): User | undefined {
  try {
    const id = (option: string): number => Number(execFileSync('id', [option, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 }));
    const user = { uid: id('-u'), gid: id('-g') };
    return user.uid > 0 ? user : undefined;
  } catch {
    return undefined; // `id` fails for exactly this: there is no such user
  }
}

function makeUser(name: string): User {
  const command = ['--system', '--user-group', '--no-create-home', '--home-dir', '/var/lib/weir', '--shell', '/usr/sbin/nologin', name];
  try {
    execFileSync('useradd', command, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
  } catch (cause) {
    throw new WeirError('system.missing', `Weir does not serve as root and could not make the user ${name}. Run: useradd ${command.join(' ')}\nor name a user that exists with WEIR_USER.`, { cause });
  }
  const user = findUser(name);
  if (user === undefined) throw new WeirError('system.missing', `The user ${name} was made but is not found; name another one with WEIR_USER.`);
  return user;
}

const isDataName = (name: string): boolean => /^(weir\.db(-wal|-shm)?|blobs|uploads|jobs|logs|lock(\.json(\.new)?)?|lock-journal|sign-in\.html)$/.test(name);
const isWorkerName = (name: string): boolean => /^\.?(worker-[a-z0-9._-]{1,64}\.json(\.[0-9a-f-]{36})?|scratch-[a-z0-9._-]{1,64})$/.test(name);
const isKeyName = (name: string): boolean => /^\.?weir-[0-9a-f]{10}(\.json|-tls\.(pem|key))(\.[0-9a-f-]{36})?$/.test(name);

/** Makes the folder, or takes over one of root's that is empty or holds only what Weir writes: never a folder with anything else in it. */
function takeFolder(folder: string, user: User, name: string, isOurs: (entry: string) => boolean): void {
  if (!existsSync(folder)) makeParents(path.dirname(folder));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const real = realpathSync(folder);
  const { uid } = statSync(real);
  if (uid === user.uid) return;
  if (uid !== 0) throw new WeirError('file.permissions', `${folder} belongs to user ${uid}. Run Weir as that user, not as root; or choose another folder.`);
  const strange = readdirSync(real).find((entry) => !isOurs(entry));
  if (strange !== undefined) {
    throw new WeirError('file.permissions', `${folder} holds other things ("${strange.slice(0, 64)}"). Choose an empty folder, or hand it over with: chown -R ${name}: ${folder}`);
  }
  for (const entry of readdirSync(real, { recursive: true, encoding: 'utf8' })) lchownSync(path.join(real, entry), user.uid, user.gid);
  lchownSync(real, user.uid, user.gid);
  chmodSync(real, 0o700);
}

/** Whatever root's umask is: the way to a folder of Weir's is open, the folder itself is not. */
function makeParents(folder: string): void {
  if (existsSync(folder)) return;
  makeParents(path.dirname(folder));
  mkdirSync(folder);
  chmodSync(folder, 0o755);
}

function requireReadable(files: readonly string[], user: User, name: string): void {
  const hidden = files.find((file) => existsSync(file) && !canRead(statSync(file), user));
  if (hidden !== undefined) throw new WeirError('file.permissions', `The user ${name} can not read ${hidden}. Run: chown ${name} ${hidden}`);
}

/** A clone made with a strict umask is closed in every folder and file; no mount opens that. */
function requireReadableProgram(screens: readonly Screen[], user: User, name: string): void {
  const samples = ['packages/cli/src/main.ts', 'packages/server/src/privileges.ts', 'node_modules/zod/package.json'].map((file) => path.join(programRoot, file));
  for (const sample of samples.filter((file) => existsSync(file))) {
    const kept = screens.flatMap((screen) => screen.kept).find((folder) => sample.startsWith(`${folder}/`));
    const closed = kept === undefined ? undefined : closedBelow(kept, sample, user);
    if (closed !== undefined || !canRead(statSync(sample), user)) {
      throw new WeirError('file.permissions', `The user ${name} can not read Weir itself (${closed ?? sample}). Run: chmod -R a+rX ${programRoot}\nor run Weir as another user, not as root.`);
    }
  }
}

function closedBelow(kept: string, file: string, user: User): string | undefined {
  for (let folder = path.dirname(file); folder.length >= kept.length; folder = path.dirname(folder)) {
    const stat: Stats = statSync(folder);
    if (!canEnter(stat, user)) return folder;
  }
  return undefined;
}

function requireMounts(screens: readonly Screen[], name: string): void {
  try {
    execFileSync(requireProgram('unshare'), ['--mount', '--propagation', 'private', '--', 'true'], { stdio: 'ignore', timeout: 10_000 });
  } catch (cause) {
    const [first] = screens;
    throw new WeirError('file.permissions', `The user ${name}, which Weir runs as, can not enter ${first?.closed}, and this system allows no mount namespace to get past it. `
      + `Either run: chmod o+x ${screens.map(({ closed }) => closed).join(' ')}\nor put Weir and its data elsewhere (/opt/weir, --data /var/lib/weir).`, { cause });
  }
}

function requireProgram(name: 'setpriv' | 'unshare'): string {
  const file = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'].map((folder) => path.join(folder, name)).find((candidate) => existsSync(candidate));
  if (file === undefined) throw new WeirError('system.missing', `${name} is not installed; Weir needs it to stop being root. Run: apt-get install util-linux`);
  return file;
}
