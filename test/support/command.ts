/** Runs the `weir` command beside a test's server, as the operator on its machine. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { testUser, type TestWeir } from './weir.ts';

const launcher = fileURLToPath(new URL('../../packages/cli/bin/weir.js', import.meta.url));

export type Ran = Readonly<{ code: number | null; stdout: string; stderr: string }>;

export function runCommand(weir: TestWeir, args: readonly string[], { input = '', environment = {} }: { input?: string; environment?: Readonly<Record<string, string>> } = {}): Promise<Ran> {
  const asUser = process.getuid?.() === 0 ? { uid: testUser, gid: testUser } : {};
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [launcher, ...args], {
      cwd: weir.home, env: { ...weir.environment(), NO_COLOR: '1', ...environment }, ...asUser, encoding: 'utf8', timeout: 60_000, maxBuffer: 16 << 20,
    }, (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }));
    child.stdin?.end(input);
  });
}
