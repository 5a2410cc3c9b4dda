/** Blobs are complete or absent: by hand, by garbage collection, by SIGKILL and on a full disk. */
import { execFileSync, spawn } from 'node:child_process';
import { createSecretKey, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { BlobWriter, deleteBlob, listBlobs, newBlobId, openBlob, openBlobStore } from '../src/blob-store.ts';
import { collectGarbage } from '../src/garbage.ts';
import { ingest } from '../src/ingest.ts';
import { openReader } from '../src/reader.ts';
import { leafSize } from '../src/unixfs.ts';
import { patternOf } from './pattern.ts';
import { blobPath, blobsOf, collect, pieces, readAll, runs, testStore, type TestStore } from './support.ts';

const code = (code: string) => expect.objectContaining({ code });

async function put(place: TestStore, bytes: Uint8Array): Promise<string> {
  return (await ingest(place.store, pieces(bytes, 65_536), { maxBytes: bytes.length })).blob;
}

test('a blob is visible when published and not before', async () => {
  await using place = await testStore();
  {
    await using writer = await BlobWriter.create(place.store);
    await writer.append(Buffer.from('we'));
    await writer.append(Buffer.from('ir'));
    expect(await blobsOf(place.store)).toEqual([]);
    await writer.publish();
    expect(await blobsOf(place.store)).toEqual([writer.blob]);
  }
  {
    await using abandoned = await BlobWriter.create(place.store);
    await abandoned.append(Buffer.from('weir'));
  }
  expect(await readdir(place.store.uploads)).toEqual([]);
  expect(await blobsOf(place.store)).toHaveLength(1);
});

test('folders are private, and what an earlier run left in uploads is gone after a start', async () => {
  await using place = await testStore();
  await writeFile(join(place.store.uploads, newBlobId()), 'half');
  await mkdir(join(place.store.uploads, 'odd', 'folder'), { recursive: true });
  const blob = await put(place, randomBytes(10));
  const again = await openBlobStore(place.folder);
  expect(await readdir(again.uploads)).toEqual([]);
  expect(await blobsOf(again)).toEqual([blob]);
  for (const folder of [again.blobs, again.uploads]) expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

test('only blobs are listed, and only blob ids become paths', async () => {
  await using place = await testStore();
  const blob = await put(place, randomBytes(10));
  await writeFile(join(place.store.blobs, 'README'), 'x');
  await writeFile(`${blobPath(place.store, blob)}.bak`, 'x');
  await mkdir(join(place.store.blobs, 'xyz'), { recursive: true });
  expect(await blobsOf(place.store)).toEqual([blob]);
  for (const id of ['../../../etc/passwd', '', 'A'.repeat(32), 'a'.repeat(31), 'a'.repeat(33), `${'a'.repeat(32)}\n`]) {
    await expect(openBlob(place.store, id)).rejects.toEqual(code('internal'));
    await expect(deleteBlob(place.store, id)).rejects.toEqual(code('internal'));
  }
});

test('a link in the place of a blob is not followed', async () => {
  await using place = await testStore();
  const blob = await put(place, randomBytes(10));
  await rm(blobPath(place.store, blob));
  await symlink('/etc/hostname', blobPath(place.store, blob));
  await expect(openBlob(place.store, blob)).rejects.toEqual(code('storage.failed'));
});

test('deleting twice is fine, and whoever reads can finish', async () => {
  await using place = await testStore();
  const bytes = randomBytes(2 * leafSize);
  const { blob, size, leafDigests } = await ingest(place.store, pieces(bytes, leafSize), { maxBytes: bytes.length });
  await using reader = await openReader(place.store, { blob, size, leafDigests });
  await deleteBlob(place.store, blob);
  await deleteBlob(place.store, blob);
  expect((await readAll(reader)).equals(bytes)).toBe(true);
  await expect(openReader(place.store, { blob, size, leafDigests })).rejects.toEqual(code('content.damaged'));
});

test('garbage is what is old and in no use', async () => {
  await using place = await testStore();
  const [used, unused, young] = [await put(place, randomBytes(10)), await put(place, randomBytes(10)), await put(place, randomBytes(10))];
  const now = Date.now();
  for (const blob of [used, unused]) await utimes(blobPath(place.store, blob), now / 1_000, (now - 2_000) / 1_000);
  const asked: string[] = [];
  const inUse = async (blobs: readonly string[]) => { asked.push(...blobs); return new Set([used]); };
  expect(await collectGarbage(place.store, inUse, { now, graceMs: 1_000 })).toBe(1);
  expect(asked.toSorted()).toEqual([used, unused].toSorted());
  expect(await blobsOf(place.store)).toEqual([used, young].toSorted());
  expect(await collectGarbage(place.store, inUse, { now, graceMs: 1_000 })).toBe(0);
});

test('garbage collection during uploads takes none of them', async () => {
  await using place = await testStore();
  const rows = new Set<string>();
  const uploads = Array.from({ length: 20 }, async (_, i) => {
    const blob = await put(place, randomBytes(1_000 * i));
    await setTimeout(randomInt(5));
    rows.add(blob);
  });
  const collections = Array.from({ length: 5 }, async () => collectGarbage(place.store, async () => new Set(rows), { now: Date.now(), graceMs: 60_000 }));
  await Promise.all([...uploads, ...collections]);
  expect(await blobsOf(place.store)).toEqual([...rows].sort());
});

test('after SIGKILL at any instant every acknowledged blob is whole, and nothing half-written is a blob', async () => {
  await using place = await testStore();
  const acknowledged = new Map<string, Acknowledged>();
  let others = 0;
  for (let round = 0; round < runs(6); round++) {
    for (const done of await killedWriter(place.folder, randomInt(5, 250))) acknowledged.set(done.blob, done);
    others += 1;
    const store = await openBlobStore(place.folder);
    expect(await readdir(store.uploads)).toEqual([]);
    const blobs = (await collect(listBlobs(store))).map(({ blob }) => blob);
    // A kill between the rename and the acknowledgement leaves one blob that nobody was promised.
    expect(blobs.filter((blob) => !acknowledged.has(blob)).length).toBeLessThanOrEqual(others);
  }
  expect(acknowledged.size).toBeGreaterThan(0);
  for (const { blob, size, seed, key } of acknowledged.values()) {
    await using reader = await openReader(place.store, { blob, size, dataKey: createSecretKey(Buffer.from(key, 'hex')) });
    expect((await readAll(reader)).equals(patternOf(seed, size))).toBe(true);
  }
}, 60_000);

interface Acknowledged { readonly blob: string; readonly size: number; readonly seed: number; readonly key: string }

/** Lets a process ingest one content after another and kills it `afterMs` after its first acknowledgement. */
async function killedWriter(folder: string, afterMs: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [script('crash-child.ts'), folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output += text; });
  await once(child.stdout, 'data');
  await setTimeout(afterMs);
  child.kill('SIGKILL');
  await once(child, 'close');
  return output.split('\n').slice(0, -1).map((line): Acknowledged => JSON.parse(line));
}

test('a full disk is a clear error, leaves no part behind and loses nothing that was acknowledged', async () => {
  await using place = await testStore();
  expect(JSON.parse(onTinyDisk(place.folder, script('full-disk-child.ts')))).toEqual({
    plain: 'storage.full', encrypted: 'storage.full', uploadsLeft: 0, blobs: 2, firstReadsBack: true, roomAgain: true,
  });
});

/** Runs a script with `folder` as a disk of 2 MiB, in a mount namespace of its own that ends with it. */
function onTinyDisk(folder: string, program: string): string {
  const inside = ['sh', '-c', 'mount -t tmpfs -o size=2m,mode=700 tmpfs "$1" && exec "$2" "$3" "$1"', 'sh', folder, process.execPath, program];
  const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
  return execFileSync('unshare', [...namespace, ...inside], { encoding: 'utf8', timeout: 20_000 });
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
