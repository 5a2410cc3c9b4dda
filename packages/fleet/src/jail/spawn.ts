/** Starts a program in the jail: the only place where Weir lets foreign media near a native program. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, fchmodSync, fchownSync, fstatSync } from 'node:fs';
import { Readable } from 'node:stream';
import { WeirError } from '@weir/contracts/errors';
import { bubblewrapArguments } from './bubblewrap.ts';
import type { Jail } from './grade.ts';
import { landlockArguments } from './landlock.ts';
import type { ProcessLimits } from './limits.ts';
import { seccompFilter } from './seccomp.ts';

export type JailedJob = Readonly<{
  /** The real path of ffmpeg or ffprobe. */
  program: string;
  argv: readonly string[];
  /** Open, unlinked files; the program finds number N under `inputPath(N)`. They stay the caller's to close. */
  inputs: readonly number[];
  /** Writable for the program, and its working directory; null when it writes no files. */
  outputDirectory: string | null;
  limits: ProcessLimits;
}>;

/** How it ended; `signal` is the number of the signal that ended the program itself. */
export type Exit = Readonly<{ code: number | null; signal: number | null }>;

/** All three streams must be read or destroyed, or the process waits for ever. Disposing stops it and waits for its end. */
export type JailedProcess = AsyncDisposable & Readonly<{
  stdout: Readable; stderr: Readable; progress: Readable;
  exited: Promise<Exit>;
  /** SIGTERM to the process group, SIGKILL two seconds later. Outside a jail of namespaces there is only the one process. */
  stop: () => void;
}>;

const killAfterMs = 2_000;
/** Who runs jobs when Weir itself runs as root: nobody. */
const jobUser = { uid: 65_534, gid: 65_534 } as const;

/**
 * Starts a job; `signal` stops it. Throws the signal's reason when it has fired already, `internal` for an input that still has a name
 * (it could be rewritten from inside). `exited` rejects with `system.missing` when nothing could be started.
 */
export function spawnJailed(jail: Jail, job: JailedJob, signal: AbortSignal): JailedProcess {
  signal.throwIfAborted();
  const user = process.geteuid?.() === 0 ? jobUser : null;
  for (const input of job.inputs) sealInput(input, user);
  if (user && job.outputDirectory !== null) chownSync(job.outputDirectory, user.uid, user.gid);
  const [file, args] = commandLine(jail, job);
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', jail.grade === 'bubblewrap' ? 'pipe' : 'ignore', ...job.inputs],
    env: {}, cwd: (jail.grade === 'landlock' ? job.outputDirectory : null) ?? '/', detached: true, ...user,
  });
  const jailed = jailedProcess(child);
  signal.addEventListener('abort', jailed.stop, { once: true });
  void jailed.exited.catch(() => {}).finally(() => signal.removeEventListener('abort', jailed.stop));
  return jailed;
}

function commandLine(jail: Jail, job: JailedJob): [file: string, args: string[]] {
  if (jail.grade === 'bubblewrap') return [jail.bwrap, bubblewrapArguments({ ...job, prlimit: jail.prlimit })];
  return [process.execPath, landlockArguments({ ...job, prlimit: jail.prlimit, inputs: job.inputs.length })];
}

/** A descriptor can be opened anew for writing by who may write the file; nobody may write these any more. */
function sealInput(fd: number, user: typeof jobUser | null): void {
  const stat = fstatSync(fd);
  if (!stat.isFile() || stat.nlink !== 0) throw new WeirError('internal', 'An input of a jailed process must be an unlinked regular file.');
  fchmodSync(fd, 0o400);
  if (user) fchownSync(fd, user.uid, user.gid);
}

function jailedProcess(child: ChildProcess): JailedProcess {
  const [stdout, stderr, progress] = [readable(child, 1), readable(child, 2), readable(child, 3)];
  sendFilter(child);
  let killTimer: NodeJS.Timeout | undefined;
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', (cause) => reject(new WeirError('system.missing', 'The jail could not be started; `weir doctor` says what is missing.', { cause })));
    child.once('close', (code, signal) => resolve(exitOf(code, signal)));
  }).finally(() => clearTimeout(killTimer));
  const stop = () => {
    if (killTimer) return;
    signalGroup(child, 'SIGTERM');
    killTimer = setTimeout(() => signalGroup(child, 'SIGKILL'), killAfterMs);
  };
  return { stdout, stderr, progress, exited, stop, [Symbol.asyncDispose]: () => end(stop, exited, [stdout, stderr, progress]) };
}

async function end(stop: () => void, exited: Promise<Exit>, streams: readonly Readable[]): Promise<void> {
  stop();
  for (const stream of streams) stream.destroy();
  await exited.catch((error: unknown) => {
    if (!(error instanceof WeirError && error.code === 'system.missing')) throw error;
  });
}

function readable(child: ChildProcess, fd: 1 | 2 | 3): Readable {
  const stream = child.stdio[fd];
  if (!(stream instanceof Readable)) throw new WeirError('internal', `Descriptor ${fd} of the jailed process is not a pipe.`);
  return stream;
}

/** bubblewrap reads the filter to its end before it starts the program. It may be gone already, which its exit then tells. */
function sendFilter(child: ChildProcess): void {
  const stream = child.stdio[4];
  if (!stream || !('end' in stream)) return;
  stream.on('error', () => {});
  stream.end(seccompFilter());
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

const signalNumbers: Partial<Record<NodeJS.Signals, number>> =
  { SIGABRT: 6, SIGBUS: 7, SIGFPE: 8, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15, SIGXCPU: 24, SIGXFSZ: 25, SIGSYS: 31 };

/** bubblewrap reports the death of its program by signal N as exit code 128 + N, like a shell. */
function exitOf(code: number | null, signal: NodeJS.Signals | null): Exit {
  if (signal) return { code: null, signal: signalNumbers[signal] ?? 0 };
  return code !== null && code > 128 && code <= 128 + 31 ? { code: null, signal: code - 128 } : { code, signal: null };
}
