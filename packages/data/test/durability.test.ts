/** What was acknowledged is there after the process was killed at any moment. */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { sql } from 'kysely';
import { openData } from '../src/data.ts';
import { migrate } from '../src/migrate.ts';
import { runs } from './support/engines.ts';
import { temporaryFolder } from './support/temporary.ts';

const child = new URL('support/durability-child.ts', import.meta.url).pathname;

test('every change that was acknowledged before kill -9 is found again, and the database is sound', async () => {
  await using folder = await temporaryFolder();
  {
    await using data = await openData({ directory: folder.path });
    await migrate(data);
  }
  const acknowledged: number[] = [];
  for (let round = 0; round < runs(5); round += 1) acknowledged.push(...await writeUntilKilled(folder.path, round * 1_000_000));
  await using data = await openData({ directory: folder.path });
  const stored = new Set((await data.read.selectFrom('meta').select('key').execute()).map(({ key }) => Number(key)));
  expect(acknowledged.length).toBeGreaterThan(10);
  expect(acknowledged.filter((number) => !stored.has(number))).toEqual([]);
  expect((await sql`pragma integrity_check`.execute(data.read)).rows).toEqual([{ integrity_check: 'ok' }]);
});

async function writeUntilKilled(directory: string, from: number): Promise<number[]> {
  const writer = spawn(process.execPath, [child, directory, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  writer.stdout.setEncoding('utf8').on('data', (part: string) => { text += part; });
  const closed = once(writer, 'close');
  await once(writer.stdout, 'data');
  await setTimeout(randomInt(5, 150));
  writer.kill('SIGKILL');
  await closed;
  return text.slice(0, text.lastIndexOf('\n')).split('\n').map(Number);
}
