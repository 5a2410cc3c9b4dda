/** Public keys that others give as JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037): of a kind that verifies here, strong, and whole. */
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { decodeBase64Url } from './base64.ts';

export const publicKeyAlgorithms = ['EdDSA', 'ES256', 'RS256'] as const;
/** `EdDSA` means Ed25519; RSA keys have at least 2048 bits. */
export type PublicKeyAlgorithm = (typeof publicKeyAlgorithms)[number];

/** Public members alone, so that a private half published by mistake is not taken in. */
export type StrongKey = Readonly<{ algorithm: PublicKeyAlgorithm; jwk: JsonWebKey & Readonly<{ kty: string }> }>;

const leastRsaBits = 2_048;
const longestModulus = 1_400;

/** The key, for the one algorithm of its kind; undefined for any that is weak, cut off, not on its curve, or of another kind. */
export function strongPublicKey(jwk: Readonly<Record<string, unknown>>): StrongKey | undefined {
  const [kty, crv, x = '', y = '', n = '', e = ''] = ['kty', 'crv', 'x', 'y', 'n', 'e'].map((name) => (typeof jwk[name] === 'string' ? jwk[name] : undefined));
  if (kty === 'OKP' && crv === 'Ed25519' && is256Bits(x) && !isSmall(x)) return { algorithm: 'EdDSA', jwk: { kty, crv, x } };
  if (kty === 'EC' && crv === 'P-256' && is256Bits(x) && is256Bits(y)) return onCurve({ algorithm: 'ES256', jwk: { kty, crv, x, y } });
  if (kty === 'RSA' && e === 'AQAB' && n.length <= longestModulus && bitsOf(decodeBase64Url(n)) >= leastRsaBits) return { algorithm: 'RS256', jwk: { kty, n, e } };
  return undefined;
}

/**
 * Where points of an order of at most 8 lie on edwards25519. Under such a key anyone could sign, where a verifier does not look; a `y` that is
 * no number of the field is a second spelling of another (RFC 8032 §5.1.3).
 */
const field = 2n ** 255n - 19n;
const ofOrderEight = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;
const small: ReadonlySet<bigint> = new Set([0n, 1n, field - 1n, ofOrderEight, field - ofOrderEight]);

function isSmall(x: string): boolean {
  const encoded = BigInt(`0x${Buffer.from(x, 'base64url').reverse().toString('hex')}`);
  const y = BigInt.asUintN(255, encoded);
  return y >= field || small.has(y);
}

const is256Bits = (text: string): boolean => decodeBase64Url(text)?.length === 32;

function onCurve(key: StrongKey): StrongKey | undefined {
  try {
    createPublicKey({ key: key.jwk, format: 'jwk' });
    return key;
  } catch {
    return undefined; // no point of the curve: there is no such key
  }
}

/** Of a number that is written without leading zeros; 0 of any other. */
function bitsOf(modulus: Uint8Array = new Uint8Array()): number {
  const [first = 0] = modulus;
  return first === 0 ? 0 : modulus.length * 8 - Math.clz32(first) + 24;
}
