/** Fills the small disk of its argument and prints what the store made of it. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { WeirError } from '@weir/contracts/errors';
import { openBlobStore } from '../src/blob-store.ts';
import { ingest } from '../src/ingest.ts';
import { openReader } from '../src/reader.ts';
import { blobsOf, pieces, readAll } from './support.ts';

const store = await openBlobStore(process.argv[2] ?? '');
const put = (bytes: Uint8Array, options: object = {}) => ingest(store, pieces(bytes, 65_536), { maxBytes: bytes.length, ...options });
const codeOf = async (attempt: Promise<unknown>) => attempt.then(() => 'stored', (error: unknown) => (error instanceof WeirError ? error.code : String(error)));

const first = randomBytes(500_000);
const { blob, size, leafDigests } = await put(first);
const plain = await codeOf(put(randomBytes(4_000_000)));
const encrypted = await codeOf(put(randomBytes(1_600_000), { dataKey: createSecretKey(randomBytes(32)) }));
const uploadsLeft = (await readdir(store.uploads)).length;
await using reader = await openReader(store, { blob, size, leafDigests });
const firstReadsBack = (await readAll(reader)).equals(first);
const roomAgain = await codeOf(put(randomBytes(1_000_000))) === 'stored';
process.stdout.write(JSON.stringify({ plain, encrypted, uploadsLeft, blobs: (await blobsOf(store)).length, firstReadsBack, roomAgain }));
