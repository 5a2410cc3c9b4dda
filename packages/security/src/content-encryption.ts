/**
 * Content encryption at rest with random access: C2SP chunked encryption (c2sp.org/chunked-encryption, version 1),
 * instantiated as Cobblestone-256 and Cobblestone-128.
 *
 * A message is `salt(24) ‖ commitment(32) ‖ chunks`. Each chunk is 16 384 bytes of plaintext sealed by AES-GCM with a 16-byte tag;
 * the last chunk is always shorter, possibly empty, which is what tells an end from a truncation.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';

export const chunkSize = 16_384;
export const tagSize = 16;
export const sealedChunkSize = chunkSize + tagSize;
const saltSize = 24;
const nonceSize = 12;
const commitmentSize = 32;
export const headerSize = saltSize + commitmentSize;

const suites = {
  'cobblestone-256': { cipher: 'aes-256-gcm', aead: 'AEAD_AES_256_GCM', keySize: 32 },
  'cobblestone-128': { cipher: 'aes-128-gcm', aead: 'AEAD_AES_128_GCM', keySize: 16 },
} as const;
export type Suite = keyof typeof suites;
/** The suite that a key is made for, by its length. */
const suiteOf = (inputKey: KeyObject): Suite => (inputKey.symmetricKeySize === suites['cobblestone-128'].keySize ? 'cobblestone-128' : 'cobblestone-256');

/** What opens and seals the chunks of one message. Holds key material: never logged, never serialised. */
export interface MessageKeys {
  readonly suite: Suite;
  readonly key: KeyObject;
  readonly baseNonce: Buffer;
}

/**
 * Begins a message under a fresh salt. `inputKey` is a secret key of 32 bytes (16 for Cobblestone-128), uniformly random;
 * `context` binds the message to its place and must be given again to open it.
 */
export function newMessage(inputKey: KeyObject, context: Uint8Array, suite: Suite = suiteOf(inputKey)): { readonly header: Buffer; readonly keys: MessageKeys } {
  const salt = randomBytes(saltSize);
  const { keys, commitment } = deriveKeys(inputKey, context, salt, suite);
  return { header: Buffer.concat([salt, commitment]), keys };
}

/**
 * The keys of a stored message, after its commitment was checked in constant time.
 * Throws `content.damaged` when the header is not 56 bytes or was not made with this key and context.
 */
export function openHeader(inputKey: KeyObject, context: Uint8Array, header: Uint8Array, suite: Suite = suiteOf(inputKey)): MessageKeys {
  if (header.length !== headerSize) throw damaged('its header is incomplete');
  const { keys, commitment } = deriveKeys(inputKey, context, header.subarray(0, saltSize), suite);
  if (!timingSafeEqual(commitment, header.subarray(saltSize))) throw damaged('it was not sealed with this key for this place');
  return keys;
}

/**
 * Seals `plaintext` as chunks `firstChunk`, `firstChunk + 1`, … into `target` and returns the number of bytes written, which is
 * `sealedSize(plaintext.length)`. Every chunk but the last of the message must be full: only the last run may have another
 * length than a multiple of 16 384. A message whose length is such a multiple ends with `sealRun(keys, n, empty, …)`.
 */
export function sealRun(keys: MessageKeys, firstChunk: number, plaintext: Uint8Array, target: Uint8Array): number {
  let chunk = firstChunk;
  let written = 0;
  for (let start = 0; start === 0 || start < plaintext.length; start += chunkSize) {
    const cipher = createCipheriv(suites[keys.suite].cipher, keys.key, nonceOf(keys.baseNonce, chunk));
    const sealed = cipher.update(plaintext.subarray(start, start + chunkSize));
    cipher.final();
    target.set(sealed, written);
    target.set(cipher.getAuthTag(), written + sealed.length);
    written += sealed.length + tagSize;
    release(sealed);
    chunk += 1;
  }
  return written;
}

/**
 * Opens the consecutive sealed chunks of `sealed`, the first of which is chunk `firstChunk`, in place: their plaintext is written over
 * them and returned as the beginning of the same memory. Throws `content.damaged` if any tag is wrong; then nothing of the run is returned.
 */
export function openRun(keys: MessageKeys, firstChunk: number, sealed: Buffer): Buffer {
  const chunks = Math.ceil(sealed.length / sealedChunkSize);
  const lastChunk = sealed.length % sealedChunkSize;
  if (lastChunk > 0 && lastChunk < tagSize) throw damaged('it ends inside a chunk');
  for (let i = 0; i < chunks; i++) {
    // A chunk's plaintext ends before the next sealed chunk begins, so nothing is overwritten that is still to be opened.
    const opened = openChunk(keys, firstChunk + i, sealed.subarray(i * sealedChunkSize, (i + 1) * sealedChunkSize));
    opened.copy(sealed, i * chunkSize);
    release(opened);
  }
  return sealed.subarray(0, sealed.length - chunks * tagSize);
}

