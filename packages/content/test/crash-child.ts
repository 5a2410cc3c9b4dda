/** Ingests one content after another into the store of its argument until it is killed; each line says what is durable now. */
import { createSecretKey, randomBytes, randomInt } from 'node:crypto';
import { writeSync } from 'node:fs';
import { openBlobStore } from '../src/blob-store.ts';
import { ingest } from '../src/ingest.ts';
import { patternOf } from './pattern.ts';
import { pieces } from './support.ts';

const store = await openBlobStore(process.argv[2] ?? '');
for (;;) {
  const [seed, size, key] = [randomInt(2 ** 32), randomInt(3_000_000), randomBytes(32)];
  const { blob } = await ingest(store, pieces(patternOf(seed, size), 65_536), { maxBytes: size, dataKey: createSecretKey(key) });
  writeSync(1, `${JSON.stringify({ blob, size, seed, key: key.toString('hex') })}\n`);
}
