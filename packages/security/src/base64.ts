/** Canonical base64 and base64url: each byte string has exactly one accepted spelling, so no second spelling can pass as a new message. */

/** Bytes of padded standard base64 (RFC 4648 §4), or undefined if `text` is not the one spelling that encoding them gives. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** Bytes of unpadded base64url (RFC 4648 §5), or undefined if `text` is not the one spelling that encoding them gives. */
export function decodeBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
