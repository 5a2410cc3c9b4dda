/**
 * Request signing, profile `dffmpeg`: HMAC-SHA256 over `METHOD|path|timestamp|hex(sha256(body))`, sent as base64.
 * It signs neither the query nor the response; who accepts it must know that.
 */
import { createHash, createHmac, createSecretKey, hash, randomBytes, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { decodeBase64 } from '../base64.ts';
import { constantTimeEqual } from '../secret.ts';

/** Header names as they travel. */
export const dffmpegHeaders = {
  clientId: 'x-dffmpeg-client-id', timestamp: 'x-dffmpeg-timestamp', signature: 'x-dffmpeg-signature',
} as const;

/** `path` without query, as the peer signs it; `bodyDigest` is 64 hex digits, of the empty body where there is none. */
export type DffmpegRequest = Readonly<{ method: string; path: string; timestamp: string; bodyDigest: string }>;
export type SignedDffmpegRequest = DffmpegRequest & Readonly<{ signature: string }>;

export const defaultMaxSkewSeconds = 30;
export const greatestMaxSkewSeconds = 300;

const keyLength = 32;
const maxPathLength = 8_192;
const methodPattern = /^[A-Za-z]{1,16}$/;
const timestampPattern = /^[0-9]{1,12}$/;
const digestPattern = /^[0-9a-f]{64}$/;
const signaturePattern = /^[A-Za-z0-9+/]{43}=$/;
/** Unknown identities are checked against this, so that they cost what known ones cost. */
const dummyKey = createSecretKey(randomBytes(keyLength));

/** A new key: 32 random bytes as 44 characters of base64. */
export function newDffmpegKey(): string {
  return randomBytes(keyLength).toString('base64');
}

/** The key that 44 characters of canonical base64 stand for; anything else is `config.invalid`, and its value is not repeated. */
export function parseDffmpegKey(text: string): KeyObject {
  const bytes = decodeBase64(text);
  if (bytes?.length !== keyLength) {
    throw new WeirError('config.invalid', 'A request-signing key is 32 bytes in base64 (44 characters); copy it again as it was printed.');
  }
  try {
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Hex SHA-256 of a body that is all there. */
export function digestOfBody(body: Uint8Array): string {
  return hash('sha256', body, 'hex');
}

/** Hex SHA-256 of a body that arrives in pieces; `hex` ends it. */
export function bodyDigest(): Readonly<{ update(chunk: Uint8Array): void; hex(): string }> {
  const digest = createHash('sha256');
  return { update: (chunk) => { digest.update(chunk); }, hex: () => digest.digest('hex') };
}

/** The signature of a request, in base64. */
export function signDffmpeg(key: KeyObject, request: DffmpegRequest): string {
  return mac(key, request);
}

/**
 * The decoded MAC of a request that `key` signed within `maxSkewSeconds` before or after `nowSeconds` (fractions count), else undefined.
 * Without a key (unknown identity, refused network) it computes and compares all the same, against a dummy, and refuses.
 * The MAC is the request's name in the replay store.
 */
export function verifyDffmpeg(
  key: KeyObject | undefined, request: SignedDffmpegRequest, nowSeconds: number, maxSkewSeconds: number = defaultMaxSkewSeconds,
): Buffer | undefined {
  if (!isWellFormed(request) || !signaturePattern.test(request.signature)) return undefined;
  // Compared as text: of each MAC there is one spelling, which is what encoding it gives.
  const isEqual = constantTimeEqual(Buffer.from(request.signature), Buffer.from(mac(key ?? dummyKey, request)));
  const skewSeconds = Math.abs(nowSeconds - Number(request.timestamp));
  const isTimely = skewSeconds <= Math.min(maxSkewSeconds, greatestMaxSkewSeconds);
  return isEqual && isTimely && key !== undefined ? Buffer.from(request.signature, 'base64') : undefined;
}

function isWellFormed({ method, path, timestamp, bodyDigest: digest }: DffmpegRequest): boolean {
  return timestampPattern.test(timestamp) && methodPattern.test(method) && path.length <= maxPathLength && digestPattern.test(digest);
}

/** The path may hold `|`: what stands before and after it has none, so the string is read in one way only. */
function mac(key: KeyObject, { method, path, timestamp, bodyDigest: digest }: DffmpegRequest): string {
  return createHmac('sha256', key).update(`${method.toUpperCase()}|${path}|${timestamp}|${digest}`).digest('base64');
}
