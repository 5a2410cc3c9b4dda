/** The launcher: on every Node that a host may have, with the exit codes and signals of the command itself, and never leaving an orphan. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { hostNodes, launcher, readyUrl, Sandbox } from './support/weir.ts';

const run = (node: string, args: readonly string[]): Promise<{ code: number | null; stderr: string }> => new Promise((resolve) => {
  const child = execFile(node, [...args], { timeout: 30_000 }, (_, __, stderr) => resolve({ code: child.exitCode, stderr }));
});

/** Ended; that whoever inherited it has not yet asked how (a zombie) does not matter. */
async function isGone(pid: number): Promise<boolean> {
  try {
    return /^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true; // no such process
  }
}

test.for(hostNodes)('the exit code of the command is that of the launcher (%s)', async (node) => {
  expect((await run(node, [launcher, '--version'])).code).toBe(0);
  expect((await run(node, [launcher, 'tokn'])).code).toBe(2);
});

test.for(hostNodes)('SIGTERM stops the server behind the launcher (%s)', async (node) => {
  await using sandbox = await Sandbox.open();
  const child = sandbox.start(node, [launcher, 'serve', '--port', '0']);
  const url = await readyUrl(child);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(child.exitCode).toBe(0);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});

test.for(hostNodes)('the server stops when the shell above it is killed (%s)', async (node) => {
  await using sandbox = await Sandbox.open();
  const shell = sandbox.start('/bin/sh', ['-c', `"${node}" "${launcher}" serve --port 0; true`]);
  const url = await readyUrl(shell);
  const server = Number((await lockOf(sandbox)).pid);
  expect(await isGone(server)).toBe(false);
  shell.kill('SIGKILL');
  for (let waited = 0; waited < 3_000 && !(await isGone(server)); waited += 50) await wait(50);
  expect(await isGone(server)).toBe(true);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});

test('an old Node without the runtime beside it is told what to do', async () => {
  await using sandbox = await Sandbox.open();
  const bare = path.join(sandbox.folder, 'bin/weir.js');
  await mkdir(path.dirname(bare));
  await copyFile(launcher, bare);
  for (const node of hostNodes) {
    const version = (await new Promise<string>((resolve) => { execFile(node, ['--version'], (_, stdout) => resolve(stdout)); })).trim();
    const { code, stderr } = await run(node, [bare, '--version']);
    if (/^v(2[4-9]|[3-9]\d)\./.test(version)) expect(stderr).toContain('main.ts');
    else expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining('Install Node 24') });
  }
});

async function lockOf(sandbox: Sandbox): Promise<{ pid: unknown }> {
  const value: unknown = JSON.parse(await readFile(path.join(sandbox.folder, 'data/lock.json'), 'utf8'));
  if (typeof value !== 'object' || value === null || !('pid' in value)) throw new TypeError('No lock.');
  return { pid: value.pid };
}
