/** Contents that carry their keys: whole or not at all, under the key ring or a detached key, and readable after any change of this program. */
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyRing } from '../src/key-ring.ts';
import { newEncryptionKey, openStream, sealStream, type EncryptionKey } from '../src/sealed-content.ts';
import { Secret } from '../src/secret.ts';
import { runs } from './runs.ts';

const keyRing = new KeyRing({ current: 'fixed', keys: [{ id: 'fixed', secret: new Secret(Buffer.from(Array.from({ length: 32 }, (_, at) => at))) }] });

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const seal = (key: EncryptionKey, context: string, plain: Buffer, size = plain.length): Promise<Buffer> => buffer(sealStream(keyRing, key, context, pieces(plain, size)));
const open = (given: EncryptionKey | undefined, context: string, sealed: Buffer, size = sealed.length): Promise<Buffer> => buffer(openStream(keyRing, given, context, pieces(sealed, size)));
const damaged = expect.objectContaining({ code: 'content.damaged', message: expect.stringContaining('not a whole content') });

test('what was sealed is opened, in pieces of any size, by the ring alone or with the detached key', async () => {
  await fc.assert(fc.asyncProperty(fc.constantFrom(128, 256), fc.boolean(), fc.constantFrom(0, 1, 16_383, 16_384, 16_385, 40_000), fc.integer({ min: 1, max: 20_000 }), async (bits, detached, length, size) => {
    const key = newEncryptionKey(keyRing, bits, detached);
    const plain = Buffer.alloc(length, 7);
    const sealed = await seal(key, 'here', plain, size);
    expect(await open(detached ? key : undefined, 'here', sealed, size)).toEqual(plain);
    await expect(open(key, 'there', sealed)).rejects.toThrow();
  }), { numRuns: runs(60) });
});

test('a content that was sealed by an earlier version opens', async () => {
  const sealed = Buffer.from('AQIAQwEFZml4ZWREIxMAfaulqv1q2O-02wEzdeOBjJwIbf_u9mM8acTI_Kb0-jdodbKfas0Sq4gf03GLUu6e7EqcKfzn4hliR93JWUv-MrkJEPAXAy4kXa1LLygZXKl8XDaTsQ0XHBzeKJ35zF2wtblXKuYTAc0Am8KeBrvjRUDJB0-B7JQnH7rRKf7R267jpANzDle2WFfb83758A', 'base64url');
  expect((await open(undefined, 'a place', sealed)).toString()).toBe('kept for later');
});

test('rubbish, a cut at any place and another version are no content, and nothing of them is given out', async () => {
  const sealed = await seal(newEncryptionKey(keyRing, 256, false), 'here', Buffer.from('some bytes'));
  for (let length = 0; length < sealed.length; length += 1) await expect(open(undefined, 'here', sealed.subarray(0, length), 64), String(length)).rejects.toThrow(expect.objectContaining({ code: 'content.damaged' }));
  for (const [at, value] of [[0, 0], [0, 2], [1, 0], [1, 3]] as const) {
    const other = Buffer.from(sealed);
    other[at] = value;
    await expect(open(undefined, 'here', other)).rejects.toThrow(damaged);
  }
  await expect(open(undefined, 'here', Buffer.from('rubbish, and nothing that was sealed'))).rejects.toThrow(damaged);
  await expect(open(undefined, 'here', Buffer.alloc(3))).rejects.toThrow(damaged);
});

test('what was sealed under a detached key asks for that key', async () => {
  const key = newEncryptionKey(keyRing, 128, true);
  const sealed = await seal(key, 'here', Buffer.from('some bytes'));
  for (const given of [undefined, { ...key, wrapped: '' }, { ...key, wrapped: 'not base64url!' }]) {
    await expect(open(given, 'here', sealed)).rejects.toThrow(expect.objectContaining({ code: 'keys.wrong', message: expect.stringContaining('a detached key; give that key') }));
  }
  await expect(open(newEncryptionKey(keyRing, 128, true), 'here', sealed)).rejects.toThrow();
  await expect(seal({ ...key, wrapped: 'not base64url!' }, 'here', Buffer.alloc(1))).rejects.toThrow(damaged);
});
