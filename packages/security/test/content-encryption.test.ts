/** Cobblestone against its published vectors, and the properties that storage relies on. */
import { createSecretKey, hash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  chunkSize, headerSize, newMessage, openedMessageSize, openHeader, openMessage, openRun, sealedChunkSize, sealedMessageSize, sealedSize, sealMessage,
  sealRun, type Suite,
} from '../src/content-encryption.ts';

interface Vector { tcId: number; comment: string; key: string; ctx: string; ct: string; msgLength: number; msgSha512: string; result: 'valid' | 'invalid' }
const file: { testGroups: { tests: Vector[] }[] } = JSON.parse(readFileSync(new URL('vectors/c2sp-chunked-encryption-aes-256-gcm.json', import.meta.url), 'utf8'));
const vectors = file.testGroups.flatMap((group) => group.tests);
const runs = (n: number): number => Math.max(1, Math.round(n * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));
const key = createSecretKey(randomBytes(32));
const context = Buffer.from('weir/test\0');

test('the vector file is complete', () => expect(vectors).toHaveLength(35));

test.each(vectors)('vector $tcId: $comment', ({ key: keyHex, ctx, ct, msgLength, msgSha512, result }) => {
  const open = (): Buffer => openMessage(createSecretKey(Buffer.from(keyHex, 'hex')), Buffer.from(ctx, 'hex'), inflateSync(Buffer.from(ct, 'hex')));
  if (result === 'invalid') {
    expect(open).toThrow(expect.objectContaining({ name: 'WeirError' }));
    return;
  }
  const message = open();
  expect(message).toHaveLength(msgLength);
  expect(hash('sha512', message)).toBe(msgSha512);
});

test.each<[Suite, number]>([['cobblestone-256', 32], ['cobblestone-128', 16]])('%s opens what it sealed, around every boundary', (suite, keySize) => {
  const suiteKey = createSecretKey(randomBytes(keySize));
  for (const size of [0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize, 3 * chunkSize + 5]) {
    const plaintext = randomBytes(size);
    const message = sealMessage(suiteKey, context, plaintext, suite);
    expect(message).toHaveLength(sealedMessageSize(size));
    expect(openedMessageSize(message.length)).toBe(size);
    expect(openMessage(suiteKey, context, message, suite).equals(plaintext)).toBe(true);
  }
});

test('the suite is the one that a key is made for, where none is named', () => {
  for (const [size, suite] of [[16, 'cobblestone-128'], [32, 'cobblestone-256']] as const) {
    const sized = createSecretKey(randomBytes(size));
    expect(newMessage(sized, context).keys.suite).toBe(suite);
    expect(openMessage(sized, context, sealMessage(sized, context, Buffer.from('weir'), suite)).toString()).toBe('weir');
  }
});

test('a run that ends inside a tag, a header of another length or key, and a changed chunk are told apart in words', () => {
  const message = sealMessage(key, context, Buffer.alloc(chunkSize + 10));
  const keys = openHeader(key, context, message.subarray(0, headerSize));
  const says = (why: string) => expect.objectContaining({ code: 'content.damaged', message: expect.stringContaining(why) });
  for (const length of [1, 15, sealedChunkSize + 1, sealedChunkSize + 15]) expect(() => openRun(keys, 0, Buffer.from(message.subarray(headerSize, headerSize + length))), String(length)).toThrow(says('ends inside a chunk'));
  expect(openRun(keys, 0, Buffer.alloc(0))).toHaveLength(0);
  expect(() => openHeader(key, context, message.subarray(0, headerSize - 1))).toThrow(says('header is incomplete'));
  expect(() => openHeader(createSecretKey(randomBytes(32)), context, message.subarray(0, headerSize))).toThrow(says('this key for this place'));
  expect(() => openRun(keys, 1, Buffer.from(message.subarray(headerSize, headerSize + sealedChunkSize)))).toThrow(expect.objectContaining({ message: expect.stringContaining('chunk failed its check'), cause: expect.any(Error) }));
  for (const size of [0, 15, headerSize - 1, headerSize, headerSize + 15, headerSize + sealedChunkSize]) expect(() => openedMessageSize(size), String(size)).toThrow(says('cut off'));
});

test('a key of the wrong size is refused', () => {
  expect(() => newMessage(createSecretKey(randomBytes(16)), context, 'cobblestone-256')).toThrow(expect.objectContaining({ code: 'keys.wrong' }));
  expect(() => newMessage(createSecretKey(randomBytes(24)), context)).toThrow(expect.objectContaining({ code: 'keys.wrong' }));
});

test('any run of chunks opens alone', () => {
  const plaintext = randomBytes(10 * chunkSize + 100);
  const message = sealMessage(key, context, plaintext);
  const keys = openHeader(key, context, message.subarray(0, headerSize));
  fc.assert(fc.property(fc.nat(10), fc.nat(10), (a, b) => {
    const [first, last] = [Math.min(a, b), Math.max(a, b)];
    const run = message.subarray(headerSize + first * sealedChunkSize, headerSize + (last + 1) * sealedChunkSize);
    return openRun(keys, first, Buffer.from(run)).equals(plaintext.subarray(first * chunkSize, (last + 1) * chunkSize));
  }), { numRuns: runs(50) });
});

test('a chunk does not open in the place of another, nor beyond 2^32', () => {
  const { keys } = newMessage(key, context);
  const target = Buffer.alloc(sealedSize(4));
  for (const place of [0, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7]) {
    sealRun(keys, place, Buffer.from('weir'), target);
    expect(openRun(keys, place, Buffer.from(target)).toString()).toBe('weir');
    for (const other of [place + 1, place + 2 ** 32]) expect(() => openRun(keys, other, Buffer.from(target))).toThrow(expect.objectContaining({ code: 'content.damaged' }));
  }
});

test('every change of a message is noticed', () => {
  const message = sealMessage(key, context, randomBytes(2 * chunkSize + 40));
  fc.assert(fc.property(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
    const changed = Buffer.from(message);
    changed[at] = (changed[at] ?? 0) ^ difference;
    expect(() => openMessage(key, context, changed)).toThrow(expect.objectContaining({ code: 'content.damaged' }));
  }), { numRuns: runs(300) });
});

test('every truncation and every extension of a message is noticed', () => {
  const message = sealMessage(key, context, randomBytes(2 * chunkSize));
  fc.assert(fc.property(fc.nat(message.length - 1), (length) => {
    expect(() => openMessage(key, context, message.subarray(0, length))).toThrow(expect.objectContaining({ code: 'content.damaged' }));
  }), { numRuns: runs(300) });
  for (const extra of [1, 16, 40, sealedChunkSize]) {
    expect(() => openMessage(key, context, Buffer.concat([message, Buffer.alloc(extra)]))).toThrow(expect.objectContaining({ code: 'content.damaged' }));
  }
});

test('hostile bytes are refused with the same error and nothing else', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    expect(() => openMessage(key, context, bytes)).toThrow(expect.objectContaining({ code: 'content.damaged' }));
  }), { numRuns: runs(300) });
});

test('sizes turn into each other and back, and no other length is taken', () => {
  fc.assert(fc.property(fc.nat(2 ** 40), (size) => openedMessageSize(sealedMessageSize(size)) === size), { numRuns: runs(1_000) });
  fc.assert(fc.property(fc.nat(100_000), (length) => {
    let opened: number | undefined;
    try { opened = openedMessageSize(length); } catch { return true; }
    return sealedMessageSize(opened) === length;
  }), { numRuns: runs(1_000) });
});
