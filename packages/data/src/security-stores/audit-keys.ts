/** What checkpoints and cuts of the audit log are verified with. */
import type { AuditKey } from '@weir/contracts/audit';
import { publicKeyText } from '@weir/security/audit-wire';
import type { KeyRing } from '@weir/security/key-ring';
import { importTokenKey } from '@weir/security/token-keys';
import type { Database } from '../schema.ts';

/**
 * Every audit key that ever signed, retired ones too, newest first: taken from what is sealed under the key ring, not from the column
 * beside it, because who writes to the database could name a key of his own there. Errors: `keys.wrong`.
 */
export async function auditKeys(db: Database, keyRing: KeyRing): Promise<readonly AuditKey[]> {
  const rows = await db.selectFrom('signing_key').select(['id', 'secret']).where('purpose', '=', 'audit').orderBy('created_at', 'desc').orderBy('id', 'desc').execute();
  return rows.flatMap(({ id, secret }) => {
    const key = importTokenKey(id, keyRing.open('signing-key', id, secret));
    return key.algorithm === 'EdDSA' ? [{ id, public_key: publicKeyText(key.public) }] : [];
  });
}
