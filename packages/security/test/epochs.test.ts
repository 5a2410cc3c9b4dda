import { setTimeout as wait } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
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

test('only moves are told, each listener hears them until it stops, and the last number is known', async () => {
  const store = new MovableStore();
  const epochs = new Epochs(store);
  const told: [string, readonly string[]][] = [];
  const stop = epochs.onMove((subjects) => { told.push(['first', subjects]); });
  epochs.onMove((subjects) => { told.push(['second', subjects]); });
  await epochs.refresh();
  expect([told, epochs.sequence]).toEqual([[], 0]);
  store.move('a');
  await epochs.refresh();
  stop();
  for (const subject of ['b', 'c', 'd']) store.move(subject);
  await epochs.refresh();
  expect(told).toEqual([['first', ['a']], ['second', ['a']], ['second', ['b', 'c', 'd']]]);
  expect(epochs.sequence).toBe(4);
});

test('what is fresh is not read again, by the clock of the process where no other is given', async () => {
  let readings = 0;
  const epochs = new Epochs({ since: async (sequence) => { readings += 1; return { sequence, subjects: [] }; } });
  expect(epochs.fresh).toBe(false);
  await epochs.ensureFresh();
  expect([epochs.fresh, readings]).toEqual([true, 1]);
  await epochs.ensureFresh();
  expect(readings).toBe(1);
});

test('a refusal says why, keeps what the store said, and leaves no timer behind', async () => {
  vi.useFakeTimers();
  try {
    const store = new MovableStore();
    const epochs = new Epochs(store);
    await epochs.ensureFresh();
    store.broken = true;
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(epochs.ensureFresh()).rejects.toMatchObject({ message: expect.stringContaining('nothing is admitted'), cause: { message: 'the store is away' } });
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('polling keeps no process alive, and ends', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const store = new MovableStore();
  const epochs = new Epochs(store);
  const before = timers();
  await epochs.start(() => undefined);
  expect(timers()).toBe(before);
  epochs.stop();
  store.move('late');
  await wait(300);
  expect(epochs.sequence).toBe(0);
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

/** A store that can stop answering, as behind a cable that was pulled. */
class SilentStore extends MovableStore {
  silent = false;
  override async since(sequence: number): Promise<{ sequence: number; subjects: string[] }> {
    if (this.silent) await new Promise(() => undefined);
    return super.since(sequence);
  }
}

test('a store that never answers ends what runs after five seconds, once, and holds up nobody who asks', async () => {
  vi.useFakeTimers();
  try {
    const store = new SilentStore();
    const epochs = new Epochs(store, () => Date.now());
    let lost = 0;
    epochs.onLost(() => { lost += 1; });
    await epochs.start(() => undefined);
    store.silent = true;
    await vi.advanceTimersByTimeAsync(1_300);
    expect(epochs.fresh).toBe(false);
    const asked = epochs.ensureFresh().catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await asked).toMatchObject({ code: 'storage.failed' });
    await vi.advanceTimersByTimeAsync(1_500);
    expect(lost).toBe(0);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(lost).toBe(1);
    epochs.stop();
  } finally {
    vi.useRealTimers();
  }
});

test('what runs ends five seconds after the last reading, and whoever stopped listening does not hear of it', async () => {
  vi.useFakeTimers();
  try {
    const store = new SilentStore();
    const epochs = new Epochs(store, () => Date.now());
    const heard: string[] = [];
    const stop = epochs.onLost(() => { heard.push('stopped'); });
    epochs.onLost(() => { heard.push('listening'); });
    await epochs.start(() => undefined);
    store.silent = true;
    stop();
    await vi.advanceTimersByTimeAsync(4_999);
    expect(heard).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(heard).toEqual(['listening']);
    epochs.stop();
  } finally {
    vi.useRealTimers();
  }
});

test('a node that lost the store and found it again can lose it again', async () => {
  vi.useFakeTimers();
  try {
    const store = new MovableStore();
    const epochs = new Epochs(store, () => Date.now());
    let lost = 0;
    epochs.onLost(() => { lost += 1; });
    await epochs.start(() => undefined);
    for (const wanted of [1, 2]) {
      store.broken = true;
      await vi.advanceTimersByTimeAsync(7_000);
      expect(lost).toBe(wanted);
      store.broken = false;
      await vi.advanceTimersByTimeAsync(500);
      expect(epochs.fresh).toBe(true);
    }
    epochs.stop();
  } finally {
    vi.useRealTimers();
  }
});
