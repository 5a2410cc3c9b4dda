/** `npm run bench [-- NAME]`: runs the benches one after another, each in a process of its own, and prints one table of ratios. */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** What a bench's `run()` resolves to, a list of these: `spread` is how far single rounds lie apart, as the bench words it. */
type Row = Readonly<{ name: string; baseline: string; ratio: number; spread: string | number | readonly number[]; detail: string }>;
type Measured = Readonly<{ rows: readonly Row[]; cpuSeconds: number; wallSeconds: number; peakMiB: number }>;

const root = fileURLToPath(new URL('..', import.meta.url));
const [first, second] = process.argv.slice(2);

if (first === '--measure' && second !== undefined) await measure(second);
else await measureAll(first ?? '');

async function measureAll(filter: string): Promise<void> {
  const files = globSync(['packages/*/bench/*.bench.ts', 'bench/*.bench.ts'], { cwd: root }).filter((file) => file.includes(filter)).toSorted();
  if (files.length === 0) throw new Error(`No bench has "${filter}" in its name.`);
  console.log('| what | against | ratio | spread | detail |\n| --- | --- | --- | --- | --- |');
  const costs: string[] = [];
  for (const file of files) {
    const { rows, cpuSeconds, wallSeconds, peakMiB } = await measuredApart(file);
    for (const { name, baseline, ratio, spread, detail } of rows) {
      console.log(`| ${name} | ${baseline} | ${round(ratio)} | ${typeof spread === 'number' ? round(spread) : typeof spread === 'string' ? spread : spread.map(round).join('–')} | ${detail} |`);
    }
    costs.push(`| ${file} | ${wallSeconds.toFixed(1)} s | ${cpuSeconds.toFixed(1)} s | ${peakMiB.toFixed(0)} MiB |`);
  }
  console.log(`\n| bench | time | CPU of its process | peak memory of its process |\n| --- | --- | --- | --- |\n${costs.join('\n')}`);
}

function round(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** What was loaded and warmed up for one bench is not there for the next. */
async function measuredApart(file: string): Promise<Measured> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--measure', file], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => { text += part; });
  const code = await new Promise((resolve) => { child.once('close', resolve); });
  if (code !== 0) throw new Error(`${file} ended with ${String(code)}; see above.`);
  // The child is this script, and it ended well.
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as Measured;
}

async function measure(file: string): Promise<void> {
  const { run } = await import(pathToFileURL(path.join(root, file)).href) as { run?: () => Promise<readonly Row[]> };
  if (run === undefined) throw new Error(`${file} exports no run().`);
  const startedAt = performance.now();
  const rows = await run();
  const { user, system } = process.cpuUsage();
  const result: Measured = { rows, cpuSeconds: (user + system) / 1e6, wallSeconds: (performance.now() - startedAt) / 1e3, peakMiB: process.resourceUsage().maxRSS / 1_024 };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
