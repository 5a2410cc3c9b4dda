import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { expect, test } from 'vitest';
import { IssuerKeys } from '../src/issuer-keys.ts';

async function jwk(kid: string): Promise<JWK> {
  return { ...await exportJWK((await generateKeyPair('EdDSA', { extractable: true })).publicKey), kid, alg: 'EdDSA' };
}

/** A set whose reading is counted and can fail, and a clock that the test moves. */
function source() {
  const state = { now: 1_000_000, keys: [] as JWK[], readings: 0, fails: false, maxAgeSeconds: undefined as number | undefined, errors: 0 };
  const keys = new IssuerKeys({
    clock: () => state.now, onError: () => { state.errors += 1; },
    read: async () => {
      state.readings += 1;
      if (state.fails) throw new Error('unreachable');
      return { text: JSON.stringify({ keys: state.keys }), maxAgeSeconds: state.maxAgeSeconds };
    },
  });
  return { state, keys };
}
const minute = 60_000;

test('a set is read once and kept as long as its server says, between a minute and an hour', async () => {
  for (const [said, keptMs] of [[undefined, 10 * minute], [1, minute], [300, 5 * minute], [86_400, 60 * minute]] as const) {
    const { state, keys } = source();
    state.keys = [await jwk('a')];
    state.maxAgeSeconds = said;
    expect(await keys.find('a', 'EdDSA')).toBeDefined();
    state.now += keptMs - 1;
    await keys.find('a', 'EdDSA');
    expect(state.readings).toBe(1);
    state.now += 1;
    await keys.find('a', 'EdDSA');
    expect(state.readings).toBe(2);
  }
});

test('an unknown key id has the set read again at most once a minute, also when many ask at once', async () => {
  const { state, keys } = source();
  state.keys = [await jwk('a')];
  await keys.find('a', 'EdDSA');
  state.now += minute;
  expect(await Promise.all(Array.from({ length: 50 }, (_, index) => keys.find(`b${index}`, 'EdDSA')))).toEqual(Array.from({ length: 50 }, () => undefined));
  expect(state.readings).toBe(2);
  state.keys = [await jwk('a'), await jwk('b')];
  expect(await keys.find('b', 'EdDSA')).toBeUndefined();
  state.now += minute;
  expect(await keys.find('b', 'EdDSA')).toBeDefined();
  expect(state.readings).toBe(3);
});

test('a key that its issuer removed is gone with the next reading; one that stays is the same object', async () => {
  const { state, keys } = source();
  state.keys = [await jwk('a'), await jwk('b')];
  const [a, b] = [await keys.find('a', 'EdDSA'), await keys.find('b', 'EdDSA')];
  if (a === undefined || b === undefined) throw new Error('two keys were expected');
  expect([keys.holds(a), keys.holds(b)]).toEqual([true, true]);
  state.keys = state.keys.slice(0, 1);
  state.now += 10 * minute;
  expect(await keys.find('a', 'EdDSA')).toBe(a);
  expect(await keys.find('b', 'EdDSA')).toBeUndefined();
  expect([keys.holds(a), keys.holds(b)]).toEqual([true, false]);
});

test('a set that can not be read again is used for an hour and no longer, and its source is not hammered', async () => {
  const { state, keys } = source();
  state.keys = [await jwk('a')];
  await keys.find('a', 'EdDSA');
  state.fails = true;
  for (let minutes = 10; minutes < 60; minutes += 1) {
    state.now = 1_000_000 + minutes * minute;
    expect(await keys.find('a', 'EdDSA')).toBeDefined();
    await keys.find('a', 'EdDSA');
  }
  expect(state.readings).toBe(51);
  expect(state.errors).toBe(50);
  state.now = 1_000_000 + 60 * minute;
  expect(await keys.find('a', 'EdDSA')).toBeUndefined();
  state.fails = false;
  state.now += minute;
  expect(await keys.find('a', 'EdDSA')).toBeDefined();
});

test('a set that never came is asked for again after five seconds', async () => {
  const { state, keys } = source();
  state.fails = true;
  expect(await keys.find('a', 'EdDSA')).toBeUndefined();
  state.fails = false;
  state.keys = [await jwk('a')];
  expect(await keys.find('a', 'EdDSA')).toBeUndefined();
  state.now += 5_000;
  expect(await keys.find('a', 'EdDSA')).toBeDefined();
});

test.each(['', '{}', '[]', '{"keys":{}}', '{"keys":[],"keys":[]}', `{"keys":[${'{},'.repeat(100)}{}]}`, `{"keys":[],"x":"${'x'.repeat(262_144)}"}`])('no set: %#', async (text) => {
  const errors: unknown[] = [];
  const keys = new IssuerKeys({ read: async () => ({ text }), onError: (error) => errors.push(error) });
  expect(await keys.find('a', 'EdDSA')).toBeUndefined();
  expect(errors).toHaveLength(1);
});
