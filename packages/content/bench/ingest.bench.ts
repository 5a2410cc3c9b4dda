/** Ingest against what an operator would do without it: `cp` to the disk, `sha256sum` of the copy, and a sync of the file. */
import { execFile } from 'node:child_process';
import { createSecretKey, randomBytes, randomFillSync } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { deleteBlob, openBlobStore, type BlobStore } from '../src/blob-store.ts';
import { ingest } from '../src/ingest.ts';
import { leafSize } from '../src/unixfs.ts';
import { interleaved, type Row } from './rows.ts';

const size = 256 * 1_048_576;
const rounds = 7;
const command = promisify(execFile);

export async function run(): Promise<Row[]> {
  const folder = await mkdtemp(join(process.env['WEIR_BENCH_DIR'] ?? tmpdir(), 'weir-ingest-'));
  try {
    const source = join(folder, 'source');
    await writeRandomFile(source, size);
    const store = await openBlobStore(folder);
    return await interleaved('cp + sha256sum + sync', () => copyAndHash(source, join(folder, 'copy')), [
      { name: 'ingest, plain', measure: () => timedIngest(store, source, undefined) },
      { name: 'ingest, encrypted', measure: () => timedIngest(store, source, createSecretKey(randomBytes(32))) },
    ], { rounds, bytes: size });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function copyAndHash(source: string, copy: string): Promise<number> {
  const start = performance.now();
  await command('cp', ['--reflink=never', source, copy]);
  await command('sha256sum', [copy]);
  await command('sync', [copy]);
  const elapsed = performance.now() - start;
  await rm(copy);
  await settle(copy);
  return elapsed;
}

async function timedIngest(store: BlobStore, source: string, dataKey: ReturnType<typeof createSecretKey> | undefined): Promise<number> {
  const start = performance.now();
  const { blob } = await ingest(store, createReadStream(source, { highWaterMark: leafSize }), { maxBytes: size, expectedSize: size, ...(dataKey && { dataKey }) });
  const elapsed = performance.now() - start;
  await deleteBlob(store, blob);
  await settle(store.blobs);
  return elapsed;
}

/** Freed space is discarded at the file system's next commit; it must not be paid for by whoever is measured next. */
const settle = async (path: string): Promise<unknown> => command('sync', ['--file-system', dirname(path)]);

async function writeRandomFile(path: string, bytes: number): Promise<void> {
  await writeFile(path, '');
  const file = await open(path, 'w');
  const part = Buffer.alloc(1_048_576);
  for (let written = 0; written < bytes; written += part.length) await file.write(randomFillSync(part));
  await file.sync();
  await file.close();
}
