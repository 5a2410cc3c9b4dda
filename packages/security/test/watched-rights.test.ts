/** What is open is told once when its right ends: by a move, by time, by a check that fails, by a store that is gone. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Epochs } from '../src/epochs.ts';
import { WatchedRights, type Watched } from '../src/watched-rights.ts';

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

/** A store whose moves are written down, and rights that a test ends. */
function world() {
  const moves: string[] = [];
  const state = { broken: false, endings: new Map<string, string>(), asked: [] as string[], told: [] as string[] };
  const epochs = new Epochs({
    since: async (sequence) => {
      if (state.broken) throw new Error('the store is away');
      return { sequence: moves.length, subjects: moves.slice(sequence) };
    },
  }, () => Date.now());
  const rights = new WatchedRights(epochs, () => Date.now());
  const watch = (name: string, more: Partial<Watched> = {}): Disposable => rights.watch({
    movedBy: (subject) => subject === name, expiresAtMs: Infinity, onEnd: (reason) => { state.told.push(`${name}: ${reason}`); },
    ended: async () => { state.asked.push(name); return state.endings.get(name); }, ...more,
  });
  const passed = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  return {
    state, epochs, rights, watch, passed,
    /** Something moved, and nobody reads it before the next poll. */
    movedAlone: (...subjects: string[]) => { moves.push(...subjects); },
    moved: async (...subjects: string[]) => { moves.push(...subjects); await epochs.refresh(); await passed(0); },
  };
}

test('a right is asked about when it is first watched, and when what it stands on moves', async () => {
  const { state, watch, moved, passed, rights } = world();
  watch('a');
  watch('b');
  await passed(0);
  expect(state.asked.toSorted()).toEqual(['a', 'b']);
  state.asked = [];
  await moved('a', 'elsewhere');
  expect(state.asked).toEqual(['a']);
  await moved('everything');
  expect(state.asked.toSorted()).toEqual(['a', 'a', 'b']);
  expect(state.told).toEqual([]);
  rights[Symbol.dispose]();
});

test('its end is told once, with the reason, and then nothing is asked any more', async () => {
  const { state, watch, moved, passed, rights } = world();
  watch('a');
  await passed(0);
  state.endings.set('a', 'revoked');
  await moved('a', 'a');
  await moved('a');
  expect(state.told).toEqual(['a: revoked']);
  state.asked = [];
  await moved('everything');
  expect(state.asked).toEqual([]);
  rights[Symbol.dispose]();
});

test('what ended before it was watched is told as well', async () => {
  const { state, watch, passed, rights } = world();
  state.endings.set('a', 'ended');
  watch('a');
  await passed(0);
  expect(state.told).toEqual(['a: ended']);
  rights[Symbol.dispose]();
});

test('a right that can not be checked has ended', async () => {
  const { state, watch, passed, rights } = world();
  watch('a', { ended: async () => { throw new Error('no answer'); } });
  await passed(0);
  expect(state.told).toEqual(['a: the right can not be checked']);
  rights[Symbol.dispose]();
});

test('at its expiry it is asked about, and again while it was made longer', async () => {
  const { state, watch, passed, rights } = world();
  watch('a', { expiresAtMs: Date.now() + 5_000 });
  await passed(0);
  state.asked = [];
  await passed(4_990);
  expect(state.asked).toEqual([]);
  await passed(30);
  expect(state.asked).toEqual(['a']);
  expect(state.told).toEqual([]);
  state.endings.set('a', 'expired');
  await passed(6_000);
  expect(state.told).toEqual(['a: expired']);
  rights[Symbol.dispose]();
});

test('one that ends beyond the reach of a timer ends in time and not at once', async () => {
  const { state, epochs, watch, passed, rights } = world();
  const day = 86_400_000;
  watch('a', { expiresAtMs: Date.now() + 40 * day, ended: async () => { state.asked.push('a'); return Date.now() >= start + 40 * day ? 'expired' : undefined; } });
  const start = Date.now();
  await passed(0);
  epochs.stop(); // a day of its readings would take long
  state.asked = [];
  vi.setSystemTime(start + 39 * day);
  await passed(day / 2);
  expect(state.asked).toEqual([]);
  await passed(day);
  expect(state.told).toEqual(['a: expired']);
  rights[Symbol.dispose]();
});

test('whoever closed hears nothing, and neither does anybody after the end of all', async () => {
  const { state, watch, moved, passed, rights } = world();
  const closed = watch('a', { expiresAtMs: Date.now() + 1_000 });
  watch('b', { expiresAtMs: Date.now() + 1_000 });
  await passed(0);
  closed[Symbol.dispose]();
  for (const name of ['a', 'b']) state.endings.set(name, 'over');
  await moved('a');
  expect(state.told).toEqual([]);
  rights[Symbol.dispose]();
  await moved('b', 'everything');
  await passed(10_000);
  expect(state.told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('without a store of rights all that is open ends: one that never answered at once, one that was lost soon', async () => {
  const never = world();
  never.state.broken = true;
  never.watch('a');
  never.watch('b');
  await never.passed(10_000);
  expect(never.state.told.toSorted()).toEqual(['a: the store of rights can not be read', 'b: the store of rights can not be read']);
  never.state.broken = false;
  never.watch('a');
  await never.passed(0);
  never.state.endings.set('a', 'revoked');
  never.movedAlone('a');
  await never.passed(1_000);
  expect(never.state.told.at(-1), 'the store came back, and is read again for what is opened then').toBe('a: revoked');
  never.rights[Symbol.dispose]();
  const lost = world();
  lost.watch('a');
  await lost.passed(1_000);
  expect(lost.state.told).toEqual([]);
  lost.state.broken = true;
  await lost.passed(10_000);
  expect(lost.state.told).toEqual(['a: the store of rights can not be read']);
  lost.rights[Symbol.dispose]();
});
