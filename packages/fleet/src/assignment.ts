/**
 * Signed assignments: compact JWS (RFC 7515) that the instance signs with Ed25519, or with HS256 under a key derived from the worker's
 * own HMAC key. Tokens of the gatekeeper have a cap far below an argument list's size, so this form has a reader of its own.
 */
import { createHmac, createPrivateKey, createPublicKey, createSecretKey, hkdfSync, sign, timingSafeEqual, verify, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { CertificateClaims } from '@weir/contracts/instance';
import { Assignment, KeySuccessor, maxWorkerFrameBytes, type InstanceKey } from '@weir/contracts/workers';

const type = 'weir-assignment+jwt';
const successorType = 'weir-instance-key+jwt';
const certificateType = 'weir-certificate+jwt';

/** A key for one direction or both: `signing` at the coordinator, `checking` at the worker; for HS256 they are the same secret. */
export type AssignmentKey = Readonly<{ algorithm: 'EdDSA' | 'HS256'; key: KeyObject }>;

/** The HS256 key of a worker that has an HMAC key (32 bytes): HKDF-SHA-256, so that neither key says anything about the other. */
export function assignmentKeyOfHmac(workerKey: Uint8Array | KeyObject): AssignmentKey {
  return { algorithm: 'HS256', key: createSecretKey(Buffer.from(hkdfSync('sha256', workerKey, Buffer.alloc(0), 'weir/assignment', 32))) };
}

/** The key that a worker pinned when it joined. */
export function assignmentKeyOfInstance(key: InstanceKey): AssignmentKey {
  return { algorithm: 'EdDSA', key: createPublicKey({ key: { kty: key.kty, crv: key.crv, x: key.x }, format: 'jwk' }) };
}

/** The instance's own signing key, from PKCS #8 PEM or DER. */
export function assignmentKeyOfPrivate(key: KeyObject | string): AssignmentKey {
  return { algorithm: 'EdDSA', key: typeof key === 'string' ? createPrivateKey(key) : key };
}

/** Signs the claims. Errors: `request.too_large` when the result does not fit into a frame of the worker's connection. */
export function signAssignment(key: AssignmentKey, claims: Assignment): string {
  const jws = signJws(key, type, claims);
  if (jws.length > maxWorkerFrameBytes - 1_024) throw new WeirError('request.too_large', 'The argument list of this job is too long; shorten it.');
  return jws;
}

/**
 * Checks signature and form, the worker's name and the time. `now` in milliseconds. The fence is the caller's to compare.
 * Errors: `permission.refused`, which says what was wrong and nothing of the content.
 */
export function openAssignment(key: AssignmentKey, jws: string, worker: string, now: number): Assignment {
  const claims = claimsOf(openJws(key, type, jws));
  if (claims.worker !== worker) throw refused('its worker');
  if (claims.exp * 1_000 <= now || claims.iat * 1_000 > now + 60_000) throw refused('its time; compare the clocks of both machines');
  return claims;
}

/** The old key's word that the instance signs with another one now. */
export function signSuccessor(old: AssignmentKey, successor: KeySuccessor): string {
  return signJws(old, successorType, successor);
}

/** The key that `old` names as its successor for this instance. Errors: `permission.refused`. */
export function openSuccessor(old: AssignmentKey, jws: string, instance: string): InstanceKey {
  const successor = KeySuccessor.safeParse(JSON.parse(openJws(old, successorType, jws)));
  if (!successor.success || successor.data.instance !== instance) throw refused('its claims');
  return successor.data.key;
}

/** The instance's word that a TLS certificate is its own. */
export function signCertificate(key: AssignmentKey, claims: CertificateClaims): string {
  return signJws(key, certificateType, claims);
}

/** Whether `jws` is the word of `key` for exactly these claims. */
export function vouchesFor(key: AssignmentKey, jws: string, expected: CertificateClaims): boolean {
  try {
    const { instance, fingerprint, nonce } = CertificateClaims.parse(JSON.parse(openJws(key, certificateType, jws)));
    return instance === expected.instance && fingerprint === expected.fingerprint && nonce === expected.nonce;
  } catch {
    return false; // whatever is no such word
  }
}

function signJws(key: AssignmentKey, typ: string, claims: object): string {
  const head = `${encode(headerOf(key.algorithm, typ))}.${encode(JSON.stringify(claims))}`;
  return `${head}.${signatureOf(key, head).toString('base64url')}`;
}

/** The payload's text, once its signature is known to be good. */
function openJws(key: AssignmentKey, typ: string, jws: string): string {
  const [header, payload, signature, ...rest] = jws.split('.');
  if (jws.length > maxWorkerFrameBytes || header === undefined || payload === undefined || signature === undefined || rest.length > 0) throw refused('its form');
  // One header per algorithm and type exists, so comparing text pins algorithm, type and member order at once.
  if (header !== encode(headerOf(key.algorithm, typ))) throw refused('its header');
  const given = Buffer.from(signature, 'base64url');
  if (given.toString('base64url') !== signature || !signedBy(key, `${header}.${payload}`, given)) throw refused('its signature');
  return Buffer.from(payload, 'base64url').toString('utf8');
}

function claimsOf(payload: string): Assignment {
  try {
    return Assignment.parse(JSON.parse(payload));
  } catch (cause) {
    throw refused('its claims; coordinator and worker may be of different versions', cause);
  }
}

const headerOf = (algorithm: AssignmentKey['algorithm'], typ: string): string => JSON.stringify({ alg: algorithm, typ });
const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64url');

function signatureOf({ algorithm, key }: AssignmentKey, text: string): Buffer {
  return algorithm === 'EdDSA' ? sign(null, Buffer.from(text), key) : createHmac('sha256', key).update(text).digest();
}

function signedBy(key: AssignmentKey, text: string, signature: Buffer): boolean {
  if (key.algorithm === 'EdDSA') return signature.length === 64 && verify(null, Buffer.from(text), key.key, signature);
  const expected = signatureOf(key, text);
  return signature.length === expected.length && timingSafeEqual(expected, signature);
}

function refused(part: string, cause?: unknown): WeirError {
  return new WeirError('permission.refused', `The assignment was refused for ${part}.`, { cause });
}
