/** The browser session that a request came with: only a session can be stepped up. */
import { WeirError } from '@weir/contracts/errors';
import type { Identity } from '@weir/security/identity';

/** `step_up.required` for tokens and request signatures, with what they do instead. */
export function requireSession({ identity }: Readonly<{ identity: Identity }>): string {
  if (identity.via === 'session' && identity.sessionId !== undefined) return identity.sessionId;
  throw new WeirError('step_up.required', 'Only a signed-in browser can be asked again who uses it; a token can not. A program signs the request with its principal’s own key.');
}
