/** Secret files are refused when anyone else could read or have written them. */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import fc from 'fast-check';
import { readPrivateFile, writePrivateFile } from '../src/private-file.ts';

const runs = (count: number): number => Math.max(1, Math.round(count * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'weir-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

const secret = new TextEncoder().encode('secret');
const refused = { code: 'file.permissions' };

test('what was written is read back, in a private file and folder', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'keys', 'master');
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 4_096 }), async (bytes) => {
    await writePrivateFile(path, bytes);
    expect(await readPrivateFile(path, 4_096)).toEqual(bytes);
  }), { numRuns: runs(20) });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder.path, 'keys'))).mode & 0o777).toBe(0o700);
  expect(await readdir(join(folder.path, 'keys'))).toEqual(['master']);
});

test('writing closes a file that was open to others, and does not write through a link', async () => {
  await using folder = await temporaryFolder();
  const [path, victim] = [join(folder.path, 'master'), join(folder.path, 'victim')];
  await writeFile(victim, 'untouched', { mode: 0o644 });
  await symlink(victim, path);
  await writePrivateFile(path, secret);
  expect(await readPrivateFile(path, 100)).toEqual(secret);
  expect((await stat(victim)).size).toBe(9);
});

test.each([0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666, 0o777])('mode %o is refused with the command that closes it', async (mode) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'master');
  await writeFile(path, secret);
  await chmod(path, mode);
  await expect(readPrivateFile(path, 100)).rejects.toMatchObject({ ...refused, message: expect.stringContaining(`chmod 600 ${path}`) });
});

test('mode 0400 is private enough', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'master');
  await writeFile(path, secret, { mode: 0o400 });
  expect(await readPrivateFile(path, 100)).toEqual(secret);
});

test('a symbolic link is refused, even to a private file', async () => {
  await using folder = await temporaryFolder();
  const [path, link] = [join(folder.path, 'master'), join(folder.path, 'link')];
  await writePrivateFile(path, secret);
  await symlink(path, link);
  await expect(readPrivateFile(link, 100)).rejects.toMatchObject(refused);
});

test('a folder and a pipe are refused without waiting', async () => {
  await using folder = await temporaryFolder();
  const pipe = join(folder.path, 'pipe');
  await promisify(execFile)('mkfifo', ['-m', '600', pipe]);
  await mkdir(join(folder.path, 'folder'));
  await expect(readPrivateFile(pipe, 100)).rejects.toMatchObject({ code: 'config.invalid' });
  await expect(readPrivateFile(join(folder.path, 'folder'), 100)).rejects.toMatchObject({ code: 'config.invalid' });
});

test('a file of another user is refused', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root can give a file away');
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'master');
  await writePrivateFile(path, secret);
  await chown(path, 65_534, 65_534);
  await expect(readPrivateFile(path, 100)).rejects.toMatchObject(refused);
});

test('the size limit is exact, and an absent file is ENOENT', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'master');
  await writePrivateFile(path, secret);
  expect(await readPrivateFile(path, secret.length)).toEqual(secret);
  await expect(readPrivateFile(path, secret.length - 1)).rejects.toMatchObject({ code: 'config.invalid' });
  await expect(readPrivateFile(join(folder.path, 'absent'), 100)).rejects.toMatchObject({ code: 'ENOENT' });
});
