/** Keys that sign requests: replaced with an overlap, and never more than two that are accepted. */
import { expect } from 'vitest';
import { KeyRing } from '@weir/security/key-ring';
import { newMasterKey } from '@weir/security/master-keys';
import { parseDffmpegKey } from '@weir/security/request-signing/dffmpeg';
import { builtinRoles } from '@weir/security/roles';
import { identityStore } from '../src/security-stores/identity-store.ts';
import { addHmacKey, addPrincipal } from '../src/security-stores/principals.ts';
import { forEachEngine } from './support/engines.ts';

const keyRing = new KeyRing({ current: 'test', keys: [newMasterKey('test')] });
const start = 1_790_000_000_000;
const hourMs = 3_600_000;

forEachEngine('a key that is replaced goes on for its overlap, and one that was replaced before it ends then', async (fresh) => {
  await using data = await fresh.open();
  await data.write((tx) => addPrincipal(tx, builtinRoles, { id: 'alice', role: 'client' }, start));
  const made: string[] = [];
  const rotate = async (now: number): Promise<void> => { made.push(await data.write((tx) => addHmacKey(tx, keyRing, 'alice', { now, overlapMs: hourMs }))); };
  /** Which of the keys that were made are accepted, in the order in which they are tried. */
  const live = async (now: number): Promise<number[]> => {
    const record = await identityStore(data.read, keyRing, builtinRoles).principal('alice');
    return (record?.keys ?? []).filter((key) => key.expiresAtMs > now).map(({ key }) => made.findIndex((text) => parseDffmpegKey(text).equals(key)));
  };
  await rotate(start);
  expect(await live(start)).toEqual([0]);
  await rotate(start + 1_000);
  expect([await live(start + 1_000), await live(start + 1_000 + hourMs)]).toEqual([[1, 0], [1]]);
  await rotate(start + 2_000);
  expect(await live(start + 2_000)).toEqual([2, 1]);
  await data.write(async (tx) => { made.push(await addHmacKey(tx, keyRing, 'alice', { now: start + 3_000 })); });
  expect(await live(start + 3_000)).toEqual([3]);
});
