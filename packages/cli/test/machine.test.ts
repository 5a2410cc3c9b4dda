/** What Weir finds out about a machine, and what it does about what is missing there. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { missingPackages, offerSystemPackages } from '@weir/server/system-packages';
import { digestOf } from '@weir/server/web-build';
import { expect, test } from 'vitest';
import { Sandbox } from './support/weir.ts';

test('the packages that are missing are named once each', () => {
  expect(missingPackages({ PATH: '/nowhere' })).toEqual(['ffmpeg', 'bubblewrap', 'util-linux']);
  expect(missingPackages({ PATH: '/nowhere', FFMPEG_PATH: '/opt/ffmpeg' })).toEqual(['bubblewrap', 'util-linux']);
});

test('with WEIR_NO_INSTALL=1 nobody is asked and nothing is installed; the command to run is said', async () => {
  const said: string[] = [];
  const ask = async (): Promise<boolean> => { throw new Error('nobody may be asked'); };
  await offerSystemPackages({ environment: { PATH: '/nowhere', WEIR_NO_INSTALL: '1' }, isRoot: true, ask, say: (line) => said.push(line) });
  expect(said).toEqual(['Jobs need ffmpeg and bubblewrap and util-linux; Weir starts without the fleet. To install: apt-get install -y ffmpeg bubblewrap util-linux']);
});

test('a no on the terminal is a no', async () => {
  const said: string[] = [];
  await offerSystemPackages({ environment: { PATH: '/nowhere' }, isRoot: true, ask: async () => false, say: (line) => said.push(line) });
  expect(said).toHaveLength(1);
});

test('the web page is built again when a source has another name or other bytes', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'weir-sources-'));
  try {
    const source = path.join(folder, 'src');
    await mkdir(source);
    await writeFile(path.join(source, 'a.ts'), 'one');
    const first = await digestOf([source, path.join(folder, 'absent')]);
    expect(await digestOf([source])).toBe(first);
    await writeFile(path.join(source, 'a.ts'), 'two');
    const second = await digestOf([source]);
    await rm(path.join(source, 'a.ts'));
    await writeFile(path.join(source, 'b.ts'), 'two');
    expect(new Set([first, second, await digestOf([source])]).size).toBe(3);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('doctor grades what it finds and fails when something needed is missing', { timeout: 60_000 }, async () => {
  await using sandbox = await Sandbox.open();
  const run = async (environment: NodeJS.ProcessEnv) => {
    const { code, stdout } = await sandbox.weir(['doctor', '--json'], { environment });
    return { code, ...JSON.parse(stdout) as { ok: boolean; checks: { name: string; grade: string; next_step: string }[] } };
  };
  const usual = await run({});
  expect(usual.checks.map(({ name }) => name)).toEqual(expect.arrayContaining(['node', 'ffmpeg', 'bubblewrap', 'prlimit', 'jail', 'data', 'keys', 'database', 'network', 'default role']));
  expect(usual.ok).toBe(usual.code === 0);
  expect(usual.checks.find(({ name }) => name === 'data')).toMatchObject({ grade: 'weak', next_step: '`weir up` makes it.' });
  const bare = await run({ PATH: '/nowhere', WEIR_PERMISSIONS__DEFAULT_ROLE: 'admin', WEIR_SERVER__ADDRESS: '0.0.0.0' });
  expect({ code: bare.code, ok: bare.ok }).toEqual({ code: 1, ok: false });
  const grades = Object.fromEntries(bare.checks.map(({ name, grade }) => [name, grade]));
  expect(grades).toMatchObject({ node: 'good', ffmpeg: 'failed', jail: 'failed', network: 'failed', 'default role': 'weak' });
});

test('completion proposes commands and flags', async () => {
  await using sandbox = await Sandbox.open();
  expect((await sandbox.weir(['__complete', 'admin', 'user', 'ro'])).stdout).toBe('rotate-key\n');
  expect((await sandbox.weir(['__complete', 'token', 'issue', '--pr'])).stdout).toBe('--principal\n');
  expect((await sandbox.weir(['completion', 'bash'])).stdout).toContain('complete -o default -F _weir weir');
});
