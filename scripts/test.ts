/**
 * `npm test`: installs what the layers need, builds the web page, runs every test, prints each layer's count, and ends with the line
 * `tests: N passed, N failed, N skipped`. `--all` runs the long loops at full scale (`WEIR_TEST_SCALE=1`); other words name the files to run.
 */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JsonTestResults } from 'vitest/node';
import { buildWebPage } from '../packages/server/src/web-build.ts';
import { installSystemPackages } from './system-packages.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Started by this Node: its own first line would find whichever Node the host has. */
const vitest = path.join(root, 'node_modules/.bin/vitest');
const words = process.argv.slice(2);
const all = words.includes('--all');
const inCi = process.env['CI'] === 'true';
/** Of the long loops (faults, fuzz, load). */
const scale = process.env['WEIR_TEST_SCALE'] ?? (all ? '1' : inCi ? '0.05' : '0.2');
/** Two idle cores need less than ten minutes without `--all`; a busy or slower machine gets its time. */
const budgetMinutes = all ? 80 : 30;

type Results = JsonTestResults['testResults'];
type Counts = { passed: number; failed: number; skipped: number };

const missing = installSystemPackages();
await buildWebPage((line) => console.log(line));
const layers = await runTests();
for (const [layer, counts] of layers) console.log(`${layer.padEnd(24)} ${sentence(counts)}`);
const total = sum([...layers.values()]);
if (missing.length > 0 && inCi) console.log(`Required programs are missing: ${missing.join(', ')}.`);
console.log(`tests: ${sentence(total)}`);
process.exitCode = total.failed > 0 || total.passed === 0 || (inCi && (total.skipped > 0 || missing.length > 0)) ? 1 : 0;

/** Counts by layer: a package, or the tests of the whole. What ends vitest itself counts as one failure. */
async function runTests(): Promise<Map<string, Counts>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'weir-tests-'));
  const file = path.join(folder, 'report.json');
  // What a test that was killed leaves there goes with the folder. Like /tmp, it is for every user: some tests change theirs.
  const temporary = path.join(folder, 't');
  try {
    await mkdir(temporary);
    await Promise.all([chmod(folder, 0o755), chmod(temporary, 0o1777)]);
    const failure = await runVitest(file, temporary);
    const layered = Map.groupBy(await readResults(file), ({ name }) => layerOf(path.relative(root, name)));
    const counts = new Map([...layered].toSorted(([a], [b]) => a.localeCompare(b)).map(([layer, files]) => [layer, sum(files.map(countsOf))]));
    if (failure !== undefined && (failure.always || sum([...counts.values()]).failed === 0)) {
      console.log(failure.text);
      counts.set('the run itself', { passed: 0, failed: 1, skipped: 0 });
    }
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Undefined when everything passed. A run that exceeds its budget is ended with everything that it started. */
function runVitest(report: string, temporary: string): Promise<{ text: string; always: boolean } | undefined> {
  const args = [vitest, 'run', ...words.filter((word) => word !== '--all'), '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], detached: true, env: { ...process.env, WEIR_TEST_SCALE: scale, TMPDIR: temporary } });
  const killAll = (): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { killAll(); process.exit(130); });
  let late = false;
  const budget = setTimeout(() => { late = true; killAll(); }, budgetMinutes * 60_000);
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ text: `vitest does not start: ${error.message}. Run npm ci.`, always: true }));
    child.once('close', (code, signal) => {
      clearTimeout(budget);
      if (late) resolve({ text: `The tests did not end within ${budgetMinutes} minutes.`, always: true });
      else resolve(code === 0 ? undefined : { text: `vitest ended with ${code ?? signal}, though no test failed; see above.`, always: false });
    });
  });
}

async function readResults(file: string): Promise<Results> {
  try {
    const report: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof report === 'object' && report !== null && 'testResults' in report && Array.isArray(report.testResults)) return report.testResults as Results;
    throw new TypeError('not of the expected form');
  } catch (error) {
    console.log(`vitest left no report (${error instanceof Error ? error.message : 'unreadable'}).`);
    return [];
  }
}

function layerOf(file: string): string {
  const [first = '', name = ''] = file.split(path.sep);
  return first === 'packages' ? name : 'the whole';
}

/** A file that could not be loaded has no tests: it counts as one that failed. */
function countsOf({ status, assertionResults }: Results[number]): Counts {
  const count = (...wanted: string[]): number => assertionResults.filter((result) => wanted.includes(result.status)).length;
  const counts = { passed: count('passed'), failed: count('failed'), skipped: 0 };
  const skipped = assertionResults.length - counts.passed - counts.failed;
  return { ...counts, failed: status === 'failed' && counts.failed === 0 ? 1 : counts.failed, skipped };
}

function sum(list: readonly Counts[]): Counts {
  return list.reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }), { passed: 0, failed: 0, skipped: 0 });
}

function sentence({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
