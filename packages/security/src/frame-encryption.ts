/**
 * SFrame (RFC 9605): media frames that a relay can forward and not read. Cipher suites 4 and 5 (AES-GCM). A frame is sealed or the call
 * throws; nothing ever falls back to plaintext.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';

const suites = {
  AES_128_GCM_SHA256_128: { id: 4, hash: 'sha256', cipher: 'aes-128-gcm', keySize: 16 },
  AES_256_GCM_SHA512_128: { id: 5, hash: 'sha512', cipher: 'aes-256-gcm', keySize: 32 },
} as const;
export type FrameSuite = keyof typeof suites;

const nonceSize = 12;
const tagSize = 16;
const largest = 2n ** 64n - 1n;
const none = new Uint8Array();

/** What seals and opens the frames of one sender under one key id (RFC 9605 §4.4.2). Holds key material. */
export type FrameKeys = Readonly<{ suite: FrameSuite; keyId: bigint; key: KeyObject; salt: Buffer }>;

/** Key and salt of a base key: `HKDF("SFrame 1.0 Secret key " ‖ KID ‖ suite)` and the same with `salt`. */
export function deriveFrameKeys(suite: FrameSuite, keyId: bigint, baseKey: Uint8Array): FrameKeys {
  const { id, hash, keySize } = suites[suite];
  const tail = Buffer.alloc(10);
  tail.writeBigUInt64BE(keyId);
  tail.writeUInt16BE(id, 8);
  const derive = (label: string, size: number): Buffer =>
    Buffer.from(hkdfSync(hash, baseKey, none, Buffer.concat([Buffer.from(`SFrame 1.0 Secret ${label} `, 'latin1'), tail]), size));
  return { suite, keyId, key: createSecretKey(derive('key', keySize)), salt: derive('salt', nonceSize) };
}

/** `header ‖ ciphertext ‖ tag`. The same counter must never seal two frames under one key: use a `FrameSender`. */
export function sealFrame(keys: FrameKeys, counter: bigint, frame: Uint8Array, metadata: Uint8Array = none): Buffer {
  const header = encodeFrameHeader(keys.keyId, counter);
  const cipher = createCipheriv(suites[keys.suite].cipher, keys.key, nonceOf(keys.salt, counter));
  cipher.setAAD(Buffer.concat([header, metadata]));
  return Buffer.concat([header, cipher.update(frame), cipher.final(), cipher.getAuthTag()]);
}

/** The frame, or `frame.refused` when anything of it, its header or its metadata is not what was sealed. */
export function openFrame(keys: FrameKeys, sealed: Uint8Array, metadata: Uint8Array = none): Buffer {
  const { keyId, counter, size } = decodeFrameHeader(sealed);
  if (keyId !== keys.keyId || sealed.length < size + tagSize) throw refused();
  const decipher = createDecipheriv(suites[keys.suite].cipher, keys.key, nonceOf(keys.salt, counter), { authTagLength: tagSize });
  decipher.setAAD(Buffer.concat([sealed.subarray(0, size), metadata]));
  decipher.setAuthTag(sealed.subarray(-tagSize));
  const frame = decipher.update(sealed.subarray(size, -tagSize));
  try {
    decipher.final();
  } catch (cause) {
    throw refused(cause);
  }
  return frame;
}

/** One configuration byte `X KKK Y CCC`, then key id and counter where they do not fit into it (RFC 9605 §4.3). */
export function encodeFrameHeader(keyId: bigint, counter: bigint): Buffer {
  const [key, count] = [encodeField(keyId), encodeField(counter)];
  return Buffer.concat([Uint8Array.of((key.bits << 4) | count.bits), key.bytes, count.bytes]);
}

/** `size`: bytes of the header. `frame.refused` when it is cut off or not the shortest form of its numbers. */
export function decodeFrameHeader(sealed: Uint8Array): Readonly<{ keyId: bigint; counter: bigint; size: number }> {
  const [configuration] = sealed;
  if (configuration === undefined) throw refused();
  const key = decodeField(sealed, configuration >> 4, 1);
  const count = decodeField(sealed, configuration & 0x0f, key.end);
  return { keyId: key.value, counter: count.value, size: count.end };
}

