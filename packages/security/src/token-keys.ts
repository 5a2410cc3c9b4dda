/** Keys that sign tokens: each pins one algorithm, whatever a token's header says. */
import { createPrivateKey, createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';

/** `EdDSA` means Ed25519. `id` is the `kid` of its tokens, `[A-Za-z0-9._-]{1,64}`. A key without `private` only verifies. */
export type TokenKey =
  | Readonly<{ id: string; algorithm: 'EdDSA'; public: KeyObject; private?: KeyObject }>
  | Readonly<{ id: string; algorithm: 'HS256'; secret: KeyObject }>;

/** Keys by id. Removing one ends its tokens at once, cached ones too. */
export type TokenKeys = Pick<ReadonlyMap<string, TokenKey>, 'get' | 'has'>;

const shortestSecret = 32;
const fewestDistinctBytes = 8;
/** Words that only placeholders have, compared without case and punctuation: samples of manuals, templates, token debuggers. */
const placeholders = [
  'yourverysecretkey', 'yoursecretkey', 'yoursecret', 'yourjwtsecret', 'secretkeyhere', 'bitsecret', 'atleast256bits', 'supersecret',
  'mysecretkey', 'changeme', 'changethis', 'changeit', 'replaceme', 'replacethis', 'placeholder', 'insecure', 'donotuse', 'thisisasecret',
  'example', 'password', 'keyboardcat', 'shhhhh', '0123456789', 'abcdefghij',
];
/** Published in standards and in the manuals of token libraries, in base64url of their bytes or as written. */
const leaked = new Set([
  'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ',
  '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7',
]);

export function newTokenKey(id: string): TokenKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { id, algorithm: 'EdDSA', public: publicKey, private: privateKey };
}

/** PKCS #8 DER of an Ed25519 signing key, for sealing under the key ring. */
export function exportTokenKey(key: TokenKey): Buffer {
  if (key.algorithm !== 'EdDSA' || key.private === undefined) throw new WeirError('internal', `The token key "${key.id}" can not be stored: it has no private half.`);
  return key.private.export({ type: 'pkcs8', format: 'der' });
}

/** The signing key that `exportTokenKey` wrote; `keys.wrong` if it is none. */
export function importTokenKey(id: string, pkcs8: Uint8Array): TokenKey {
  try {
    const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), type: 'pkcs8', format: 'der' });
    if (privateKey.asymmetricKeyType !== 'ed25519') throw new TypeError('not an Ed25519 key');
    return { id, algorithm: 'EdDSA', public: createPublicKey(privateKey), private: privateKey };
  } catch (cause) {
    throw new WeirError('keys.wrong', `The stored token key "${id}" is not an Ed25519 key; restore it from a backup.`, { cause });
  }
}

/** Public half for a JWKS (RFC 7517, RFC 8037); undefined for a shared secret, which has none. */
export function publicJwk(key: TokenKey): Readonly<Record<string, string>> | undefined {
  if (key.algorithm !== 'EdDSA') return undefined;
  const { x } = key.public.export({ format: 'jwk' });
  return x === undefined ? undefined : { kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA', kid: key.id, x };
}

/**
 * Key of a secret that an operator shares, its UTF-8 bytes taken as they stand. `config.invalid`, naming the `setting`, if it
 * is shorter than 32 bytes, a placeholder, known to the public, or of fewer than 8 different bytes.
 */
export function sharedSecretKey(id: string, secret: string, setting: string): TokenKey {
  const weakness = weaknessOf(secret);
  if (weakness !== undefined) {
    throw new WeirError('config.invalid', `${setting} ${weakness}. Set it to fresh randomness: openssl rand -base64 48`, { facts: { setting } });
  }
  return { id, algorithm: 'HS256', secret: createSecretKey(Buffer.from(secret)) };
}

/** Why a secret must not sign anything, as the end of a sentence; undefined for a good one. */
export function weaknessOf(secret: string): string | undefined {
  const letters = secret.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  if (placeholders.some((placeholder) => letters.includes(placeholder))) return 'is a placeholder';
  const bytes = Buffer.from(secret);
  if (bytes.length < shortestSecret) return 'is shorter than 32 bytes';
  if (new Set(bytes).size < fewestDistinctBytes) return 'repeats a few characters';
  const unpadded = secret.replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_');
  return leaked.has(unpadded) ? 'is known to the public' : undefined;
}
