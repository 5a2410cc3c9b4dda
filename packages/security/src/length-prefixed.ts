/** Length-prefixed concatenation: what keys, digests and associated data are bound to, so that no two lists of fields give the same bytes. */

/** Each field as UTF-8 or raw bytes behind its length in four big-endian bytes. */
export function lengthPrefixed(...fields: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(fields.flatMap((field) => {
    const bytes = Buffer.from(field);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  }));
}
