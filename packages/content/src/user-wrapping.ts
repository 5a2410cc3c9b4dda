/** A data key wrapped by the key of its owner: `nonce ‖ ciphertext ‖ tag`, AES-256-GCM, bound to the blob. */
import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';

const nonceSize = 12;
const tagSize = 16;

export function wrapKey(userKey: KeyObject, blob: string, dataKey: Uint8Array): Buffer {
  const nonce = randomBytes(nonceSize);
  const cipher = createCipheriv('aes-256-gcm', userKey, nonce).setAAD(Buffer.from(blob, 'latin1'));
  return Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
}

/** `keys.wrong` for what was not wrapped by this key for this blob. */
export function unwrapKey(userKey: KeyObject, blob: string, wrapped: Uint8Array): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', userKey, wrapped.subarray(0, nonceSize), { authTagLength: tagSize }).setAAD(Buffer.from(blob, 'latin1'));
    decipher.setAuthTag(wrapped.subarray(-tagSize));
    return Buffer.concat([decipher.update(wrapped.subarray(nonceSize, -tagSize)), decipher.final()]);
  } catch (cause) {
    throw new WeirError('keys.wrong', 'The key of a content does not open with the key of its owner. Restore the database from a backup.', { cause });
  }
}
