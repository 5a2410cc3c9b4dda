/** Verified reads against plain reads of the same file by the same runtime, without verification, from a warm page cache. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlobStore, type BlobStore } from '../src/blob-store.ts';
import { ingest } from '../src/ingest.ts';
import { openReader, type Stored } from '../src/reader.ts';
import { leafSize } from '../src/unixfs.ts';
import { interleaved, type Row } from './rows.ts';

const size = 256 * leafSize;
const rangeSize = 65_536;
const rangeCount = 300;
const rounds = 7;

export async function run(): Promise<Row[]> {
  const folder = await mkdtemp(join(process.env['WEIR_BENCH_DIR'] ?? tmpdir(), 'weir-read-'));
  try {
    const store = await openBlobStore(folder);
    const bytes = randomBytes(size);
    const file = join(folder, 'plain');
    await writeFile(file, bytes);
    const plain = await stored(store, bytes, false);
    const sealed = await stored(store, bytes, true);
    const starts = Array.from({ length: rangeCount }, (_, i) => (i * 7_919_113) % (size - rangeSize));
    return [
      ...await interleaved('fs reads of 1 MiB', () => timed(() => readFilePlainly(file, [0], size)), [
        { name: 'whole content, plain', measure: () => timed(() => readVerified(store, plain, [0], size)) },
        { name: 'whole content, encrypted', measure: () => timed(() => readVerified(store, sealed, [0], size)) },
      ], { rounds, bytes: size }),
      ...await interleaved('fs reads of 64 KiB', () => timed(() => readFilePlainly(file, starts, rangeSize)), [
        { name: '300 ranges of 64 KiB, plain, opened each time', measure: () => timed(() => readVerified(store, plain, starts, rangeSize)) },
        { name: '300 ranges of 64 KiB, encrypted, opened each time', measure: () => timed(() => readVerified(store, sealed, starts, rangeSize)) },
      ], { rounds, bytes: rangeCount * rangeSize }),
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function stored(store: BlobStore, bytes: Uint8Array, encrypted: boolean): Promise<Stored> {
  const dataKey = createSecretKey(randomBytes(32));
  const source = async function* () { for (let at = 0; at < bytes.length; at += leafSize) yield bytes.subarray(at, at + leafSize); };
  const { blob, leafDigests } = await ingest(store, source(), { maxBytes: size, ...(encrypted && { dataKey }) });
  return encrypted ? { blob, size, dataKey } : { blob, size, leafDigests };
}

async function readFilePlainly(path: string, starts: readonly number[], length: number): Promise<void> {
  for (const start of starts) {
    await using file = await open(path);
    for (let at = start; at < start + length;) {
      const want = Math.min(leafSize, start + length - at);
      at += (await file.read(Buffer.allocUnsafeSlow(want), 0, want, at)).bytesRead;
    }
  }
}

async function readVerified(store: BlobStore, content: Stored, starts: readonly number[], length: number): Promise<void> {
  for (const start of starts) {
    await using reader = await openReader(store, content);
    let read = 0;
    for await (const part of reader.read(start, start + length)) read += part.length;
    if (read !== length) throw new Error(`read ${read} of ${length} bytes`);
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
