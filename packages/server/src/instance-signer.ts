/** The instance's keys as what signs for its workers: assignments, the next key, the certificate. */
import { WeirError } from '@weir/contracts/errors';
import { assignmentKeyOfPrivate, type AssignmentKey } from '@weir/fleet/assignment';
import type { TokenKey } from '@weir/security/token-keys';

export function instanceSigner(key: TokenKey): AssignmentKey {
  if (key.algorithm !== 'EdDSA' || key.private === undefined) throw new WeirError('internal', 'The instance key can not sign.');
  return assignmentKeyOfPrivate(key.private);
}
