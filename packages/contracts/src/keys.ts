/** Keys that sign: what for, in which state, and their rotation. */
import { z } from 'zod';
import { Instant } from './identity.ts';

/** `access`, `grant` and `job`: tokens; `instance`: assignments to workers; `audit`: checkpoints. */
export const KeyPurpose = z.enum(['access', 'grant', 'job', 'ticket', 'playlist', 'instance', 'audit']);
export type KeyPurpose = z.infer<typeof KeyPurpose>;

export const SigningKey = z.strictObject({
  kid: z.string().max(64), purpose: KeyPurpose, algorithm: z.string().max(16),
  /** `signing`: the current one; `verifying`: replaced, its tokens still hold; `ended`. */
  state: z.enum(['signing', 'verifying', 'ended']),
  created_at: Instant, retired_at: Instant.nullable(), verifies_until: Instant.nullable(),
});
export type SigningKey = z.infer<typeof SigningKey>;
export const SigningKeys = z.strictObject({ items: z.array(SigningKey) });

/** `compromised`: every key of the purpose so far is void at once, with all that it signed. */
export const KeyRotation = z.strictObject({ purpose: KeyPurpose, compromised: z.boolean().default(false) });
/** `verifies_until`: how long what the old key signed still holds. */
export const KeyRotated = z.strictObject({ purpose: KeyPurpose, kid: z.string().max(64), verifies_until: Instant, voided: z.array(z.string().max(64)) });
export type KeyRotated = z.infer<typeof KeyRotated>;
