/** `weir doctor`: what this machine and this configuration are worth, each with a grade and the next step. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { inspectFolder } from '@weir/backends/local';
import { WeirError } from '@weir/contracts/errors';
import { findHolder } from '@weir/data/directory-lock';
import { anywhereSkewSeconds, isRiskySkew } from '@weir/data/security-stores/principals';
import { gradeJail } from '@weir/fleet/jail/grade';
import { findMediaTools, findTool, installAdvice, mediaAbilities } from '@weir/fleet/media-tools';
import { defineRoles } from '@weir/security/roles';
import { auditWarnings } from './audit-warnings.ts';
import { checkBind } from './bind-gate.ts';
import type { Config } from './config/schema.ts';
import { openInstance, type Instance } from './instance.ts';
import { dataDirectory, keyDirectory } from './places.ts';

/** `failed`: something that is needed does not work. `weak`: it works, and could be better. */
export type Grade = 'good' | 'weak' | 'failed';
/** `next_step` is empty when nothing is to be done. */
export type Check = Readonly<{ name: string; grade: Grade; message: string; next_step: string }>;

type Environment = Readonly<Record<string, string | undefined>>;
type Subject = Readonly<{ config: Config; dataFlag: string | undefined; environment: Environment }>;

const oldestNode = [24, 10] as const;
const littleBytes = 1 << 30;
const slowFsyncMs = 100;
const minuteMs = 60_000;

const good = (name: string, message: string): Check => ({ name, grade: 'good', message, next_step: '' });
const weak = (name: string, message: string, nextStep: string): Check => ({ name, grade: 'weak', message, next_step: nextStep });
const failed = (name: string, message: string, nextStep: string): Check => ({ name, grade: 'failed', message, next_step: nextStep });

/** Looks at everything, changes nothing of what it finds; what can't be looked at is a failed check, never an error. */
export async function diagnose(subject: Subject): Promise<readonly Check[]> {
  const { config } = subject;
  return (await Promise.all([
    checked('node', async () => node(process.versions.node)), checked('ffmpeg', async () => ffmpeg(config)), checked('bubblewrap', async () => tool('bubblewrap', 'bwrap', config)),
    checked('prlimit', async () => tool('prlimit', 'prlimit', config)), checked('jail', () => jail(config)), checked('data', () => data(subject)), checked('keys', async () => keys(subject)),
    checked('database', () => database(subject)), checked('network', async () => network(config)), checked('default role', async () => defaultRole(config)),
  ])).flat();
}

async function checked(name: string, check: () => Promise<Check | readonly Check[]>): Promise<readonly Check[]> {
  try {
    return [await check()].flat();
  } catch (error) {
    const sentence = error instanceof Error ? error.message : 'It could not be looked at.';
    return [failed(name, sentence, error instanceof WeirError ? '' : 'Look at the message; WEIR_DEBUG=1 says more.')];
  }
}

function node(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNew = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  return isNew ? good('node', `Node ${version}`) : failed('node', `Node ${version} is too old.`, 'Install Node 24 LTS.');
}

async function ffmpeg({ fleet }: Config): Promise<Check> {
  try {
    const tools = findMediaTools();
    const { version, encoders } = await mediaAbilities(tools);
    return encoders.includes('libx264') ? good('ffmpeg', `ffmpeg ${version}`)
      : weak('ffmpeg', `ffmpeg ${version} has no libx264; the recipes for H.264 do not work.`, 'Install the ffmpeg of the distribution.');
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return (fleet.enabled ? failed : weak)('ffmpeg', 'ffmpeg does not work here, so jobs do not.', error.message);
  }
}

function tool(name: string, program: 'bwrap' | 'prlimit', { fleet }: Config): Check {
  const file = findTool(program);
  if (file !== null) return good(name, file);
  return (fleet.enabled && program === 'prlimit' ? failed : weak)(name, `${program} is not installed.`, installAdvice(program));
}

async function jail({ fleet }: Config): Promise<Check> {
  const { grade, reason, advice } = await gradeJail();
  if (grade === 'bubblewrap') return good('jail', 'bubblewrap: own namespaces, no network, no capability, system calls filtered');
  if (grade === 'landlock') return weak('jail', `Landlock, the weaker jail: ${reason}`, advice);
  return (fleet.enabled ? failed : weak)('jail', `None, so ffmpeg is not run: ${reason}`, advice);
}

async function data({ config, dataFlag, environment }: Subject): Promise<readonly Check[]> {
  const folder = dataDirectory(config, dataFlag, environment);
  if (!existsSync(folder)) return [weak('data', `${folder} is not there yet.`, '`weir up` makes it.')];
  const { mode } = statSync(folder);
  const { writable, freeBytes, kind, fsyncMs } = await inspectFolder(folder);
  const holder = existsSync(path.join(folder, 'lock')) ? await findHolder(folder) : undefined;
  const free = `${Math.floor(freeBytes / 2 ** 30)} GiB free`;
  const use = holder === undefined ? 'no server runs on it' : `process ${holder.pid} serves from it since ${holder.since}`;
  return [
    writable ? good('data', `${folder}: ${use}`) : failed('data', `${folder} can not be written by this user.`, 'Run Weir as the user that the folder belongs to.'),
    (mode & 0o077) === 0 ? good('data mode', 'closed to others') : weak('data mode', `Others can look into ${folder}.`, `Run: chmod 700 ${folder}`),
    disk(free, { freeBytes, kind, fsyncMs }),
  ];
}

