/** The ways in which a principal can sign in by itself: passkeys, and identities at providers that sign-in is configured for. */
import { WeirError } from '@weir/contracts/errors';
import type { Tx } from '../schema.ts';
import { externalOf } from './external-identities.ts';

/** `sign_in.last_way` when none is left. Called in the transaction that took one away. */
export async function requireWayIn(tx: Tx, principal: string, issuers: readonly string[]): Promise<void> {
  const passkey = await tx.selectFrom('passkey').select('id').where('principal', '=', principal).limit(1).executeTakeFirst();
  if (passkey !== undefined) return;
  const identities = await externalOf(tx, principal);
  if (!identities.some(({ issuer }) => issuers.includes(issuer))) throw new WeirError('sign_in.last_way');
}
