/** `npm run bench [-- NAME]`: runs the benches one after another, each in a process of its own, and prints one table of ratios. */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';

/** What a bench's `run()` resolves to, a list of these: `spread` is how far single rounds lie apart, as the bench words it. */
const Row = z.object({
  name: z.string(), baseline: z.string(), ratio: z.number(), spread: z.union([z.string(), z.number(), z.array(z.number())]), detail: z.string(),
});
const Measured = z.object({ rows: z.array(Row), cpuSeconds: z.number(), wallSeconds: z.number(), peakMiB: z.number() });
type Measured = z.infer<typeof Measured>;

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
      console.log(`| ${name} | ${baseline} | ${round(ratio)} | ${typeof spread === 'number' ? round(spread) : Array.isArray(spread) ? spread.map(round).join('–') : spread} | ${detail} |`);
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
  return Measured.parse(JSON.parse(text.trim().split('\n').at(-1) ?? ''));
}

async function measure(file: string): Promise<void> {
  const bench: unknown = await import(pathToFileURL(path.join(root, file)).href);
  const run = typeof bench === 'object' && bench !== null && 'run' in bench ? bench.run : undefined;
  if (typeof run !== 'function') throw new Error(`${file} exports no run().`);
  const startedAt = performance.now();
  const rows: unknown = await run();
  const { user, system } = process.cpuUsage();
  const result = { rows, cpuSeconds: (user + system) / 1e6, wallSeconds: (performance.now() - startedAt) / 1e3, peakMiB: process.resourceUsage().maxRSS / 1_024 };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
