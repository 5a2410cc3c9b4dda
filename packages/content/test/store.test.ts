/** How content is encrypted at rest: with keys of 256 or 128 bits, under the key ring alone or under a key of its owner, whose destruction erases it. */
import { randomBytes } from 'node:crypto';
import type { Data } from '@weir/data/data';
import { addPrincipal, deletePrincipal } from '@weir/data/security-stores/principals';
import { userKeyOf } from '@weir/data/security-stores/user-keys';
import { KeyRing } from '@weir/security/key-ring';
import { newMasterKey } from '@weir/security/master-keys';
import { builtinRoles } from '@weir/security/roles';
import { expect } from 'vitest';
import { forEachEngine } from '../../data/test/support/engines.ts';
import { findHolding } from '../src/holdings.ts';
import { ContentStore, type ContentEncryption, type HoldingRow } from '../src/store.ts';
import { collect, pieces, testStore, type TestStore } from './support.ts';

const now = 1_790_000_000_000;
const film = randomBytes(3_000_000);

async function withPrincipals(data: Data): Promise<void> {
  await data.write(async (tx) => {
    await addPrincipal(tx, builtinRoles, { id: 'root', role: 'admin' }, now);
    for (const id of ['ann', 'bob']) await addPrincipal(tx, builtinRoles, { id, role: 'user' }, now);
  });
}

async function upload(data: Data, store: ContentStore, owner: string, bytes: Uint8Array = film): Promise<HoldingRow> {
  const received = await store.receive(pieces(bytes, 500_000), { maxBytes: 10_000_000 });
  return data.write((tx) => store.publish(tx, owner, received, { title: 'Film', contentType: received.contentType, policy: null, ceilings: '[]', origin: null, now }));
}
const read = async (store: ContentStore, row: HoldingRow, start = 0, end = row.size): Promise<Buffer> => Buffer.concat(await collect(store.read(row, { start, end })));

const keyRing = (): KeyRing => new KeyRing({ current: 'one', keys: [newMasterKey('one')] });
const storeOf = ({ store }: TestStore, data: Data, ring: KeyRing, encryption: ContentEncryption): ContentStore => new ContentStore(store, ring, data.read, encryption);

forEachEngine('content is read back whatever its key, after the setting has changed too', async (fresh) => {
  await using data = await fresh.open();
  await using folder = await testStore();
  const ring = keyRing();
  const settings = [
    { encrypt: false }, { encrypt: true }, { encrypt: true, keyBits: 128 }, { encrypt: true, keyScope: 'user' }, { encrypt: true, keyBits: 128, keyScope: 'user' },
  ] as const satisfies readonly ContentEncryption[];
  const rows = await Promise.all(settings.map((setting, index) => upload(data, storeOf(folder, data, ring, setting), `owner${index}`)));
  expect(rows.map((row) => [row.data_key === null, row.user_key === null])).toEqual([[true, true], [false, true], [false, true], [false, false], [false, false]]);
  for (const setting of settings) {
    for (const row of rows) expect((await read(storeOf(folder, data, ring, setting), row, 1_048_000, 1_060_000)).equals(film.subarray(1_048_000, 1_060_000))).toBe(true);
  }
});

forEachEngine('deleting a user erases what its key wrapped, nothing else, and for good', async (fresh) => {
  await using data = await fresh.open();
  await using folder = await testStore();
  await withPrincipals(data);
  const ring = keyRing();
  const byUser = storeOf(folder, data, ring, { encrypt: true, keyScope: 'user' });
  const older = await upload(data, storeOf(folder, data, ring, { encrypt: true }), 'ann', film.subarray(0, 1_000));
  const [ann, bob] = [await upload(data, byUser, 'ann'), await upload(data, byUser, 'bob')];
  await data.write((tx) => deletePrincipal(tx, builtinRoles, 'ann', now + 1));
  await expect(read(byUser, ann)).rejects.toThrow(expect.objectContaining({ code: 'object.absent' }));
  expect(await findHolding(data.read, 'ann', ann.digest)).toBeUndefined();
  expect((await read(byUser, bob)).equals(film)).toBe(true);
  expect((await read(byUser, older)).equals(film.subarray(0, 1_000))).toBe(true);
  // Somebody of the same name begins anew, with a key that opens nothing of before.
  await data.write((tx) => addPrincipal(tx, builtinRoles, { id: 'ann', role: 'user' }, now + 2));
  const again = await upload(data, byUser, 'ann');
  expect(again.user_key).not.toBe(ann.user_key);
  expect((await read(byUser, again)).equals(film)).toBe(true);
  await expect(read(byUser, ann)).rejects.toThrow(expect.objectContaining({ code: 'object.absent' }));
});

forEachEngine('a wrapped key opens under the key of its own owner and for its own blob only', async (fresh) => {
  await using data = await fresh.open();
  await using folder = await testStore();
  const store = storeOf(folder, data, keyRing(), { encrypt: true, keyScope: 'user' });
  const [ann, bob] = [await upload(data, store, 'ann'), await upload(data, store, 'bob')];
  for (const mixed of [{ ...ann, user_key: bob.user_key }, { ...ann, data_key: bob.data_key }, { ...ann, user_key: null }]) {
    await expect(read(store, mixed)).rejects.toThrow(expect.objectContaining({ code: 'keys.wrong' }));
  }
});

forEachEngine('of racing first uses one makes the key of a user', async (fresh) => {
  await using data = await fresh.open();
  const ring = keyRing();
  const keys = await Promise.all(Array.from({ length: 8 }, () => data.write((tx) => userKeyOf(tx, ring, 'ann', now))));
  expect(new Set(keys.map(({ id }) => id)).size).toBe(1);
  expect(new Set(keys.map(({ key }) => key.export().toString('hex'))).size).toBe(1);
});
