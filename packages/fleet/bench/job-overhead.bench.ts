/** What the jail costs: starting an ffmpeg that does nothing, plainly and in each jail of this machine, in turns. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { gradeJail, type Jail } from '../src/jail/grade.ts';
import { jobLimits } from '../src/jail/limits.ts';
import { spawnJailed } from '../src/jail/spawn.ts';
import { findMediaTools, requireTool } from '../src/media-tools.ts';

/** `ratio`: median time of the baseline over that of the jail, so 1 is no cost; `spread`: the lowest and highest of a single round. */
export type Row = Readonly<{ name: string; baseline: string; ratio: number; spread: readonly [number, number]; detail: string }>;

const rounds = 25;
const execute = promisify(execFile);

export async function run(): Promise<Row[]> {
  const { ffmpeg } = findMediaTools();
  const jails = await availableJails();
  const plain: number[] = [], jailed = jails.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    plain.push(await timed(() => execute(ffmpeg, ['-version'], { env: {} })));
    for (const [index, jail] of jails.entries()) jailed[index]?.push(await timed(() => runJailed(jail, ffmpeg)));
  }
  return jails.map((jail, index) => rowOf(jail.grade, plain, jailed[index] ?? []));
}

async function availableJails(): Promise<Jail[]> {
  const { jail } = await gradeJail();
  const landlock = { grade: 'landlock', abi: 1, prlimit: requireTool('prlimit') } as const;
  return jail === null ? [] : jail.grade === 'landlock' ? [jail] : [jail, landlock];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function runJailed(jail: Jail, ffmpeg: string): Promise<void> {
  await using child = spawnJailed(jail, { program: ffmpeg, argv: ['-version'], inputs: [], outputDirectory: null, limits: jobLimits }, AbortSignal.timeout(60_000));
  for (const stream of [child.stdout, child.stderr, child.progress]) stream.resume();
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`The ${jail.grade} jail ended with ${code}.`);
}

function rowOf(grade: string, plain: readonly number[], jailed: readonly number[]): Row {
  const ratios = jailed.map((time, round) => (plain[round] ?? Number.NaN) / time);
  return {
    name: `start of a job that does nothing, ${grade}`, baseline: 'ffmpeg -version without a jail', ratio: rounded(median(plain) / median(jailed)),
    spread: [rounded(Math.min(...ratios)), rounded(Math.max(...ratios))],
    detail: `${median(plain).toFixed(1)} ms plain, ${median(jailed).toFixed(1)} ms jailed, ${rounds} rounds in turns`,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.trunc(values.length / 2)] ?? Number.NaN;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
