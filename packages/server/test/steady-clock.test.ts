import { expect, test } from 'vitest';
import { openData } from '@weir/data/data';
import { migrate } from '@weir/data/migrate';
import { temporaryFolder } from '../../data/test/support/temporary.ts';
import { openSteadyClock } from '../src/steady-clock.ts';

test('time never goes back, within a process and over a restart', async () => {
  await using folder = await temporaryFolder();
  await using data = await openData({ directory: folder.join('data') });
  await migrate(data);
  let machine = 1_000_000;
  {
    await using clock = await openSteadyClock(data, () => machine, fail);
    expect(clock.now()).toBe(1_000_000);
    machine = 900_000;
    expect(clock.now()).toBe(1_000_000);
    machine = 1_500_000;
    expect(clock.now()).toBe(1_500_000);
  }
  machine = 1_200_000;
  await using again = await openSteadyClock(data, () => machine, fail);
  expect(again.now()).toBe(1_500_000);
  expect(again.behindMs).toBe(300_000);
  machine = 1_600_000;
  expect(again.now()).toBe(1_600_000);
});

function fail(error: unknown): never {
  throw error;
}
