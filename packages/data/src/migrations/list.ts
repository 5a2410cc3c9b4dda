/**
 * Every migration, oldest first, by the name that databases remember. A released one never changes; a change of the schema is a new one,
 * whose name sorts after all others.
 */
import type { Statements } from './column-types.ts';
import { initial } from './0001-initial.ts';
import { userKeys } from './0002-user-keys.ts';
import { externalIdentities } from './0003-external-identities.ts';
import { passkeys } from './0004-passkeys.ts';
import { policyHistory } from './0005-policy-history.ts';
import { audit } from './0006-audit.ts';
import { sharedState } from './0007-shared-state.ts';

export type MigrationList = Readonly<Record<string, Statements>>;

export const migrations: MigrationList = {
  '0001-initial': initial,
  '0002-user-keys': userKeys,
  '0003-external-identities': externalIdentities,
  '0004-passkeys': passkeys,
  '0005-policy-history': policyHistory,
  '0006-audit': audit,
  '0007-shared-state': sharedState,
};
