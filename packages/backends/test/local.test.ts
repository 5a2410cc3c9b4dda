/** A folder is reported as it is, and left as it was. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inspectFolder } from '../src/local.ts';

async function temporaryFolder(parent: string): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(parent, 'weir-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test('a usable folder is writable, has space, and holds nothing new afterwards', async () => {
  await using folder = await temporaryFolder(tmpdir());
  const report = await inspectFolder(folder.path);
  expect(report.writable).toBe(true);
  expect(report.fsyncMs).toBeGreaterThan(0);
  expect(report.freeBytes).toBeGreaterThan(0);
  expect(report.totalBytes).toBeGreaterThanOrEqual(report.freeBytes);
  expect(await readdir(folder.path)).toEqual([]);
});

test('memory is not mistaken for a disk', async () => {
  await using folder = await temporaryFolder('/dev/shm');
  expect((await inspectFolder(folder.path)).kind).toBe('memory');
});

test('a folder where nobody can create a file is not writable', async () => {
  expect(await inspectFolder('/sys/kernel')).toMatchObject({ writable: false, fsyncMs: null, kind: 'unknown' });
});

test('an absent folder, or a file in its place, is storage.failed', async () => {
  await using folder = await temporaryFolder(tmpdir());
  await expect(inspectFolder(join(folder.path, 'absent'))).rejects.toMatchObject({ code: 'storage.failed' });
  await writeFile(join(folder.path, 'file'), '');
  await expect(inspectFolder(join(folder.path, 'file'))).rejects.toMatchObject({ code: 'storage.failed' });
});
