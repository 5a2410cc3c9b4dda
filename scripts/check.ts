/** `npm run check`: types, lint, unused and unlisted things, the drawing of the floors. Ends with 1 when anything was found. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string): string => path.join(root, 'node_modules/.bin', name);

const checks: readonly (readonly [name: string, command: string, ...rest: string[]])[] = [
  ['types', bin('tsc'), '-p', '.'],
  ['types of the web page', bin('tsc'), '-p', 'packages/web', '--noEmit'],
  ['types of its tests', bin('tsc'), '-p', 'packages/web/test', '--noEmit'],
  ['lint', bin('oxlint'), '--type-aware', '--deny-warnings', 'packages', 'scripts', 'test', 'examples'],
  ['unused and unlisted', process.execPath, bin('knip')],
  ['floors', process.execPath, 'scripts/floors.ts'],
  ['earlier defects', process.execPath, 'scripts/defects.ts'],
];

const failed: string[] = [];
for (const [name, command, ...rest] of checks) {
  const startedAt = performance.now();
  const ok = await succeeds(command, rest);
  if (!ok) failed.push(name);
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - startedAt) / 1_000).toFixed(1)} s)`);
}
console.log(failed.length === 0 ? 'check: nothing found' : `check: findings in ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function succeeds(command: string, rest: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, rest, { cwd: root, stdio: 'inherit' });
    child.once('error', (error) => { console.error(`${command} does not start: ${error.message}. Run npm ci.`); resolve(false); });
    child.once('close', (code) => resolve(code === 0));
  });
}
