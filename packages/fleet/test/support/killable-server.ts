/** A whole fleet in one process on a given folder, to be killed by a test: submits jobs when told how many, and says which were accepted. */
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { openData } from '@weir/data/data';
import { migrate } from '@weir/data/migrate';
import { startFleet } from './fleet.ts';
import { reversing, startWorker } from './workers.ts';

const [directory = '', count = '0'] = process.argv.slice(2);
const data = await openData({ directory });
await migrate(data);
const fleet = await startFleet(data, { directory, timings: { lease: 900, grace: 200 } });
startWorker(fleet, 'built-in', async (job, signal) => {
  await wait(20);
  return await reversing(job, signal);
}, { slots: 2 });
process.stdout.write('ready\n');
for (let i = 0; i < Number(count); i += 1) {
  const input = await fleet.upload('alice', randomBytes(2_000));
  const job = await fleet.submit('alice', { arguments: ['-i', '{in:0}', '-c', 'copy', '{out:a.mp4}'], inputs: [{ cid: input.cid }], outputs: ['a.mp4'] });
  process.stdout.write(`${job.job_id}\n`);
}
setInterval(() => undefined, 1_000);
