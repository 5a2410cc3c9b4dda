/** Which jail this machine offers to ffmpeg, found by trying it; `weir doctor` prints the finding. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { WeirError } from '@weir/contracts/errors';
import { findTool, installAdvice, type ToolEnvironment } from '../media-tools.ts';
import { landlockAbiArguments, landlockAbiForCustomArguments } from './landlock.ts';
import { lookLimits } from './limits.ts';
import { outputLines } from './output-lines.ts';
import { spawnJailed } from './spawn.ts';

export type Jail =
  | Readonly<{ grade: 'bubblewrap'; bwrap: string; prlimit: string }>
  | Readonly<{ grade: 'landlock'; abi: number; prlimit: string }>;

/** `reason` says why it is not the best grade (empty when it is); `advice` what to do about it. */
export type JailReport = Readonly<{ jail: Jail | null; grade: Jail['grade'] | 'none'; reason: string; advice: string }>;

const run = promisify(execFile);

/** Tries bubblewrap, then Landlock. About 20 ms where bubblewrap works. */
export async function gradeJail(environment: ToolEnvironment = process.env): Promise<JailReport> {
  const prlimit = findTool('prlimit', environment);
  if (prlimit === null) return { jail: null, grade: 'none', reason: 'prlimit is not installed.', advice: installAdvice('prlimit') };
  const bwrap = findTool('bwrap', environment);
  const problem = bwrap === null
    ? { reason: 'bubblewrap is not installed.', advice: installAdvice('bwrap') }
    : await trial({ grade: 'bubblewrap', bwrap, prlimit });
  if (bwrap !== null && problem === null) return { jail: { grade: 'bubblewrap', bwrap, prlimit }, grade: 'bubblewrap', reason: '', advice: '' };
  return { ...await gradeLandlock(prlimit, problem?.reason ?? ''), advice: problem?.advice ?? '' };
}

async function gradeLandlock(prlimit: string, reason: string): Promise<Omit<JailReport, 'advice'>> {
  const { stdout } = await run(process.execPath, landlockAbiArguments(), { env: {}, timeout: 20_000 });
  const abi = Number(stdout);
  if (!(abi >= 1)) return { jail: null, grade: 'none', reason: `${reason} This kernel has no Landlock either.` };
  const jail = { grade: 'landlock', abi, prlimit } as const;
  const problem = await trial(jail);
  if (problem) return { jail: null, grade: 'none', reason: `${reason} Landlock does not work either: ${problem.reason}` };
  return { jail, grade: 'landlock', reason };
}

/** The jail to use. Throws `system.missing` where there is none, or none strong enough for arguments that a client wrote. */
export function requireJail(report: JailReport, customArguments: boolean): Jail {
  if (report.jail === null) throw new WeirError('system.missing', `No jail for ffmpeg: ${report.reason} ${report.advice}`.trim());
  if (customArguments && report.jail.grade === 'landlock' && report.jail.abi < landlockAbiForCustomArguments) {
    throw new WeirError('system.missing', `Custom ffmpeg arguments need bubblewrap here: ${report.reason} ${report.advice}`.trim());
  }
  return report.jail;
}

/** Runs prlimit, a harmless program, in the jail; null when it works. */
async function trial(jail: Jail): Promise<Readonly<{ reason: string; advice: string }> | null> {
  await using child = spawnJailed(jail, { program: jail.prlimit, argv: ['--version'], inputs: [], outputDirectory: null, limits: lookLimits }, AbortSignal.timeout(20_000));
  child.stdout.resume();
  child.progress.resume();
  const said: string[] = [];
  for await (const line of outputLines(child.stderr, { lineLength: 300, bytesPerSecond: 65_536 })) if (said.length < 3) said.push(line);
  const exit = await child.exited;
  if (exit.code === 0) return null;
  return { reason: `${said.join(' ') || `it ended with ${exit.code ?? `signal ${exit.signal}`}`}.`, advice: namespaceAdvice(said.join(' ')) };
}

function namespaceAdvice(said: string): string {
  if (!/namespace|uid map|Operation not permitted|Permission denied|Unknown option/i.test(said)) return '`weir doctor` after an update of the system may find it working.';
  if (/Unknown option/i.test(said)) return 'bubblewrap 0.8 or later is needed: sudo apt-get install bubblewrap';
  return 'Unprivileged user namespaces are forbidden here. On a host: sudo sysctl -w kernel.unprivileged_userns_clone=1 (Ubuntu: kernel.apparmor_restrict_unprivileged_userns=0). In a container: allow them in its seccomp profile.';
}
