/** Rows of evidence that has ended long ago: nothing asks for them any more, and the audit trail remembers what they did. */
import { forgetOneTimeSecrets } from '../once.ts';
import type { Tx } from '../schema.ts';

const dayMs = 86_400_000;
/** Ended sessions and grants stay listed for this long. */
const shownForMs = 30 * dayMs;

/** Deletes one-time secrets and tokens a day after they expired, sessions, grants and replaced keys of tokens a month after; returns how many rows. */
export async function forgetExpired(tx: Tx, now: number): Promise<number> {
  const tokens = await tx.deleteFrom('token').where('expires_at', '<', now - dayMs).executeTakeFirst();
  const sessions = await tx.deleteFrom('login_session').where('expires_at', '<', now - shownForMs).executeTakeFirst();
  const grants = await tx.deleteFrom('grant').where('expires_at', '<', now - shownForMs).executeTakeFirst();
  const keys = await tx.deleteFrom('signing_key').where('purpose', '!=', 'audit').where('verifies_until', '<', now - shownForMs).executeTakeFirst();
  const secrets = await forgetOneTimeSecrets(tx, now - dayMs);
  return secrets + [tokens, sessions, grants, keys].reduce((sum, { numDeletedRows }) => sum + Number(numDeletedRows), 0);
}
