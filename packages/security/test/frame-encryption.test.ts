/** SFrame as RFC 9605 says: its vectors, its header, its replay window, and that nothing but the sealed frame opens. */
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { decodeFrameHeader, deriveFrameKeys, encodeFrameHeader, FrameReceiver, FrameSender, openFrame, sealFrame, type FrameSuite } from '../src/frame-encryption.ts';
import { runs } from './runs.ts';

const Vectors = z.object({
  header: z.array(z.object({ kid: z.unknown(), ctr: z.unknown(), encoded: z.string() })),
  sframe: z.array(z.object({
    cipher_suite: z.number(), kid: z.number(), ctr: z.number(), base_key: z.string(), sframe_key: z.string(), sframe_salt: z.string(),
    metadata: z.string(), pt: z.string(), ct: z.string(),
  })),
});
const text = await readFile(new URL('vectors/sframe-rfc9605.json', import.meta.url), 'utf8');
// JSON numbers above 2^53 would lose their last digits.
const vectors = Vectors.parse(JSON.parse(text.replaceAll(/"(kid|ctr)":\s*(\d{16,})/g, '"$1": "$2"')));
const suiteOf: Record<number, FrameSuite> = { 4: 'AES_128_GCM_SHA256_128', 5: 'AES_256_GCM_SHA512_128' };
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const refused = expect.objectContaining({ code: 'frame.refused' });

test('every header vector encodes and decodes', () => {
  expect(vectors.header.length).toBeGreaterThan(200);
  for (const { kid, ctr, encoded } of vectors.header) {
    const [keyId, counter] = [BigInt(String(kid)), BigInt(String(ctr))];
    expect(encodeFrameHeader(keyId, counter).toString('hex')).toBe(encoded);
    expect(decodeFrameHeader(bytes(encoded))).toEqual({ keyId, counter, size: encoded.length / 2 });
  }
});

const gcm = vectors.sframe.filter(({ cipher_suite: suite }) => suiteOf[suite] !== undefined);

test('both AES-GCM suites have a vector', () => expect(gcm.map(({ cipher_suite: suite }) => suite).toSorted((a, b) => a - b)).toEqual([4, 5]));

test.each(gcm)('the vector of cipher suite $cipher_suite', (vector) => {
  const keys = deriveFrameKeys(suiteOf[vector.cipher_suite] ?? 'AES_128_GCM_SHA256_128', BigInt(vector.kid), bytes(vector.base_key));
  expect(keys.key.export().toString('hex')).toBe(vector.sframe_key);
  expect(keys.salt.toString('hex')).toBe(vector.sframe_salt);
  expect(sealFrame(keys, BigInt(vector.ctr), bytes(vector.pt), bytes(vector.metadata)).toString('hex')).toBe(vector.ct);
  expect(openFrame(keys, bytes(vector.ct), bytes(vector.metadata)).toString('hex')).toBe(vector.pt);
});

test('any frame comes back, and one changed bit of it or of its metadata does not', () => {
  const sender = new FrameSender(7n);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 20 }), fc.nat(), (frame, metadata, at) => {
    const receiver = new FrameReceiver();
    receiver.addKey(7n, sender.baseKey);
    const sealed = sender.seal(frame, metadata);
    const changed = Buffer.from(sealed);
    const bit = at % (8 * sealed.length);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => receiver.open(changed, metadata)).toThrow(refused);
    expect(() => receiver.open(sealed, Buffer.concat([metadata, Buffer.of(1)]))).toThrow(refused);
    expect(receiver.open(sealed, metadata)).toEqual(Buffer.from(frame));
  }), { numRuns: runs(500) });
});

test('rubbish is refused, whatever it is', () => {
  const receiver = new FrameReceiver();
  receiver.addKey(0n, new FrameSender(0n).baseKey);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (rubbish) => { expect(() => receiver.open(rubbish)).toThrow(refused); }), { numRuns: runs(2_000) });
});

test('a header that is not the shortest form of its numbers is refused', () => {
  for (const header of ['80', '8007', '0807', '090001', '8000', '0900ff', '9000ff', '9100ff0100']) expect(() => decodeFrameHeader(bytes(header)), header).toThrow(refused);
});

test('a header that is cut off anywhere is refused, and an empty one', () => {
  const whole = encodeFrameHeader(2n ** 40n, 2n ** 64n - 1n);
  for (let length = 0; length < whole.length; length += 1) expect(() => decodeFrameHeader(whole.subarray(0, length)), String(length)).toThrow(refused);
  expect(decodeFrameHeader(Buffer.concat([whole, Buffer.of(1)]))).toEqual({ keyId: 2n ** 40n, counter: 2n ** 64n - 1n, size: whole.length });
});

test('key ids and counters have 64 bits', () => {
  const bits = expect.objectContaining({ code: 'internal' });
  for (const wrong of [-1n, 2n ** 64n]) {
    expect(() => encodeFrameHeader(wrong, 0n), `key id ${wrong}`).toThrow(bits);
    expect(() => encodeFrameHeader(0n, wrong), `counter ${wrong}`).toThrow(bits);
  }
});

