/** Content-Digest (RFC 9530) with SHA-256 only. */
import { decodeBase64 } from '../base64.ts';

/** Header value for a body of this SHA-256 digest (32 bytes). */
export function contentDigest(sha256: Uint8Array): string {
  return `sha-256=:${Buffer.from(sha256).toString('base64')}:`;
}

/** The SHA-256 digest that a Content-Digest names, or undefined if it is not exactly one of sha-256. */
export function parseContentDigest(value: string): Buffer | undefined {
  const encoded = /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(value)?.[1];
  return encoded === undefined ? undefined : decodeBase64(encoded);
}
