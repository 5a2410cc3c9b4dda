/** Real tools, a real jail and private inputs for the tests of what runs in it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vetArguments } from '../src/arguments/vet.ts';
import { gradeJail, type Jail } from '../src/jail/grade.ts';
import { jobLimits, type JobLimits } from '../src/jail/limits.ts';
import { namelessFile, readOnly } from '../src/jail/nameless-file.ts';
import { findMediaTools, requireTool } from '../src/media-tools.ts';
import { runFfmpeg, type FfmpegRun, type RunResult } from '../src/worker/run-ffmpeg.ts';

export const tools = findMediaTools();
export const runs = (count: number): number => Math.max(1, Math.round(count * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));

/** The jail of that grade on this machine; Landlock is reached by hiding bubblewrap. */
export async function jailOf(grade: 'bubblewrap' | 'landlock'): Promise<Jail> {
  if (grade === 'landlock') return { grade, abi: 7, prlimit: requireTool('prlimit') };
  const report = await gradeJail();
  if (report.jail?.grade !== grade) throw new Error(`These tests need ${grade}: ${report.reason} ${report.advice}`);
  return report.jail;
}

/** A directory that everybody may enter, because a job of root runs as nobody. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = mkdtempSync(join(tmpdir(), 'weir-jail-'));
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A short picture with sound at `path`, made by ffmpeg's generators: `seconds` long, index at the end. */
export function makeMedia(path: string, seconds: number, ...more: readonly string[]): void {
  execFileSync(tools.ffmpeg, [
    '-nostdin', '-v', 'error', '-y', '-f', 'lavfi', '-i', `testsrc=s=320x180:r=30:d=${seconds}`, '-f', 'lavfi', '-i', `sine=f=440:r=48000:d=${seconds}`,
    ...(more.length > 0 ? more : ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-ac', '2']), path,
  ]);
}

/** The bytes of a file as the private, nameless input of a job. */
export async function privateInput(directory: string, source: string | Uint8Array): Promise<FileHandle> {
  await using file = await namelessFile(directory);
  await file.writeFile(typeof source === 'string' ? await readFile(source) : source);
  return await readOnly(file);
}

export type Ran = Readonly<{ result: RunResult; log: readonly string[]; progress: readonly [percent: number, moved: number][]; directory: string }>;

/** Vets and runs a list in a fresh output directory below `directory`. */
export async function runList(
  jail: Jail, directory: string, list: Readonly<{ args: readonly string[]; outputs: readonly string[] }>, inputs: readonly FileHandle[], change: Partial<FfmpegRun> & { limit?: Partial<JobLimits> } = {},
): Promise<Ran> {
  const outputDirectory = join(directory, `out-${Math.trunc(performance.now() * 1_000)}`);
  await mkdir(outputDirectory, { mode: 0o700 });
  const log: string[] = [], progress: [number, number][] = [];
  const { limit, ...rest } = change;
  const result = await runFfmpeg({
    jail, ffmpeg: tools.ffmpeg, template: rest.template ?? vetArguments(list.args, { inputs: inputs.map(() => ({})), outputs: list.outputs }),
    inputs: inputs.map((input) => input.fd), outputDirectory, limits: { ...jobLimits, wallMs: 60_000, ...limit }, durationUs: null, signal: new AbortController().signal,
    onProgress: ({ percent }, moved) => progress.push([percent, moved]), onLog: (line) => log.push(line), ...rest,
  });
  return { result, log, progress, directory: outputDirectory };
}
