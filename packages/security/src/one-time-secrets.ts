/** One-time secrets (sign-in links, worker invitations, session cookies): made random, stored as a digest only. */
import { hash, randomBytes } from 'node:crypto';
import { lengthPrefixed } from './length-prefixed.ts';
import { constantTimeEqual } from './secret.ts';

/** 32 random bytes as 43 characters of base64url. With that much randomness a plain digest needs no salt and no slow hash. */
export function makeOneTimeSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** SHA-256 in hex over purpose and secret; a digest stored for one purpose matches for no other. */
export function hashOneTimeSecret(purpose: string, secret: string): string {
  return hash('sha256', lengthPrefixed('weir/one-time-secret/v1', purpose, secret), 'hex');
}

/** Whether `presented` is the secret whose digest is stored. */
export function matchesOneTimeSecret(purpose: string, presented: string, storedHash: string): boolean {
  return constantTimeEqual(Buffer.from(hashOneTimeSecret(purpose, presented)), Buffer.from(storedHash));
}
