/** The principals `proxy:ROLE`: one for each role, shared by everyone to whom a reverse proxy gives that role and no name. */
import { moveEpochs } from '../epochs.ts';
import type { Tx } from '../schema.ts';

export const sharedPrefix = 'proxy:';

/**
 * Makes those of `roles` that are not there, and removes the others with their sessions; with no roles, all of them. What they own stays. A
 * token of one that was removed is not good again when it is made anew. Returns those that were made or removed.
 */
export async function keepProxyPrincipals(tx: Tx, roles: readonly string[], now: number): Promise<readonly string[]> {
  const there = (await tx.selectFrom('principal').select('id').where('id', 'like', `${sharedPrefix}%`).execute()).map(({ id }) => id);
  const wanted = roles.map((role) => ({ id: `${sharedPrefix}${role}`, role }));
  const gone = there.filter((id) => !wanted.some((entry) => entry.id === id));
  const made = wanted.filter(({ id }) => !there.includes(id));
  for (const id of gone) {
    await tx.deleteFrom('principal').where('id', '=', id).execute();
    await tx.updateTable('login_session').set({ ended_at: now }).where('principal', '=', id).execute();
  }
  for (const { id, role } of made) {
    await tx.insertInto('principal').values({
      id, kind: 'service', role, permissions: '[]', networks: '[]', disabled: 0, tokens_valid_from: now, max_skew_seconds: null, created_at: now,
    }).onConflict((conflict) => conflict.column('id').doNothing()).execute();
  }
  const changed = [...gone, ...made.map(({ id }) => id)];
  if (changed.length > 0) await moveEpochs(tx, changed.map((id) => `principal:${id}`));
  return changed;
}
