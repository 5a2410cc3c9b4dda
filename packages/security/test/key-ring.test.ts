import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { KeyRing, sealedUnder } from '../src/key-ring.ts';
import { newMasterKey, parseMasterKeys, printMasterKeys } from '../src/master-keys.ts';
import { Secret } from '../src/secret.ts';
import { mutations } from './mutations.ts';
import { runs } from './runs.ts';

const first = newMasterKey('2026-01');
const second = newMasterKey('2026-02');
const ring = new KeyRing({ current: '2026-01', keys: [first] });
const rotated = new KeyRing({ current: '2026-02', keys: [first, second] });
const wrong = expect.objectContaining({ code: 'keys.wrong' });

test('a ring whose keys were replaced seals under the new current one, opens what the old one sealed, and refuses a current key that is not there', () => {
  const [one, two] = [newMasterKey('one'), newMasterKey('two')];
  const ring = new KeyRing({ current: 'one', keys: [one] });
  const sealed = ring.seal('p', 's', Buffer.from('secret'));
  ring.replace({ current: 'two', keys: [one, two] });
  expect(ring.currentId).toBe('two');
  expect(ring.open('p', 's', sealed).toString()).toBe('secret');
  expect(sealedUnder(ring.seal('p', 's', Buffer.from('secret')))).toBe('two');
  expect(() => ring.replace({ current: 'three', keys: [one, two] })).toThrow(expect.objectContaining({ code: 'keys.wrong' }));
  expect(ring.currentId).toBe('two');
});

test('what was sealed opens for the same purpose and subject, and every sealing differs', () => {
  fc.assert(fc.property(fc.string(), fc.string(), fc.uint8Array({ maxLength: 300 }), (purpose, subject, plaintext) => {
    const sealed = ring.seal(purpose, subject, plaintext);
    expect(new Uint8Array(ring.open(purpose, subject, sealed))).toEqual(plaintext);
    expect(Buffer.from(ring.seal(purpose, subject, plaintext)).equals(sealed)).toBe(false);
    expect(sealedUnder(sealed)).toBe('2026-01');
  }), { numRuns: runs(200) });
});

test('a sealed value opens nowhere else: moving letters between purpose and subject does not help', () => {
  const sealed = ring.seal('hmac-key', 'alice', Buffer.from('x'));
  for (const [purpose, subject] of [['hmac-key', 'bob'], ['token-key', 'alice'], ['hmac-keya', 'lice'], ['hmac-ke', 'yalice'], ['', 'hmac-keyalice']] as const) {
    expect(() => ring.open(purpose, subject, sealed)).toThrow(wrong);
  }
});

test('a change of any byte is noticed', () => {
  const sealed = ring.seal('p', 's', Buffer.from('some plaintext'));
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Uint8Array.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 0x01;
    expect(() => ring.open('p', 's', changed), `byte ${at}`).toThrow(wrong);
    expect(() => ring.open('p', 's', sealed.subarray(0, at))).toThrow(wrong);
  }
});

test('after a rotation old values still open, new ones are under the new key, and resealing moves them', () => {
  const old = ring.seal('p', 's', Buffer.from('secret'));
  expect(rotated.open('p', 's', old).toString()).toBe('secret');
  const moved = rotated.reseal('p', 's', old);
  expect(sealedUnder(moved)).toBe('2026-02');
  expect(rotated.open('p', 's', moved).toString()).toBe('secret');
  expect(() => ring.open('p', 's', moved)).toThrow(wrong);
  expect(() => new KeyRing({ current: 'absent', keys: [first] })).toThrow(wrong);
});

test('derived keys differ by purpose and by master key, and are the same again', () => {
  expect(rotated.derive('tokens').equals(rotated.derive('tokens'))).toBe(true);
  expect(rotated.derive('tokens').equals(rotated.derive('names'))).toBe(false);
  expect(rotated.derive('tokens', '2026-01').equals(ring.derive('tokens'))).toBe(true);
  expect(rotated.derive('tokens').equals(ring.derive('tokens'))).toBe(false);
  expect(rotated.derive('tokens').export()).not.toEqual(second.secret.reveal());
});

test('a key for a purpose is derived once and kept', () => {
  const again = new KeyRing({ current: first.id, keys: [first] });
  expect(again.derive('names')).toBe(again.derive('names'));
});

test('the ring keeps working after the secrets it was made from are wiped', () => {
  const key = newMasterKey('k');
  const own = new KeyRing({ current: 'k', keys: [key] });
  const sealed = own.seal('p', 's', Buffer.from('x'));
  key.secret.dispose();
  expect(own.open('p', 's', sealed).toString()).toBe('x');
});

test('random bytes never open and never throw anything else', () => {
  for (let at = 0; at < runs(500); at += 1) {
    const sealed = randomBytes(at % 90);
    if (at % 2 === 0 && sealed.length > 2) sealed.set([1, 7], 0);
    expect(() => ring.open('p', 's', sealed)).toThrow(wrong);
  }
});

test('the master key file reads as it was printed', () => {
  const text = printMasterKeys({ current: '2026-02', keys: [first, second] });
  const read = parseMasterKeys(text);
  expect(read.current).toBe('2026-02');
  expect(read.keys.map(({ id }) => id)).toEqual(['2026-01', '2026-02']);
  expect(read.keys[0]?.secret.equals(first.secret)).toBe(true);
  expect(printMasterKeys(read)).toBe(text);
});

test('a master key is named as file names are', () => {
  for (const id of ['', 'A', 'a.b', 'a b', 'ä', 'a\n', 'a'.repeat(33)]) expect(() => newMasterKey(id), id).toThrow(expect.objectContaining({ code: 'request.invalid', message: expect.stringContaining('at most 32') }));
  expect(newMasterKey('a'.repeat(32)).secret.reveal()).toHaveLength(32);
});

