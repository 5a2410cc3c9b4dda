import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openData } from '@weir/data/data';
import { temporaryFolder } from '../../data/test/support/temporary.ts';
import { listJobs } from '../src/store.ts';
import { runs } from './support/rows.ts';
import { eventually } from './support/workers.ts';

test('a server killed at any instant loses no accepted job and publishes none twice', async () => {
  await using folder = await temporaryFolder();
  const accepted = new Set<string>();

  async function serve(count: number) {
    const child = spawn(process.execPath, [fileURLToPath(new URL('./support/killable-server.ts', import.meta.url)), folder.path, String(count)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => { if (line !== 'ready') accepted.add(line); });
    await once(lines, 'line');
    return child;
  }

  for (let round = 0; round < runs(6); round += 1) {
    const child = await serve(4);
    await wait(randomInt(600));
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const last = await serve(1);
  try {
    await using data = await openData({ directory: folder.path });
    await eventually(async () => (await listJobs(data.read, { owner: null, state: 'completed', before: null, limit: 500 })).length === (await listJobs(data.read, { owner: null, state: null, before: null, limit: 500 })).length, 25_000);
    const jobs = await listJobs(data.read, { owner: 'alice', state: null, before: null, limit: 500 });
    expect(jobs.length).toBeGreaterThanOrEqual(accepted.size);
    expect([...accepted].filter((id) => !jobs.some((job) => job.id === id))).toEqual([]);
    const published = await data.read.selectFrom('holding').select(['origin', 'blob']).where('origin', 'is not', null).execute();
    expect(published).toHaveLength(jobs.length);
    expect(new Set(published.map(({ origin }) => origin))).toEqual(new Set(jobs.map(({ id }) => id)));
    await eventually(async () => (await data.read.selectFrom('job_output').selectAll().execute()).length === 0);
    const files = (await readdir(folder.join('blobs'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);
    expect(published.filter(({ blob }) => !files.includes(blob))).toEqual([]);
  } finally {
    last.kill('SIGKILL');
    await once(last, 'exit');
  }
}, 90_000);