function disk(free: string, { freeBytes, kind, fsyncMs }: Readonly<{ freeBytes: number; kind: string; fsyncMs: number | null }>): Check {
  if (kind === 'memory') return weak('disk', `${free}, in memory: everything is lost with the power.`, 'Put the data directory on a disk with --data.');
  if (kind === 'network') return weak('disk', `${free}, on a network file system: locks and flushes are only as good as it is.`, 'Put the data directory on a local disk.');
  if (freeBytes < littleBytes) return weak('disk', `Only ${free}.`, 'Free some space.');
  if (fsyncMs !== null && fsyncMs > slowFsyncMs) return weak('disk', `${free}; a flush takes ${Math.round(fsyncMs)} ms, so each change waits that long.`, 'Use a faster disk for the data directory.');
  return good('disk', `${free}, a flush takes ${(fsyncMs ?? 0).toFixed(1)} ms`);
}

function keys({ config, dataFlag, environment }: Subject): readonly Check[] {
  const folder = keyDirectory(config, environment);
  const inside = path.relative(dataDirectory(config, dataFlag, environment), folder);
  if (!inside.startsWith('..') && !path.isAbsolute(inside)) return [failed('keys', `${folder} lies inside the data directory.`, 'Set [keys] directory to a folder elsewhere.')];
  if (!existsSync(folder)) return [weak('keys', `${folder} is not there yet.`, '`weir up` makes it.')];
  const open = [folder, ...readdirSync(folder).map((name) => path.join(folder, name))].find((file) => (statSync(file).mode & 0o077) !== 0);
  if (open !== undefined) return [failed('keys', `Others can use ${open}.`, `Run: chmod go-rwx ${open}`)];
  return [good('keys', `${folder}: outside the data, closed to others. Keep a copy elsewhere: without it nothing can be opened.`)];
}

async function database(subject: Subject): Promise<readonly Check[]> {
  const { config, dataFlag, environment } = subject;
  if (config.database.url === undefined && !existsSync(path.join(dataDirectory(config, dataFlag, environment), 'weir.db'))) return [weak('database', 'There is none yet.', '`weir up` makes it.')];
  await using instance = await openInstance({ config, dataFlag, environment, create: false });
  const last = await instance.data.read.selectFrom('audit_event').select((row) => row.fn.max('at').as('at')).executeTakeFirst();
  const ahead = Number(last?.at ?? 0) - Date.now();
  return [
    good('database', `${instance.data.engine}, instance ${instance.id}, opens with its master key`),
    ahead > minuteMs ? failed('clock', `The clock is ${Math.round(ahead / 1_000)} s behind what was recorded; tokens and windows are judged wrongly.`, 'Set the clock, and keep it set with chrony or systemd-timesyncd.')
      : good('clock', new Date().toISOString()),
    await skews(instance),
    ...(await auditWarnings(instance.data.read, config.audit, Date.now())).map(({ code, message, next_step: nextStep }) => (code === 'audit.webhook_dead' ? failed : weak)('audit', message, nextStep)),
  ];
}

/** Old peers whose clocks are off get a wider window, which is a window for whoever repeats what they signed. */
async function skews({ data: { read }, config: { server } }: Instance): Promise<Check> {
  const wide = await read.selectFrom('principal').select(['id', 'max_skew_seconds', 'networks']).where('max_skew_seconds', '>', anywhereSkewSeconds)
    .where('disabled', '=', 0).orderBy('id').limit(100).execute();
  if (wide.length === 0) return good('signature times', 'no principal may be more than 30 s off');
  const risky = server.tls || server.behind_proxy ? [] : wide.filter(isRiskySkew);
  const named = (rows: typeof wide): string => rows.map((row) => `${row.id} (${row.max_skew_seconds} s)`).join(', ');
  return risky.length > 0 ? failed('signature times', `Without TLS and from everywhere, a signature is good for long: ${named(risky)}.`, 'Give them networks with `weir admin user set-scope`, or set [server] tls.')
    : weak('signature times', `Signatures may be off by more than 30 s: ${named(wide)}.`, 'Set the clocks of these peers, then: weir admin user set-skew NAME 30');
}

function network(config: Config): readonly Check[] {
  try {
    const warnings = checkBind(config, defineRoles(config.permissions.roles));
    const { address, port, tls } = config.server;
    if (warnings.length === 0) return [good('network', `${tls ? 'HTTPS' : 'HTTP'} on ${address}:${port}`)];
    return warnings.map(({ message, next_step: nextStep }) => weak('network', message, nextStep));
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return [failed('network', error.message, '')];
  }
}

function defaultRole({ permissions }: Config): Check {
  return permissions.default_role === 'none' ? good('default role', 'none: who brings no evidence may do nothing')
    : weak('default role', `Requests without evidence act as "${permissions.default_role}".`, 'Set [permissions] default_role = "none".');
}
