/** Bytes that a seed determines, the same in every process. */
import { createCipheriv } from 'node:crypto';

export function patternOf(seed: number, size: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
