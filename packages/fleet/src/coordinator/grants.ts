/** Job grants as tokens of the instance: Bearer for exactly one input or output of one attempt. */
import { newUlid } from '@weir/contracts/clock';
import type { TokenKey } from '@weir/security/token-keys';
import { signToken } from '@weir/security/tokens';
import type { JobGrant } from './context.ts';

/** `issuer` and `audience` as the gatekeeper expects them of job tokens; `key` gives the one that signs now. */
export function jobGrantSigner(issuer: string, audience: string, key: () => TokenKey): (grant: JobGrant) => string {
  return ({ worker, job, fence, part, verb, issuedAt, expiresAt }) => signToken('job', {
    iss: issuer, aud: audience, sub: worker, iat: issuedAt, nbf: issuedAt, exp: expiresAt, jti: newUlid(), job, fence, object: part, verbs: [verb],
  }, key());
}