/** Up to 7 in the three bits themselves; else the bit before them is set and they say how many bytes follow, less one. */
function encodeField(value: bigint): { bits: number; bytes: Buffer } {
  if (value < 0n || value > largest) throw new WeirError('internal', 'A key id or counter of SFrame has 64 bits.');
  if (value < 8n) return { bits: Number(value), bytes: Buffer.alloc(0) };
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + hex.length % 2, '0'), 'hex');
  return { bits: 8 | (bytes.length - 1), bytes };
}

function decodeField(sealed: Uint8Array, bits: number, start: number): { value: bigint; end: number } {
  if (bits < 8) return { value: BigInt(bits), end: start };
  const end = start + (bits & 7) + 1;
  if (end > sealed.length) throw refused();
  const value = BigInt(`0x${Buffer.from(sealed.subarray(start, end)).toString('hex')}`);
  if (value < 8n || sealed[start] === 0) throw refused();
  return { value, end };
}

function nonceOf(salt: Buffer, counter: bigint): Buffer {
  const nonce = Buffer.from(salt);
  nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ counter, 4);
  return nonce;
}

/** Seals the frames of one sender in one epoch, under a random base key of its own, so that no counter ever resumes under an old key. */
export class FrameSender {
  readonly suite: FrameSuite;
  readonly keyId: bigint;
  /** For viewers who were admitted, and nobody else. */
  readonly baseKey: Buffer;
  readonly #keys: FrameKeys;
  #counter = 0n;

  constructor(keyId: bigint, suite: FrameSuite = 'AES_256_GCM_SHA512_128') {
    this.suite = suite;
    this.keyId = keyId;
    this.baseKey = randomBytes(suites[suite].keySize);
    this.#keys = deriveFrameKeys(suite, keyId, this.baseKey);
  }

  seal(frame: Uint8Array, metadata?: Uint8Array): Buffer {
    const sealed = sealFrame(this.#keys, this.#counter, frame, metadata);
    this.#counter += 1n;
    return sealed;
  }
}

/** Frames may come out of order by so many. */
const replayWindow = 1_024n;
const mostKeys = 256;

/** Opens frames of several senders; each frame once. */
export class FrameReceiver {
  /** `seen`: by the remainder of the window, the newest counter that was opened there; within the window no two share a place. */
  readonly #senders = new Map<bigint, { keys: FrameKeys; highest: bigint; seen: bigint[] }>();

  /** Of a key id that is known already, the new base key replaces the old one. At most 256 senders. */
  addKey(keyId: bigint, baseKey: Uint8Array, suite: FrameSuite = 'AES_256_GCM_SHA512_128'): void {
    if (this.#senders.size >= mostKeys && !this.#senders.has(keyId)) throw new WeirError('request.conflict', 'A receiver takes frames of at most 256 senders; remove one first.');
    this.#senders.set(keyId, { keys: deriveFrameKeys(suite, keyId, baseKey), highest: -1n, seen: [] });
  }

  removeKey(keyId: bigint): void {
    this.#senders.delete(keyId);
  }

  /** `frame.refused`: unknown key id, changed, older than 1 024 frames, or opened before. */
  open(sealed: Uint8Array, metadata?: Uint8Array): Buffer {
    const { keyId, counter } = decodeFrameHeader(sealed);
    const sender = this.#senders.get(keyId);
    const place = Number(counter % replayWindow);
    if (sender === undefined || counter + replayWindow <= sender.highest || sender.seen[place] === counter) throw refused();
    const frame = openFrame(sender.keys, sealed, metadata);
    // Only what was authentic moves the window.
    sender.seen[place] = counter;
    if (counter > sender.highest) sender.highest = counter;
    return frame;
  }
}

const refused = (cause?: unknown): WeirError => new WeirError('frame.refused', undefined, { cause });
