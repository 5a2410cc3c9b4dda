/** Started as root, Weir serves as somebody else: nothing of it is root's, and nothing of a closed folder but its own is seen. */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { serviceEnvironment } from '@weir/server/privileges';
import { expect, test } from 'vitest';
import { Sandbox } from './support/weir.ts';

test('only the environment that Weir needs is passed on', () => {
  const given = { PATH: '/bin', HOME: '/root', SECRET: 'x', WEIR_SERVER__PORT: '1', WEIR_TOKEN: 'x', LD_PRELOAD: '/x.so', NODE_OPTIONS: '--x', WEIR_PARENT: '7' };
  expect(serviceEnvironment(given, { HOME: '/data' })).toEqual({ PATH: '/bin', HOME: '/data', WEIR_SERVER__PORT: '1', WEIR_SERVICE: '1', WEIR_PARENT: '7' });
});

test('the server has no root, no capability, and sees of a closed folder what is its own', { timeout: 60_000 }, async () => {
  await using sandbox = await Sandbox.open({});
  await writeFile(path.join(sandbox.folder, 'other.txt'), 'not for the server');
  const { child } = await sandbox.serve();
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  const field = (name: string): string[] => (new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? '').split(/\s+/);
  expect(field('Uid')).not.toContain('0');
  expect(field('Gid')).not.toContain('0');
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) expect(field(set)).toEqual(['0000000000000000']);
  // A command by root beside it: works, and leaves no file of root's among the server's.
  expect((await sandbox.weir(['token', 'issue', '--principal', 'alice', '--quiet'])).stdout).toMatch(/^eyJ/);
  const data = path.join(sandbox.folder, 'data');
  const owners = await Promise.all((await readdir(data, { recursive: true })).map(async (name) => (await stat(path.join(data, name))).uid));
  expect(new Set(owners)).toEqual(new Set([Number(field('Uid')[0])]));
  if (process.getuid?.() !== 0) return;
  expect(field('CapBnd')).toEqual(['0000000000000000']);
  expect((await readdir(`/proc/${child.pid}/root${sandbox.folder}`)).toSorted()).toEqual(['data', 'keys']);
});

test('root does not hand over a folder with other things in it', async () => {
  await using sandbox = await Sandbox.open({});
  const folder = path.join(sandbox.folder, 'documents');
  await mkdir(folder);
  await writeFile(path.join(folder, 'letter.txt'), 'mine');
  const { code, stderr } = await sandbox.weir(['serve', '--port', '0', '--data', folder]);
  if (process.getuid?.() !== 0) return;
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('holds other things ("letter.txt")') });
  expect((await stat(folder)).uid).toBe(0);
});