test('a refused master key file says what is wrong with it and what to do', () => {
  const key = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
  const good = { version: 1, current: 'a', keys: [{ id: 'a', key }] };
  const many = (count: number) => Array.from({ length: count }, (_, at) => ({ id: `k${at}`, key }));
  for (const [file, why] of [
    [{ version: 1, current: 'a', kyes: good.keys }, 'needs exactly "version", "current" and "keys"'], [[], 'needs exactly "version"'], [{ ...good, version: '1' }, 'version is not 1'],
    [{ ...good, keys: [] }, '1 to 32 keys'], [{ ...good, keys: {} }, '1 to 32 keys'], [{ ...good, keys: many(33) }, '1 to 32 keys'], [{ ...good, keys: [...good.keys, ...good.keys] }, 'the same id'],
    [{ ...good, current: 1 }, 'names none of its keys'], [{ ...good, keys: [{ id: 5, key }], current: '5' }, 'exactly "id" and "key"'], [{ ...good, keys: [{ id: 'a', key: 5 }] }, 'exactly "id" and "key"'],
    [{ ...good, keys: [{ id: 'a', kye: key }] }, 'exactly "id" and "key"'], [{ ...good, keys: [{ id: 'a b', key }] }, 'a key is named with'], [{ ...good, keys: [{ id: 'a', key: 'AAEC' }] }, 'not the base64 of 32 bytes'],
  ] as const) expect(() => parseMasterKeys(JSON.stringify(file)), JSON.stringify(file)).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.stringMatching(new RegExp(`${why}.*Restore it from a backup`)) }));
  expect(parseMasterKeys(JSON.stringify({ ...good, current: 'k31', keys: many(32) }))).toMatchObject({ current: 'k31', keys: { length: 32 } });
  expect(parseMasterKeys(JSON.stringify(good).padEnd(16_384)).current).toBe('a');
  expect(() => parseMasterKeys(JSON.stringify(good).padEnd(16_385))).toThrow('longer than 16 KiB');
});

test('a master key file of any other form is refused, and the refusal repeats no key', () => {
  const key = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
  const good = { version: 1, current: 'a', keys: [{ id: 'a', key }] };
  expect(parseMasterKeys(JSON.stringify(good)).keys).toHaveLength(1);
  const bad: unknown[] = [
    { ...good, version: 2 }, { ...good, current: 'b' }, { ...good, keys: [] }, { ...good, extra: 1 }, { ...good, keys: [{ id: 'a', key, more: 1 }] },
    { ...good, keys: [{ id: 'A', key }] }, { ...good, keys: [{ id: 'a', key: key.slice(0, -1) }] }, { ...good, keys: [{ id: 'a', key: key.replace('8=', '9=') }] },
    { ...good, keys: [{ id: 'a', key }, { id: 'a', key }] }, { ...good, keys: Array.from({ length: 33 }, (_, at) => ({ id: `k${at}`, key })) }, [], null, 'x',
  ];
  for (const value of bad) expect(() => parseMasterKeys(JSON.stringify(value))).toThrow(expect.objectContaining({ code: 'config.invalid', message: expect.not.stringContaining('AAECAw') }));
  expect(() => parseMasterKeys(JSON.stringify(good).replace('"version":1', '"version":1,"version":1'))).toThrow(WeirError);
  for (const text of mutations([JSON.stringify(good)], runs(3_000))) {
    try { parseMasterKeys(text); } catch (error) { expect(error).toBeInstanceOf(WeirError); }
  }
});

test('what a ring sealed and derived before is what it opens and derives after any change of this program', () => {
  const master = Buffer.alloc(32, 7);
  const fixed = new KeyRing({ current: 'fixed', keys: [{ id: 'fixed', secret: new Secret(master) }] });
  const field = (text: string): Buffer => { const head = Buffer.alloc(4); head.writeUInt32BE(Buffer.byteLength(text)); return Buffer.concat([head, Buffer.from(text)]); };
  const sub = (use: string, purpose: string): Buffer => Buffer.from(hkdfSync('sha256', master, '', Buffer.concat(['weir/key-ring/v1', use, purpose].map(field)), 32));
  expect(fixed.derive('names').export()).toEqual(sub('derive', 'names'));
  const nonce = Buffer.alloc(12, 3);
  const cipher = createCipheriv('aes-256-gcm', sub('seal', ''), nonce);
  cipher.setAAD(Buffer.concat([Buffer.from([0, 0, 0, 1, 1]), field('token-key'), field('alice')]));
  const ciphertext = Buffer.concat([cipher.update('secret'), cipher.final()]);
  const envelope = (body: Buffer): Buffer => Buffer.concat([Buffer.from([1, 5]), Buffer.from('fixed'), nonce, cipher.getAuthTag(), body]);
  expect(fixed.open('token-key', 'alice', envelope(ciphertext)).toString()).toBe('secret');
  expect(() => fixed.open('token-key', 'bob', envelope(ciphertext))).toThrow(expect.objectContaining({ code: 'keys.wrong', message: expect.stringContaining('token-key'), cause: expect.any(Error) }));
  expect(fixed.open('p', 's', fixed.seal('p', 's', Buffer.alloc(0))), 'nothing can be sealed too').toHaveLength(0);
  for (const cut of [0, 1, 2, 7, 19, 34]) expect(() => fixed.open('token-key', 'alice', envelope(ciphertext).subarray(0, cut)), String(cut)).toThrow(expect.objectContaining({ message: expect.stringContaining('form') }));
  expect(() => rotated.open('token-key', 'alice', envelope(ciphertext))).toThrow(expect.objectContaining({ message: expect.stringContaining('"fixed"') }));
});
