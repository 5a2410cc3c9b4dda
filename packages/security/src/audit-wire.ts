/** Audit events, checkpoints and keys between the form of the wire and the one that is hashed and signed. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { AuditCheckpoint, AuditEvent as WireEvent, AuditKey } from '@weir/contracts/audit';
import { toInstant } from '@weir/contracts/identity';
import type { AuditEvent, Checkpoint } from './audit.ts';

export function eventFromWire({ at, request_id: requestId, previous_hash: previousHash, ...event }: WireEvent): AuditEvent {
  return { ...event, atMs: Date.parse(at), requestId, previousHash };
}

export const checkpointToWire = ({ writer, sequence, hash, atMs, keyId, signature }: Checkpoint): AuditCheckpoint =>
  ({ writer, sequence, hash, at: toInstant(atMs), key_id: keyId, signature });

export const checkpointFromWire = ({ at, key_id: keyId, ...point }: AuditCheckpoint): Checkpoint => ({ ...point, atMs: Date.parse(at), keyId });

/** An Ed25519 public key that was printed as raw bytes in base64url; undefined if it is none. */
export function publicKeyFrom(text: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text }, format: 'jwk' });
  } catch {
    return undefined; // not a point of the curve
  }
}

export const publicKeyText = (key: KeyObject): string => key.export({ format: 'jwk' }).x ?? '';

/** Of the keys that a message names, those that verify; with `trusted`, only those among them. */
export function keysByName(keys: readonly AuditKey[], trusted?: ReadonlySet<string>): ReadonlyMap<string, KeyObject> {
  return new Map(keys.filter(({ public_key: text }) => trusted?.has(text) ?? true)
    .flatMap(({ id, public_key: text }) => { const key = publicKeyFrom(text); return key === undefined ? [] : [[id, key] as const]; }));
}