/** Gives back at once what a cipher call allocated: left to the collector, it adds up until the whole heap is searched for it, again and again. */
function release({ buffer, byteLength }: Buffer<ArrayBuffer>): void {
  if (byteLength === buffer.byteLength) buffer.transfer(0);
}

/** Seals a whole message in memory. For small values; large ones are sealed run by run. */
export function sealMessage(inputKey: KeyObject, context: Uint8Array, plaintext: Uint8Array, suite: Suite = suiteOf(inputKey)): Buffer {
  const { header, keys } = newMessage(inputKey, context, suite);
  const message = Buffer.alloc(sealedMessageSize(plaintext.length));
  header.copy(message);
  const written = sealRun(keys, 0, plaintext, message.subarray(headerSize));
  // Behind a last chunk that is full stands an empty one.
  if (plaintext.length > 0 && plaintext.length % chunkSize === 0) sealRun(keys, plaintext.length / chunkSize, new Uint8Array(), message.subarray(headerSize + written));
  return message;
}

/** Opens a whole message in memory. Throws `content.damaged` for anything but an unchanged, complete message of this key and context. */
export function openMessage(inputKey: KeyObject, context: Uint8Array, message: Uint8Array, suite: Suite = suiteOf(inputKey)): Buffer {
  const keys = openHeader(inputKey, context, message.subarray(0, headerSize), suite);
  openedMessageSize(message.length);
  return openRun(keys, 0, Buffer.from(message.subarray(headerSize)));
}

/** Bytes that `plainSize` bytes take when sealed as one run of chunks, tags included; an empty run is one empty chunk. */
export function sealedSize(plainSize: number): number {
  return plainSize + Math.max(1, Math.ceil(plainSize / chunkSize)) * tagSize;
}

/** Length of the whole stored message for a plaintext of `plainSize` bytes. */
export function sealedMessageSize(plainSize: number): number {
  return headerSize + plainSize + (Math.floor(plainSize / chunkSize) + 1) * tagSize;
}

/** Length of the plaintext of a stored message; `content.damaged` for a length that no message has. */
export function openedMessageSize(messageSize: number): number {
  const body = messageSize - headerSize;
  const lastChunk = body % sealedChunkSize;
  // A last chunk of full length means that what followed it is gone; one shorter than its tag can't be.
  if (lastChunk < tagSize) throw damaged('it was cut off');
  return body - (Math.floor(body / sealedChunkSize) + 1) * tagSize;
}

function openChunk(keys: MessageKeys, chunk: number, sealed: Uint8Array): Buffer<ArrayBuffer> {
  const decipher = createDecipheriv(suites[keys.suite].cipher, keys.key, nonceOf(keys.baseNonce, chunk), { authTagLength: tagSize });
  decipher.setAuthTag(sealed.subarray(sealed.length - tagSize));
  const opened = decipher.update(sealed.subarray(0, sealed.length - tagSize));
  try {
    decipher.final();
  } catch (cause) {
    throw damaged('a chunk failed its check', cause);
  }
  return opened;
}

/** `key ‖ base_nonce ‖ commitment = HKDF-Expand(SHA-512, input key, info)`: RFC 5869 §2.3 without the extract step. */
function deriveKeys(inputKey: KeyObject, context: Uint8Array, salt: Uint8Array, suite: Suite): { keys: MessageKeys; commitment: Buffer } {
  const { aead, keySize } = suites[suite];
  if (inputKey.symmetricKeySize !== keySize) throw new WeirError('keys.wrong', `A content key of ${keySize} bytes is needed.`);
  const info = Buffer.concat([Buffer.from(`c2sp.org/chunked-encryption@v1+${aead}\0`), salt, context]);
  const first = createHmac('sha512', inputKey).update(info).update(Uint8Array.of(1)).digest();
  const second = createHmac('sha512', inputKey).update(first).update(info).update(Uint8Array.of(2)).digest();
  const output = Buffer.concat([first, second]);
  const keys = { suite, key: createSecretKey(output.subarray(0, keySize)), baseNonce: output.subarray(keySize, keySize + nonceSize) };
  return { keys, commitment: output.subarray(keySize + nonceSize, keySize + nonceSize + commitmentSize) };
}

/** The base nonce XOR the chunk number, big-endian, in its last eight bytes; exact up to 2^53 chunks. */
function nonceOf(baseNonce: Buffer, chunk: number): Buffer {
  const nonce = Buffer.from(baseNonce);
  nonce.writeUInt32BE((nonce.readUInt32BE(4) ^ Math.floor(chunk / 2 ** 32)) >>> 0, 4);
  nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ chunk) >>> 0, 8);
  return nonce;
}

const damaged = (why: string, cause?: unknown): WeirError => new WeirError('content.damaged', `A stored part failed its check (${why}); it was not served. Restore it from a copy.`, { cause });
