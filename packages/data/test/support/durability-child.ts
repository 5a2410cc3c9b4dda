/** Writes without end and says, on standard output, the number of each change once it was acknowledged. */
import { writeSync } from 'node:fs';
import { openData } from '../../src/data.ts';

const WRITERS = 16;
const data = await openData({ directory: process.argv[2] ?? '' });
let number = Number(process.argv[3]);

async function writeOn(): Promise<never> {
  for (;;) {
    const mine = number += 1;
    await data.write(async (tx) => { await tx.insertInto('meta').values({ key: String(mine), value: 'x'.repeat(200) }).execute(); });
    writeSync(1, `${mine}\n`);
  }
}
await Promise.all(Array.from({ length: WRITERS }, writeOn));
