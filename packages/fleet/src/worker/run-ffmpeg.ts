/** Runs one ffmpeg job in the jail, with its progress, its log and all its limits, and says why it ended. */
import type { Progress } from '@weir/contracts/jobs';
import { WeirError } from '@weir/contracts/errors';
import { renderArguments, type ArgumentTemplate } from '../arguments/template.ts';
import type { Jail } from '../jail/grade.ts';
import { directoryUse, type JobLimits } from '../jail/limits.ts';
import { outputLines } from '../jail/output-lines.ts';
import { spawnJailed, type Exit, type JailedProcess } from '../jail/spawn.ts';
import { ProgressParser, progressOf } from './progress-parser.ts';

/** `ok` is exit code 0 within all limits; the outputs are still to be collected and verified. */
export type RunReason = 'ok' | 'failed' | 'timeout' | 'stalled' | 'output-limit' | 'memory' | 'canceled';
export type RunResult = Readonly<{ reason: RunReason; exitCode: number | null; signal: number | null; lastLines: readonly string[] }>;

export type FfmpegRun = Readonly<{
  jail: Jail;
  /** The real path of ffmpeg. */
  ffmpeg: string;
  template: ArgumentTemplate;
  /** Descriptors of open, unlinked files in the order of `{in:N}`; the caller closes them. */
  inputs: readonly number[];
  /** An empty directory of this attempt alone, with mode 0700. */
  outputDirectory: string;
  limits: JobLimits;
  /** The length that the outputs will have, for percent and remaining time. */
  durationUs: number | null;
  signal: AbortSignal;
  /** `moved` only ever rises, and rises only when work was done: encoded microseconds plus bytes written. */
  onProgress: (progress: Progress, moved: number) => void;
  onLog: (line: string) => void;
}>;

const watchEveryMs = 100, keptLines = 20, maxLogLinesPerSecond = 100;
const logBounds = { lineLength: 1_000, bytesPerSecond: 4 * 2 ** 20 } as const;
const progressBounds = { lineLength: 256, bytesPerSecond: 2 ** 20 } as const;

/**
 * Runs ffmpeg to its end. Throws `system.missing` when the jail itself could not start and `storage.failed` when the output directory
 * can't be read; every other end is a result.
 * When it returns, no process of the job is left.
 */
export async function runFfmpeg(run: FfmpegRun): Promise<RunResult> {
  if (run.signal.aborted) return { reason: 'canceled', exitCode: null, signal: null, lastLines: [] };
  const argv = renderArguments(run.template);
  const limits = { ...run.limits, fileBytes: Math.min(run.limits.fileBytes, run.limits.outputBytes) };
  await using child = spawnJailed(run.jail, { program: run.ffmpeg, argv, inputs: run.inputs, outputDirectory: run.outputDirectory, limits }, run.signal);
  child.stdout.resume();
  const work: Work = { outTimeUs: 0, bytes: 0, movedAt: performance.now() };
  using watch = watchJob(child, run, work);
  const [lastLines, , exit] = await Promise.all([readLog(child, run.onLog), readProgress(child, run, work), child.exited]);
  if (watch.failure !== null) throw watch.failure;
  const reason = watch.reason ?? (run.signal.aborted ? 'canceled' : await reasonOf(exit, lastLines, run));
  if (reason === 'failed') assertJailStarted(lastLines);
  return { reason, exitCode: exit.code, signal: exit.signal, lastLines };
}

/** What the job has done so far, and when it last did something. */
type Work = { outTimeUs: number; bytes: number; movedAt: number };

function moved(work: Work, change: Partial<Work>): void {
  if ((change.outTimeUs ?? 0) <= work.outTimeUs && (change.bytes ?? 0) <= work.bytes) return;
  work.outTimeUs = Math.max(work.outTimeUs, change.outTimeUs ?? 0);
  work.bytes = Math.max(work.bytes, change.bytes ?? 0);
  work.movedAt = performance.now();
}