test('a frame opens under its own key id alone, and never without its whole tag', () => {
  const keys = deriveFrameKeys('AES_128_GCM_SHA256_128', 1n, Buffer.alloc(16, 1));
  expect(() => openFrame(keys, sealFrame({ ...keys, keyId: 2n }, 0n, Buffer.from('frame')))).toThrow(refused);
  const sealed = sealFrame(keys, 0n, Buffer.alloc(0));
  expect(openFrame(keys, sealed)).toHaveLength(0);
  for (let length = 0; length < sealed.length; length += 1) expect(() => openFrame(keys, sealed.subarray(0, length)), String(length)).toThrow(refused);
});

test('why a frame was refused is kept for whoever looks for it', () => {
  const keys = deriveFrameKeys('AES_128_GCM_SHA256_128', 1n, Buffer.alloc(16, 1));
  const changed = sealFrame(keys, 0n, Buffer.from('frame'));
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  expect(() => openFrame(keys, changed)).toThrow(expect.objectContaining({ code: 'frame.refused', cause: expect.any(Error) }));
});

test('whatever the order in which frames come, each opens once, and none that the newest has left a window behind', () => {
  const sender = new FrameSender(1n);
  const frames = Array.from({ length: 3_000 }, (_, index) => sender.seal(Buffer.from(String(index))));
  fc.assert(fc.property(fc.array(fc.nat({ max: frames.length - 1 }), { maxLength: 400 }), fc.integer({ min: 1, max: 2_000 }), (some, stride) => {
    const receiver = new FrameReceiver();
    receiver.addKey(1n, sender.baseKey);
    const opened = new Set<number>();
    let highest = -1;
    for (const at of [...some, ...some.map((one) => (one + stride) % frames.length), ...some]) {
      const open = (): string => receiver.open(frames[at] ?? Buffer.alloc(0)).toString();
      if (opened.has(at) || at + 1_024 <= highest) expect(open, String(at)).toThrow(refused);
      else expect(open()).toBe(String(at));
      opened.add(at);
      highest = Math.max(highest, at);
    }
  }), { numRuns: runs(40) });
});

test('after any number of frames, none of the last thousand opens again', () => {
  const sender = new FrameSender(1n);
  const receiver = new FrameReceiver();
  receiver.addKey(1n, sender.baseKey);
  const frames = Array.from({ length: 2_100 }, (_, index) => sender.seal(Buffer.from(String(index))));
  for (const frame of frames) receiver.open(frame);
  for (const frame of frames) expect(() => receiver.open(frame)).toThrow(refused);
});

test('a receiver takes frames of 256 senders, and of another when it is rid of one', () => {
  const receiver = new FrameReceiver();
  const senders = Array.from({ length: 257 }, (_, index) => new FrameSender(BigInt(index), 'AES_128_GCM_SHA256_128'));
  const add = ({ keyId, baseKey, suite }: FrameSender): void => { receiver.addKey(keyId, baseKey, suite); };
  for (const sender of senders.slice(0, 256)) add(sender);
  const [first, last] = [senders[0], senders[256]];
  if (first === undefined || last === undefined) throw new Error('no sender');
  expect(() => { add(last); }).toThrow(expect.objectContaining({ code: 'request.conflict' }));
  add(first);
  expect(receiver.open(first.seal(Buffer.from('still'))).toString()).toBe('still');
  receiver.removeKey(first.keyId);
  expect(() => receiver.open(first.seal(Buffer.from('gone')))).toThrow(refused);
  add(last);
  expect(receiver.open(last.seal(Buffer.from('new'))).toString()).toBe('new');
});

test('each frame opens once, late ones within the window only', () => {
  const sender = new FrameSender(1n);
  const receiver = new FrameReceiver();
  receiver.addKey(1n, sender.baseKey);
  const frames = Array.from({ length: 4_000 }, (_, index) => sender.seal(Buffer.from(String(index))));
  const open = (index: number): string => receiver.open(frames[index] ?? Buffer.alloc(0)).toString();
  expect(open(10)).toBe('10');
  expect(open(5)).toBe('5');
  expect(() => open(5)).toThrow(refused);
  expect(open(2_000)).toBe('2000');
  expect(open(977)).toBe('977');
  expect(() => open(976)).toThrow(refused);
  expect(() => open(10)).toThrow(refused);
  for (let index = 2_001; index < 4_000; index += 1) open(index);
  expect(() => open(3_999)).toThrow(refused);
});

test('a forged frame does not move the window', () => {
  const sender = new FrameSender(1n);
  const receiver = new FrameReceiver();
  receiver.addKey(1n, sender.baseKey);
  const forged = sealFrame(deriveFrameKeys('AES_256_GCM_SHA512_128', 1n, Buffer.alloc(32, 1)), 1_000_000n, Buffer.from('x'));
  expect(() => receiver.open(forged)).toThrow(refused);
  expect(receiver.open(sender.seal(Buffer.from('first'))).toString()).toBe('first');
});

test('senders never share a key, and what one seals does not open under another', () => {
  const [first, second] = [new FrameSender(1n), new FrameSender(1n)];
  expect(first.baseKey.equals(second.baseKey)).toBe(false);
  const receiver = new FrameReceiver();
  receiver.addKey(1n, second.baseKey);
  expect(() => receiver.open(first.seal(Buffer.from('frame')))).toThrow(refused);
});
