/** A data directory is private, has one server, and forgets a server that died. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openData } from '../src/data.ts';
import { openDataDirectory } from '../src/data-directory.ts';
import { findHolder } from '../src/directory-lock.ts';
import { migrate } from '../src/migrate.ts';
import { runs } from './support/engines.ts';
import { temporaryFolder } from './support/temporary.ts';

const child = new URL('support/holder-child.ts', import.meta.url).pathname;
const incrementer = new URL('support/increment-child.ts', import.meta.url).pathname;

async function holdElsewhere(path: string): Promise<ChildProcess> {
  const holder = spawn(process.execPath, [child, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (holder.stdout === null) throw new Error('no pipe');
  await once(holder.stdout, 'data');
  return holder;
}

const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

test('the directory, its folders and its files are private', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('new', 'weir');
  await using directory = await openDataDirectory(path);
  await using data = await openData({ directory: path });
  await migrate(data);
  for (const each of [path, directory.blobs, directory.uploads, directory.jobs, directory.logs]) expect(await mode(each), each).toBe(0o700);
  for (const file of ['lock', 'lock.json', 'weir.db', 'weir.db-wal', 'weir.db-shm']) expect(await mode(folder.join('new', 'weir', file)), file).toBe(0o600);
  expect(await directory.freeBytes()).toBeGreaterThan(0);
});

test('scratch space is emptied, and only that', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('weir');
  await mkdir(folder.join('weir', 'jobs', 'old', 'deep'), { recursive: true });
  await writeFile(folder.join('weir', 'jobs', 'old', 'deep', 'part.mp4'), '');
  await mkdir(folder.join('outside'));
  await writeFile(folder.join('outside', 'kept'), '');
  await symlink(folder.join('outside'), folder.join('weir', 'jobs', 'link'));
  await mkdir(folder.join('weir', 'uploads'));
  await writeFile(folder.join('weir', 'uploads', 'kept'), '');
  await using directory = await openDataDirectory(path);
  expect(await readdir(directory.jobs)).toEqual([]);
  expect(await readdir(directory.uploads)).toEqual(['kept']);
  expect(await readdir(folder.join('outside'))).toEqual(['kept']);
});

test('a second server is refused and told who is there, in this process and in another', async () => {
  await using folder = await temporaryFolder();
  const holder = await holdElsewhere(folder.path);
  const expected = { code: 'data.locked', facts: { pid: holder.pid, address: 'http://127.0.0.1:4545' } };
  await expect(openDataDirectory(folder.path)).rejects.toMatchObject({ ...expected, message: expect.stringMatching(/process \d+ since \d{4}-/) });
  expect(await findHolder(folder.path)).toMatchObject({ pid: holder.pid, address: 'http://127.0.0.1:4545' });
  holder.kill('SIGKILL');
  await once(holder, 'close');
  expect(await findHolder(folder.path)).toBeUndefined();

  await using directory = await openDataDirectory(folder.path);
  expect(await findHolder(folder.path)).toMatchObject({ pid: process.pid, address: null });
  await expect(openDataDirectory(folder.path)).rejects.toMatchObject({ code: 'data.locked', facts: { pid: process.pid } });
  await expect(openDataDirectory(folder.path)).rejects.toMatchObject({ code: 'data.locked' });
  const other = spawn(process.execPath, [child, folder.path], { stdio: 'ignore' });
  expect((await once(other, 'close'))[0]).not.toBe(0);
  await directory.close();
  expect(await findHolder(folder.path)).toBeUndefined();
  await (await openDataDirectory(folder.path)).close();
});

test('commands open the database while a server holds the directory', async () => {
  await using folder = await temporaryFolder();
  await using directory = await openDataDirectory(folder.path);
  await using server = await openData({ directory: directory.path });
  await migrate(server);
  await using command = await openData({ directory: directory.path });
  await Promise.all([server, command].map((data, index) => data.write(async (tx) => {
    await tx.insertInto('meta').values({ key: `k${index}`, value: '' }).execute();
  })));
  expect(await server.read.selectFrom('meta').select('key').orderBy('key').execute()).toEqual([{ key: 'k0' }, { key: 'k1' }]);
});

test('processes that change the same row lose nothing', async () => {
  await using folder = await temporaryFolder();
  await using data = await openData({ directory: folder.path });
  await migrate(data);
  const increments = runs(60);
  const children = Array.from({ length: 3 }, () => spawn(process.execPath, [incrementer, folder.path, String(increments)], { stdio: 'inherit' }));
  expect((await Promise.all(children.map((each) => once(each, 'close')))).map(([code]) => code)).toEqual([0, 0, 0]);
  expect(await data.read.selectFrom('counter').select('value').execute()).toEqual([{ value: 3 * increments }]);
});

test('a directory that others can write to is refused with the command that closes it', async () => {
  await using folder = await temporaryFolder();
  for (const open of [0o770, 0o707, 0o777]) {
    await chmod(folder.path, open);
    await expect(openDataDirectory(folder.path)).rejects.toMatchObject({ code: 'file.permissions', message: expect.stringContaining('chmod go-w') });
  }
  await chmod(folder.path, 0o755);
  await (await openDataDirectory(folder.path)).close();
});

test('a directory of another user is refused', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root can give a folder away');
  await using folder = await temporaryFolder();
  await chown(folder.path, 65_534, 65_534);
  await expect(openDataDirectory(folder.path)).rejects.toMatchObject({ code: 'file.permissions' });
});

test('a link in place of a folder is refused, and the lock is given up', async () => {
  await using folder = await temporaryFolder();
  await mkdir(folder.join('outside'));
  await writeFile(folder.join('outside', 'kept'), 'x');
  await symlink(folder.join('outside'), folder.join('jobs'));
  await expect(openDataDirectory(folder.path)).rejects.toMatchObject({ code: 'storage.failed' });
  expect(await readFile(folder.join('outside', 'kept'), 'utf8')).toBe('x');
  expect(await findHolder(folder.path)).toBeUndefined();
});

test('nobody holds a directory that was never served, or whose holder file is nonsense', async () => {
  await using folder = await temporaryFolder();
  expect(await findHolder(folder.join('absent'))).toBeUndefined();
  await using _directory = await openDataDirectory(folder.path);
  for (const nonsense of ['', '{', 'null', '{"pid":"1"}', 'x'.repeat(5_000)]) {
    await writeFile(folder.join('lock.json'), nonsense);
    expect(await findHolder(folder.path)).toBeUndefined();
  }
  await expect(openDataDirectory(folder.path)).rejects.toThrow('in use by another process');
});