/** Why the job was stopped, when it was; `failure` is an error of the watching itself. */
type Watch = Disposable & { reason: RunReason | null; failure: WeirError | null };

/** Stops the job when a limit is reached, and remembers which it was. */
function watchJob(child: JailedProcess, run: FfmpegRun, work: Work): Watch {
  const startedAt = performance.now();
  let looking = false;
  const stop = (reason: RunReason) => { watch.reason ??= reason; child.stop(); };
  const look = async () => {
    looking = true;
    const { bytes, files } = await directoryUse(run.outputDirectory);
    moved(work, { bytes });
    const now = performance.now();
    if (bytes > run.limits.outputBytes || files > run.limits.outputFiles) stop('output-limit');
    else if (now - startedAt > run.limits.wallMs) stop('timeout');
    else if (now - work.movedAt > run.limits.stallMs) stop('stalled');
    looking = false;
  };
  const timer = setInterval(() => {
    if (looking) return;
    look().catch((cause: unknown) => {
      watch.failure = new WeirError('storage.failed', 'The output directory of a job can not be read; it was stopped.', { cause });
      stop('failed');
    });
  }, watchEveryMs);
  const watch: Watch = {
    reason: null, failure: null,
    [Symbol.dispose]: () => clearInterval(timer),
  };
  return watch;
}

/** Hands on the log, at most so many lines a second, and keeps its end. */
async function readLog(child: JailedProcess, onLog: (line: string) => void): Promise<string[]> {
  const last: string[] = [];
  let secondEnds = 0, lines = 0, leftOut = 0;
  for await (const line of outputLines(child.stderr, logBounds)) {
    last.push(line);
    if (last.length > keptLines) last.shift();
    const now = performance.now();
    if (now >= secondEnds) {
      if (leftOut > 0) onLog(`(${leftOut} lines left out)`);
      [secondEnds, lines, leftOut] = [now + 1_000, 0, 0];
    }
    lines += 1;
    if (lines <= maxLogLinesPerSecond) onLog(line);
    else leftOut += 1;
  }
  if (leftOut > 0) onLog(`(${leftOut} lines left out)`);
  return last;
}

async function readProgress(child: JailedProcess, run: FfmpegRun, work: Work): Promise<void> {
  const parser = new ProgressParser();
  for await (const line of outputLines(child.progress, progressBounds)) {
    const block = parser.read(line);
    if (block === null) continue;
    moved(work, { outTimeUs: block.outTimeUs });
    run.onProgress(progressOf(block, run.durationUs), work.outTimeUs + work.bytes);
  }
}

const fileTooLarge = 25, cpuLimit = 24, killed = 9, aborted = 6;

/** Why it ended when nobody stopped it. Code 0 with too much output is no success: the last look may have missed the end. */
async function reasonOf(exit: Exit, lastLines: readonly string[], run: FfmpegRun): Promise<RunReason> {
  if (exit.code === 0) {
    const { bytes, files } = await directoryUse(run.outputDirectory);
    return bytes > run.limits.outputBytes || files > run.limits.outputFiles ? 'output-limit' : 'ok';
  }
  const said = lastLines.join('\n');
  if (exit.signal === fileTooLarge || /File too large/.test(said)) return 'output-limit';
  if (exit.signal === cpuLimit || /received signal 24/.test(said)) return 'timeout';
  if (exit.signal === killed || exit.signal === aborted || /Cannot allocate memory|malloc of size \d+ failed|bad_alloc/i.test(said)) return 'memory';
  return 'failed';
}

/** A jail that does not start is a fault of this machine, not of the job. */
function assertJailStarted(lastLines: readonly string[]): void {
  const line = lastLines.find((text) => /^(bwrap|landlock|prlimit): /.test(text));
  if (line !== undefined) throw new WeirError('system.missing', `The jail did not start: ${line}. Run \`weir doctor\` on this worker.`);
}
