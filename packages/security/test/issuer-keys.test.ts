import { generateKeyPairSync } from 'node:crypto';
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

test('many who ask while the set is being read wait for it, and a name that can be none has nothing read', async () => {
  const { state, keys } = source();
  state.keys = [await jwk('a')];
  for (const id of ['', 'two words', 'k\n', 'k'.repeat(257)]) await keys.find(id, 'EdDSA');
  expect(state.readings).toBe(0);
  const found = await Promise.all(Array.from({ length: 5 }, () => keys.find('a', 'EdDSA')));
  expect(found.map((key) => key !== undefined)).toEqual([true, true, true, true, true]);
  expect(state.readings).toBe(1);
});

test('the pause between readings is five seconds until one worked and a minute from then on', async () => {
  const { state, keys } = source();
  state.fails = true;
  const readingsAfter = async (ms: number): Promise<number> => { state.now += ms; await keys.find('a', 'EdDSA'); return state.readings; };
  expect([await readingsAfter(0), await readingsAfter(4_999), await readingsAfter(1), await readingsAfter(4_999)]).toEqual([1, 1, 2, 2]);
  state.fails = false;
  expect([await readingsAfter(1), await readingsAfter(minute - 1), await readingsAfter(1)]).toEqual([3, 3, 4]);
});

test('a set of a hundred keys and 262 144 characters is one, and one that says why it is none is told of', async () => {
  const hundred = Array.from({ length: 99 }, () => ({ kty: 'oct' }));
  const text = JSON.stringify({ keys: [...hundred, await jwk('a')] });
  const errors: unknown[] = [];
  const found = async (of: string): Promise<boolean> => await new IssuerKeys({ read: async () => ({ text: of }), onError: (error) => errors.push(error) }).find('a', 'EdDSA') !== undefined;
  expect([await found(text.padEnd(262_144)), await found(text.padEnd(262_145)), await found(JSON.stringify({ keys: [...hundred, {}, await jwk('a')] }))]).toEqual([true, false, false]);
  expect(errors).toEqual([1, 2].map(() => expect.objectContaining({ message: expect.stringContaining('RFC 7517') })));
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

const pairOf = (kind: 'rsa' | 'ec' | 'ed25519', more: object = {}): JWK => {
  const { publicKey } = kind === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2_048, ...more }) : kind === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256', ...more }) : generateKeyPairSync('ed25519');
  return publicKey.export({ format: 'jwk' });
};
const [ed, ec, rsa] = [pairOf('ed25519'), pairOf('ec'), pairOf('rsa')];
const findIn = async (jwk: unknown, algorithm: 'EdDSA' | 'ES256' | 'RS256', id = 'k'): Promise<boolean> => {
  const keys = new IssuerKeys({ read: async () => ({ text: JSON.stringify({ keys: [jwk].flat() }) }), onError: (error) => { throw error; } });
  return await keys.find(id, algorithm) !== undefined;
};

test('each kind of key verifies under its one algorithm', async () => {
  for (const [jwk, own] of [[ed, 'EdDSA'], [ec, 'ES256'], [rsa, 'RS256']] as const) {
    for (const algorithm of ['EdDSA', 'ES256', 'RS256'] as const) expect(await findIn({ ...jwk, kid: 'k' }, algorithm), `${own} ${algorithm}`).toBe(own === algorithm);
    for (const fine of [{ alg: own }, { use: 'sig' }, { key_ops: ['verify'] }, { key_ops: ['sign', 'verify'] }, { x5c: ['anything'] }]) expect(await findIn({ ...jwk, kid: 'k', ...fine }, own), JSON.stringify(fine)).toBe(true);
    const others = ['EdDSA', 'ES256', 'RS256', 'HS256', 'RSA-OAEP'].filter((name) => name !== own).map((alg) => ({ alg }));
    for (const bad of [...others, { use: 'enc' }, { use: null }, { key_ops: ['encrypt'] }, { key_ops: [] }, { key_ops: 'verify' }, { kid: undefined }, { kid: 7 }, { kid: '' }, { kid: 'two words' }, { kty: 'oct' }, { kty: undefined }, { alg: null }]) {
      expect(await findIn({ ...jwk, kid: 'k', ...bad }, own), JSON.stringify(bad)).toBe(false);
    }
  }
});

