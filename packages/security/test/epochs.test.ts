import { expect, test } from 'vitest';
import { Directory } from '../src/directory.ts';
import { Epochs, type EpochStore } from '../src/epochs.ts';

class MovableStore implements EpochStore {
  readonly moves: { sequence: number; subject: string }[] = [];
  broken = false;
  move(subject: string): void { this.moves.push({ sequence: this.moves.length + 1, subject }); }
  async since(sequence: number): Promise<{ sequence: number; subjects: string[] }> {
    if (this.broken) throw new Error('the store is away');
    const page = this.moves.filter((move) => move.sequence > sequence).slice(0, 2);
    return { sequence: page.at(-1)?.sequence ?? sequence, subjects: page.map(({ subject }) => subject) };
  }
}

test('a refresh tells every move once and in order, across pages', async () => {
  const store = new MovableStore();
  const epochs = new Epochs(store);
  const told: string[] = [];
  epochs.onMove((subjects) => told.push(...subjects));
  for (const subject of ['a', 'b', 'c', 'd', 'e']) store.move(subject);
  await epochs.refresh();
  await epochs.refresh();
  expect(told).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('a caller that comes while a reading runs gets one that began after its call', async () => {
  const store = new MovableStore();
  const epochs = new Epochs(store);
  const told: string[] = [];
  epochs.onMove((subjects) => told.push(...subjects));
  const first = epochs.refresh();
  store.move('late');
  await epochs.refresh();
  expect(told).toEqual(['late']);
  await first;
});

test('a node that could not read for a second admits nothing, and a clock set back is not fresh', async () => {
  const store = new MovableStore();
  let now = 10_000;
  const epochs = new Epochs(store, () => now);
  await epochs.refresh();
  expect(epochs.fresh).toBe(true);
  now += 1_000;
  expect(epochs.fresh).toBe(false);
  store.broken = true;
  await expect(epochs.ensureFresh()).rejects.toMatchObject({ code: 'storage.failed' });
  now -= 5_000;
  expect(epochs.fresh).toBe(false);
  store.broken = false;
  await epochs.ensureFresh();
  expect(epochs.fresh).toBe(true);
});

test('a row that moves while it is read is not kept', async () => {
  let value = 'old';
  let release = (): void => undefined;
  const directory = new Directory<string>(async () => {
    const read = value;
    await new Promise<void>((resolve) => { release = resolve; });
    return read;
  });
  const reading = Promise.resolve(directory.find('k'));
  await Promise.resolve();
  value = 'new';
  directory.forget('k');
  release();
  expect(await reading).toBe('old');
  const again = Promise.resolve(directory.find('k'));
  await Promise.resolve();
  release();
  expect(await again).toBe('new');
  expect(directory.find('k')).toBe('new');
});

test('absent rows are remembered, and the cache never exceeds its limit', async () => {
  let loads = 0;
  const directory = new Directory<number>(async () => { loads += 1; return undefined; }, 3);
  for (const key of ['a', 'b', 'c', 'd', 'd', 'd']) await directory.find(key);
  expect(loads).toBe(4);
  await directory.find('a');
  expect(loads).toBe(5);
});
