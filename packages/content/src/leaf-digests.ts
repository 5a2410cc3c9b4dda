/**
 * SHA-256 of each MiB of a content: computed beside the event loop, and sealed at rest for encrypted blobs, because a thief who
 * reads them could confirm a file that is known to him.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, subtle, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';

const nonceSize = 12;
const tagSize = 16;

/** SHA-256 of one leaf, in the thread pool, over a copy: the buffer is free again at once. */
export async function digestLeaf(leaf: Uint8Array<ArrayBuffer>): Promise<Buffer> {
  return Buffer.from(await subtle.digest('SHA-256', leaf));
}

/** `nonce ‖ ciphertext ‖ tag`, AES-256-GCM under a key of its own derived from the 32-byte data key; the blob id is bound to it. */
export function sealLeafDigests(dataKey: KeyObject, blob: string, digests: Uint8Array): Buffer {
  const nonce = randomBytes(nonceSize);
  const cipher = createCipheriv('aes-256-gcm', digestKey(dataKey), nonce).setAAD(Buffer.from(blob, 'latin1'));
  return Buffer.concat([nonce, cipher.update(digests), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what `sealLeafDigests` made for the same blob; anything else is `content.damaged`. */
export function openLeafDigests(dataKey: KeyObject, blob: string, sealed: Uint8Array): Buffer {
  if (sealed.length < nonceSize + tagSize) throw damaged();
  const decipher = createDecipheriv('aes-256-gcm', digestKey(dataKey), sealed.subarray(0, nonceSize), { authTagLength: tagSize });
  decipher.setAAD(Buffer.from(blob, 'latin1')).setAuthTag(sealed.subarray(sealed.length - tagSize));
  const digests = decipher.update(sealed.subarray(nonceSize, sealed.length - tagSize));
  try {
    decipher.final();
  } catch (cause) {
    throw damaged(cause);
  }
  return digests;
}

const digestKey = (dataKey: KeyObject): Buffer => Buffer.from(hkdfSync('sha256', dataKey, new Uint8Array(), 'weir/leaf-digests/v1', 32));

const damaged = (cause?: unknown): WeirError => new WeirError('content.damaged', 'The stored digests of this content failed their check. Restore the database from a copy.', { cause });