test('RFC 7517 §5, RFC 8725 §3.5: weak, cut and foreign keys are left out, and the others are taken', async () => {
  const short = pairOf('rsa', { modulusLength: 2_040 });
  const large = { ...rsa, n: `${rsa.n ?? ''}${'A'.repeat(1_400)}` };
  const padded = { ...rsa, n: Buffer.concat([Buffer.alloc(1), Buffer.from(rsa.n ?? '', 'base64url')]).toString('base64url') };
  const bad: readonly (readonly [object, 'EdDSA' | 'ES256' | 'RS256'])[] = [
    [short, 'RS256'], [large, 'RS256'], [padded, 'RS256'], [{ ...rsa, e: 'Aw' }, 'RS256'], [{ ...rsa, n: undefined }, 'RS256'], [{ ...rsa, n: '' }, 'RS256'], [{ ...rsa, n: `${rsa.n ?? ''}=` }, 'RS256'],
    [pairOf('ec', { namedCurve: 'P-384' }), 'ES256'], [{ ...ec, x: 'AAAA' }, 'ES256'], [{ ...ec, y: 'AAAA' }, 'ES256'], [{ ...ec, y: undefined }, 'ES256'], [{ ...ec, crv: 'secp256k1' }, 'ES256'], [{ ...ec, kty: 'OKP' }, 'ES256'],
    [{ ...ec, y: ec.x }, 'ES256'], [{ ...ec, x: 'A'.repeat(43), y: 'A'.repeat(43) }, 'ES256'], [{ ...ec, kty: 'OKP', crv: 'Ed25519', y: undefined, alg: 'ES256' }, 'EdDSA'], [{ ...ec, kty: 'OKP' }, 'EdDSA'], [{ ...ec, kty: 'ec' }, 'ES256'],
    [pairOf('rsa', { modulusLength: 1_024 }), 'RS256'], ...['AQ', 'Ag', 'BA', 'AQAC', 'AAEAAQ', 'AQABAA', '', 'AQAB='].map((e) => [{ ...rsa, e }, 'RS256'] as const), [pairOf('ec', { namedCurve: 'secp256k1' }), 'ES256'],
    [{ ...ed, x: 'AAAA' }, 'EdDSA'], [{ ...ed, x: `${ed.x ?? ''}=` }, 'EdDSA'], [{ ...ed, x: (ed.x ?? '').replaceAll(/[-_]|^./g, '+') }, 'EdDSA'], [{ ...ed, crv: 'X25519' }, 'EdDSA'], [{ ...ed, x: undefined }, 'EdDSA'], [{ ...ed, kty: 'EC' }, 'EdDSA'],
  ];
  for (const [jwk, algorithm] of bad) {
    expect(await findIn({ ...jwk, kid: 'k' }, algorithm), JSON.stringify(jwk)).toBe(false);
    expect(await findIn([{ ...jwk, kid: 'k' }, { ...ed, kid: 'good' }], 'EdDSA', 'good')).toBe(true);
  }
  expect(await findIn({ ...ed, d: 'a private half', kid: 'k' }, 'EdDSA'), 'a private half is not taken in, the public one is').toBe(true);
  expect(await findIn({ kty: 'oct', k: 'c2VjcmV0', kid: 'k', alg: 'HS256' }, 'EdDSA')).toBe(false);
});

test('what is no key with a name of text hides no key beside it', async () => {
  const set = [null, 7, 'text', [], {}, { ...ed, kid: 7 }, { ...ed, kid: undefined }, { ...ed, kid: 'two words' }, { ...ed, kid: 'good' }];
  expect(await findIn(set, 'EdDSA', 'good')).toBe(true);
  for (const id of ['7', 'undefined', 'two words']) expect(await findIn(set, 'EdDSA', id), id).toBe(false);
});

test('of two keys of one name the first counts, and one name may stand for a key of each kind', async () => {
  const keys = new IssuerKeys({ read: async () => ({ text: JSON.stringify({ keys: [{ ...ed, kid: 'k' }, { ...pairOf('ed25519'), kid: 'k' }, { ...ec, kid: 'k' }] }) }), onError: (error) => { throw error; } });
  const found = await keys.find('k', 'EdDSA');
  expect(found === undefined ? undefined : (await exportJWK(found)).x).toBe(ed.x);
  expect(await keys.find('k', 'ES256')).toBeDefined();
  for (const id of ['', 'two words', 'k'.repeat(257), 'k\n']) expect(await keys.find(id, 'EdDSA')).toBeUndefined();
  expect(await findIn({ ...ed, kid: 'k'.repeat(256) }, 'EdDSA', 'k'.repeat(256))).toBe(true);
});
