/**
 * Content that carries its own key, wrapped: `version(1) ‖ suite(1) ‖ length(2) ‖ data key under the key ring ‖ Cobblestone message`. Whoever
 * has the key ring opens it, today and after a restart; nothing else has to be kept. Under a detached key the length is 0: whoever destroys
 * that key erases what it sealed.
 */
import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { decodeBase64Url } from './base64.ts';
import { chunkSize, headerSize, newMessage, openHeader, openRun, sealedChunkSize, sealedSize, sealRun, tagSize, type Suite } from './content-encryption.ts';
import type { KeyRing } from './key-ring.ts';
import { lengthPrefixed } from './length-prefixed.ts';

export type KeyBits = 128 | 256;
/** A data key that only the key ring opens: keep it wherever you like. A `detached` one is in no content, so it must be kept; the others need not be. */
export type EncryptionKey = Readonly<{ bits: KeyBits; wrapped: string; detached: boolean }>;

const version = 1;
const prefixSize = 4;
const keyPurpose = 'sealed-content-key';
const suiteOf: Readonly<Record<KeyBits, Suite>> = { 128: 'cobblestone-128', 256: 'cobblestone-256' };
const suiteByte: Readonly<Record<KeyBits, number>> = { 128: 1, 256: 2 };

export function newEncryptionKey(keyRing: KeyRing, bits: KeyBits, detached: boolean): EncryptionKey {
  const bytes = randomBytes(bits / 8);
  try {
    return { bits, detached, wrapped: Buffer.from(keyRing.seal(keyPurpose, String(bits), bytes)).toString('base64url') };
  } finally {
    bytes.fill(0);
  }
}

/** Seals a stream under `key`, piece by piece. `context` binds it to its place and must be given again to open it. */
export async function* sealStream(keyRing: KeyRing, { bits, wrapped, detached }: EncryptionKey, context: string, plain: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const sealedKey = decodeBase64Url(wrapped);
  if (sealedKey === undefined) throw notSealedHere();
  const { header, keys } = newMessage(openKey(keyRing, bits, sealedKey), contextOf(context), suiteOf[bits]);
  const prefix = Buffer.of(version, suiteByte[bits], 0, 0);
  const carried = detached ? Buffer.alloc(0) : sealedKey;
  prefix.writeUInt16BE(carried.length, 2);
  yield Buffer.concat([prefix, carried, header]);
  let chunk = 0;
  // The last block is shorter than a chunk, possibly empty: that is what tells an end from a truncation.
  for await (const block of blocksOf(plain, chunkSize)) {
    const sealed = Buffer.allocUnsafe(sealedSize(block.length));
    sealRun(keys, chunk, block, sealed);
    chunk += 1;
    yield sealed;
  }
}

/** Opens what `sealStream` made, under `given` where the content carries no key; every piece is authentic before it is yielded. `content.damaged`, `keys.wrong`. */
export async function* openStream(keyRing: KeyRing, given: EncryptionKey | undefined, context: string, sealed: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const source = new Source(sealed);
  const prefix = await source.take(prefixSize);
  const bits = prefix[1] === suiteByte[128] ? 128 : 256;
  if (prefix[0] !== version || prefix[1] !== suiteByte[bits]) throw notSealedHere();
  const carried = await source.take(prefix.readUInt16BE(2));
  const sealedKey = carried.length > 0 ? carried : decodeBase64Url(given?.wrapped ?? '');
  if (sealedKey === undefined || sealedKey.length === 0) throw new WeirError('keys.wrong', 'This content was sealed under a detached key; give that key to open it.');
  const key = openKey(keyRing, bits, sealedKey);
  const keys = openHeader(key, contextOf(context), await source.take(headerSize), suiteOf[bits]);
  let chunk = 0;
  for await (const block of blocksOf(source.rest(), sealedChunkSize)) {
    if (block.length < tagSize) throw notSealedHere();
    yield openRun(keys, chunk, block);
    chunk += 1;
  }
}

function openKey(keyRing: KeyRing, bits: KeyBits, sealedKey: Uint8Array): KeyObject {
  const bytes = keyRing.open(keyPurpose, String(bits), sealedKey);
  try {
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Blocks of exactly `size` bytes, and at the end one that is shorter, possibly empty. Each is memory of its own. */
async function* blocksOf(pieces: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let block = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const piece of pieces) {
    for (let taken = 0; taken < piece.length;) {
      const part = piece.subarray(taken, taken + size - filled);
      block.set(part, filled);
      filled += part.length;
      taken += part.length;
      if (filled < size) continue;
      yield block;
      block = Buffer.allocUnsafe(size);
      filled = 0;
    }
  }
  yield block.subarray(0, filled);
}

/** A stream whose beginning is read in exact lengths. */
class Source {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #ahead: Uint8Array = new Uint8Array();

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Buffer> {
    while (this.#ahead.length < length) {
      const next = await this.#pieces.next();
      if (next.done === true) throw notSealedHere();
      this.#ahead = Buffer.concat([this.#ahead, next.value]);
    }
    const taken = Buffer.from(this.#ahead.subarray(0, length));
    this.#ahead = this.#ahead.subarray(length);
    return taken;
  }

  async* rest(): AsyncGenerator<Uint8Array> {
    yield this.#ahead;
    yield* { [Symbol.asyncIterator]: () => this.#pieces };
  }
}

const contextOf = (context: string): Buffer => lengthPrefixed('weir/sealed-content/v1', context);
const notSealedHere = (): WeirError => new WeirError('content.damaged', 'This is not a whole content that was sealed here, so nothing of it is given out. Restore it from a copy.');
