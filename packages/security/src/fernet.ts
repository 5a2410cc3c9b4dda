/** Fernet tokens, opened only: the form in which a DFFmpeg database keeps its keys (version 0x80 · time (8) · IV (16) · AES-128-CBC · HMAC-SHA-256). */
import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { decodeBase64 } from './base64.ts';

const version = 0x80;
const headLength = 25;
const macLength = 32;
const blockLength = 16;
const mostLength = 4_096;

/** 16 bytes that authenticate, 16 that encrypt. */
export type FernetKey = Readonly<{ signing: Buffer; encryption: Buffer }>;

/** A key written as `fernet:` and the base64 of 32 bytes, in either alphabet; `config.invalid` otherwise, and its value is not repeated. */
export function parseFernetKey(text: string): FernetKey {
  const encoded = /^fernet:([A-Za-z0-9+/_-]{43}=)$/.exec(text)?.[1];
  const bytes = encoded === undefined ? undefined : decodeBase64(encoded.replaceAll('-', '+').replaceAll('_', '/'));
  if (bytes?.length !== 2 * blockLength) throw new WeirError('config.invalid', 'A key of a DFFmpeg database is written as fernet: and the base64 of 32 bytes.');
  return { signing: bytes.subarray(0, blockLength), encryption: bytes.subarray(blockLength) };
}

/** What the token (base64url with its padding, in the one spelling) holds; `keys.wrong` when it is no token, or of another key. Its time is not looked at: it is a store, not a message. */
export function openFernet({ signing, encryption }: FernetKey, token: string): Buffer {
  if (token.length > mostLength || !/^[A-Za-z0-9_-]+={0,2}$/.test(token)) throw wrong();
  const bytes = decodeBase64(token.replaceAll('-', '+').replaceAll('_', '/'));
  const bodyEnd = (bytes?.length ?? 0) - macLength;
  if (bytes?.[0] !== version || bodyEnd < headLength) throw wrong();
  const mac = createHmac('sha256', signing).update(bytes.subarray(0, bodyEnd)).digest();
  if (!timingSafeEqual(mac, bytes.subarray(bodyEnd))) throw wrong();
  const decipher = createDecipheriv('aes-128-cbc', encryption, bytes.subarray(headLength - blockLength, headLength));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(headLength, bodyEnd)), decipher.final()]);
  } catch (cause) {
    throw wrong(cause);
  }
}

const wrong = (cause?: unknown): WeirError => new WeirError('keys.wrong', 'A stored key does not open with the key that its row names.', { cause });
