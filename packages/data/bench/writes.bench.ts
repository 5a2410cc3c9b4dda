/** What group commit is worth, and what the layers above SQLite cost: rows per second as ratios, measured in turns. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openData, type Data } from '../src/data.ts';
import { migrate } from '../src/migrate.ts';

/** `ratio`: how many times as fast as `baseline` (median of the rounds); `spread`: highest over lowest ratio of the rounds. */
export interface Row {
  readonly name: string;
  readonly baseline: string;
  readonly ratio: number;
  readonly spread: number;
  readonly detail: string;
}

const ROUNDS = 7;
const GROUP = 200;
const GROUPED_ROWS = 4_000;
const SINGLE_ROWS = 200;

const insert = 'insert into meta (key, value) values (?, ?)';
let next = 0;
const fresh = (): string => `k${next += 1}`;

export async function run(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  try {
    await using data = await openData({ directory: folder });
    await migrate(data);
    using raw = new DatabaseSync(join(folder, 'weir.db'), { timeout: 5_000 });
    raw.exec('pragma synchronous = full');
    return await measure(data, raw);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(data: Data, raw: DatabaseSync): Promise<Row[]> {
  const rounds: { rawSingle: number; rawGroup: number; single: number; group: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.push({
      rawSingle: await rowsPerSecond(SINGLE_ROWS, async () => rawCommits(raw, SINGLE_ROWS, 1)),
      single: await rowsPerSecond(SINGLE_ROWS, () => oneByOne(data, SINGLE_ROWS)),
      rawGroup: await rowsPerSecond(GROUPED_ROWS, async () => rawCommits(raw, GROUPED_ROWS / GROUP, GROUP)),
      group: await rowsPerSecond(GROUPED_ROWS, () => together(data, GROUPED_ROWS)),
    });
  }
  return [
    row('group commit', 'one change at a time', rounds.map(({ group, single }) => group / single), median(rounds.map(({ group }) => group))),
    row('group commit', 'raw SQL in transactions of 200 rows', rounds.map(({ group, rawGroup }) => group / rawGroup), median(rounds.map(({ rawGroup }) => rawGroup))),
    row('one change at a time', 'raw SQL, a commit for each row', rounds.map(({ single, rawSingle }) => single / rawSingle), median(rounds.map(({ rawSingle }) => rawSingle))),
  ];
}

async function rowsPerSecond(count: number, work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return count / (performance.now() - started) * 1_000;
}

function rawCommits(raw: DatabaseSync, commits: number, rowsEach: number): void {
  const statement = raw.prepare(insert);
  for (let commit = 0; commit < commits; commit += 1) {
    raw.exec('begin immediate');
    for (let index = 0; index < rowsEach; index += 1) statement.run(fresh(), '');
    raw.exec('commit');
  }
}

const write = (data: Data): Promise<void> =>
  data.write(async (tx) => { await tx.insertInto('meta').values({ key: fresh(), value: '' }).execute(); });

async function oneByOne(data: Data, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await write(data);
}

async function together(data: Data, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => write(data)));
}

function row(name: string, baseline: string, ratios: readonly number[], rate: number): Row {
  const detail = name === 'group commit' && baseline.startsWith('one') ? `${Math.round(rate)} rows/s` : `baseline ${Math.round(rate)} rows/s`;
  return { name, baseline, ratio: median(ratios), spread: Math.max(...ratios) / Math.min(...ratios), detail };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
