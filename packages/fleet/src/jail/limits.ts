/** What a jailed process may use: limits that the kernel holds, and limits that Weir watches from outside. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Held by the kernel (setrlimit). One process per jail, so `addressSpaceBytes` bounds the memory of the job. */
export type ProcessLimits = Readonly<{
  addressSpaceBytes: number;
  cpuSeconds: number;
  /** The largest single file. */
  fileBytes: number;
  openFiles: number;
  threads: number;
}>;

/** Watched from outside, beside the kernel's. `outputFiles` counts the temporary files of muxers too. */
export type JobLimits = ProcessLimits & Readonly<{
  outputBytes: number;
  outputFiles: number;
  wallMs: number;
  /** Ended when neither the media time nor the size of the outputs has grown for this long. */
  stallMs: number;
}>;

const mebibyte = 2 ** 20, gibibyte = 2 ** 30, hourMs = 3_600_000;

/** For probing and other looks at a file: seconds, little memory, no output. */
export const lookLimits: JobLimits = {
  addressSpaceBytes: 2 * gibibyte, cpuSeconds: 60, fileBytes: mebibyte, openFiles: 64, threads: 128,
  outputBytes: 0, outputFiles: 0, wallMs: 60_000, stallMs: 60_000,
};

/** For a job of a recipe or of custom arguments. */
export const jobLimits: JobLimits = {
  addressSpaceBytes: 6 * gibibyte, cpuSeconds: 48 * 3_600, fileBytes: 64 * gibibyte, openFiles: 256, threads: 512,
  outputBytes: 64 * gibibyte, outputFiles: 32, wallMs: 12 * hourMs, stallMs: 120_000,
};

/**
 * Arguments of prlimit(1). The soft CPU limit comes five seconds before the hard one, so that ffmpeg can say why it stops.
 * No file may grow beyond the bytes allowed for all of them.
 */
export function prlimitArguments(limits: ProcessLimits): string[] {
  return [
    `--as=${limits.addressSpaceBytes}`, `--cpu=${limits.cpuSeconds}:${limits.cpuSeconds + 5}`, `--fsize=${limits.fileBytes}`,
    `--nofile=${limits.openFiles}`, `--nproc=${limits.threads}`, '--core=0', '--memlock=65536', '--msgqueue=0', '--sigpending=256', '--',
  ];
}

export type DirectoryUse = Readonly<{ bytes: number; files: number }>;

/** Size of what lies in an output directory, following nothing. A name that vanishes meanwhile (a muxer's rename) counts nothing. */
export async function directoryUse(directory: string): Promise<DirectoryUse> {
  const names = await readdir(directory);
  const sizes = await Promise.all(names.slice(0, 1_000).map((name) => diskBytes(join(directory, name))));
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), files: names.length };
}

/** The larger of a file's length and its blocks: a sparse file counts as what a reader would get. */
async function diskBytes(path: string): Promise<number> {
  try {
    const stat = await lstat(path);
    return Math.max(stat.size, stat.blocks * 512);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}
