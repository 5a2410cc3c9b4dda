/** Finds the programs of the system that Weir uses for media, and says what they are able to do. */
import { execFile } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { WeirError } from '@weir/contracts/errors';

export type MediaTools = Readonly<{ ffmpeg: string; ffprobe: string }>;
export type ToolEnvironment = Readonly<Partial<Record<'FFMPEG_PATH' | 'PATH', string>>>;

/** The Debian package that brings each program. */
const packages = { ffmpeg: 'ffmpeg', ffprobe: 'ffmpeg', bwrap: 'bubblewrap', prlimit: 'util-linux' } as const;
export type ToolName = keyof typeof packages;

const run = promisify(execFile);

/**
 * Real paths of ffmpeg and ffprobe: `FFMPEG_PATH` (the ffmpeg program; ffprobe lies beside it), else from `PATH`.
 * Throws `system.missing` with the command that installs them.
 */
export function findMediaTools(environment: ToolEnvironment = process.env): MediaTools {
  const { FFMPEG_PATH: chosen } = environment;
  if (chosen === undefined || chosen === '') return { ffmpeg: requireTool('ffmpeg', environment), ffprobe: requireTool('ffprobe', environment) };
  const [ffmpeg, ffprobe] = [executable(chosen), executable(join(dirname(chosen), 'ffprobe'))];
  if (!ffmpeg || !ffprobe) {
    throw new WeirError('system.missing', `FFMPEG_PATH must name an ffmpeg program with ffprobe beside it; ${ffmpeg ? 'ffprobe' : 'ffmpeg'} is not there.`);
  }
  return { ffmpeg, ffprobe };
}

/** The real path of a program of the system, or `system.missing` with the command that installs it. */
export function requireTool(name: ToolName, environment: ToolEnvironment = process.env): string {
  const path = findTool(name, environment);
  if (path === null) throw new WeirError('system.missing', `${name} is not installed. ${installAdvice(name)}`, { facts: { program: name } });
  return path;
}

export function installAdvice(name: ToolName): string {
  return `Install it with: sudo apt-get install ${packages[name]}`;
}

/** The real path of a program on the absolute folders of `PATH`, or null. */
export function findTool(name: ToolName, environment: ToolEnvironment = process.env): string | null {
  for (const folder of (environment.PATH ?? '').split(delimiter)) {
    const found = isAbsolute(folder) ? executable(join(folder, name)) : null;
    if (found !== null) return found;
  }
  return null;
}

function executable(path: string): string | null {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile() ? realpathSync(path) : null;
  } catch {
    return null; // not there, or not for us: either way no program
  }
}

export type MediaAbilities = Readonly<{ version: string; encoders: readonly string[] }>;

/** Version and encoders of an ffmpeg, for the capabilities of a worker. Runs it twice without any media, so without the jail. */
export async function mediaAbilities(tools: MediaTools): Promise<MediaAbilities> {
  const ask = async (option: string) => (await run(tools.ffmpeg, ['-hide_banner', option], { env: {}, timeout: 20_000, maxBuffer: 2 ** 20 })).stdout;
  const [version, encoders] = await Promise.all([ask('-version'), ask('-encoders')]).catch((cause: unknown) => {
    throw new WeirError('system.missing', `${tools.ffmpeg} does not run. Install it again with: sudo apt-get install --reinstall ffmpeg`, { cause });
  });
  return { version: /^ffmpeg version (\S{1,64})/.exec(version)?.[1] ?? 'unknown', encoders: encoderNames(encoders) };
}

/** Names from the table that `ffmpeg -encoders` prints: six flags, a name, a description. */
export function encoderNames(listing: string): string[] {
  return [...listing.matchAll(/^ [VAS][.A-Z]{5} ([a-z0-9_-]{1,64}) /gim)].flatMap((match) => match[1] ?? []);
}
