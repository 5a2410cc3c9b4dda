/** The security package's identity port over the database: principals with their keys, sessions, grants, revoked tokens. */
import { createPublicKey, createSecretKey } from 'node:crypto';
import { PrincipalKind } from '@weir/contracts/identity';
import type { KeyRing } from '@weir/security/key-ring';
import { compileNetworks, everywhere } from '@weir/security/networks';
import type { GrantRecord, IdentityStore, LoginSession, PrincipalRecord, RequestKey } from '@weir/security/principals';
import type { Role } from '@weir/security/roles';
import type { Selectable } from 'kysely';
import { z } from 'zod';
import type { Database, Schema } from '../schema.ts';

const Strings = z.array(z.string());
export const readStrings = (json: string): string[] => Strings.parse(JSON.parse(json));
const Shared = z.array(z.strictObject({ holding: z.string(), cid: z.string() }));
/** The holdings that a token opens beside, as its row keeps them. */
export const readShared = (json: string): readonly SharedHolding[] => Shared.parse(JSON.parse(json));
export type SharedHolding = Readonly<{ holding: string; cid: string }>;
/** The networks of a stored list; none named is everywhere. */
export const scopeOf = (json: string) => (json === '[]' ? everywhere : compileNetworks(readStrings(json)));

export function identityStore(db: Database, keyRing: KeyRing, roles: ReadonlyMap<string, Role>): IdentityStore {
  return {
    async principal(id) {
      const row = await db.selectFrom('principal').selectAll().where('id', '=', id).executeTakeFirst();
      if (row === undefined) return undefined;
      const keys = await db.selectFrom('principal_key').selectAll().where('principal', '=', id).orderBy('created_at', 'desc').limit(16).execute();
      return toPrincipal(row, keys.map((key) => toKey(key, keyRing)), roles);
    },
    async loginSession(id): Promise<LoginSession | undefined> {
      const row = await db.selectFrom('login_session').selectAll().where('id', '=', id).executeTakeFirst();
      return row && { id, secretHash: row.secret_hash, principal: row.principal, expiresAtMs: row.expires_at, ended: row.ended_at !== null, steppedUpAtMs: row.stepped_up_at, lastUsedAtMs: row.last_used_at };
    },
    async grant(id): Promise<GrantRecord | undefined> {
      const row = await db.selectFrom('grant').selectAll().where('id', '=', id).executeTakeFirst();
      return row && {
        id, issuer: row.issuer, holding: row.holding, verbs: readStrings(row.verbs), principal: row.principal ?? undefined, networks: scopeOf(row.networks),
        validFromMs: row.valid_from, expiresAtMs: row.expires_at, revoked: row.revoked_at !== null, usesLeft: row.uses_left ?? undefined, parent: row.parent ?? undefined,
      };
    },
    async isTokenRevoked(jti) {
      const row = await db.selectFrom('token').select('revoked_at').where('jti', '=', jti).executeTakeFirst();
      return row !== undefined && row.revoked_at !== null;
    },
    async tokenShares(jti) {
      const row = await db.selectFrom('token').select(['issuer', 'holdings']).where('jti', '=', jti).executeTakeFirst();
      return row === undefined || row.holdings === null ? undefined : { issuer: row.issuer, holdings: new Set(readShared(row.holdings).map(({ holding }) => holding)) };
    },
  };
}

function toPrincipal(row: Selectable<Schema['principal']>, keys: readonly RequestKey[], roles: ReadonlyMap<string, Role>): PrincipalRecord {
  // A role that the configuration no longer defines gives nothing; what is the principal's own stays.
  const rights = new Set([...(roles.get(row.role)?.permissions ?? []), ...readStrings(row.permissions)]);
  return {
    id: row.id, kind: PrincipalKind.parse(row.kind), role: row.role, rights, scope: scopeOf(row.networks), disabled: row.disabled !== 0,
    tokensValidFromMs: row.tokens_valid_from, maxSkewSeconds: row.max_skew_seconds ?? 30, keys,
  };
}

function toKey(row: Selectable<Schema['principal_key']>, keyRing: KeyRing): RequestKey {
  const common = { id: row.id, algorithm: row.algorithm, expiresAtMs: row.expires_at ?? Infinity };
  if (row.secret !== null) {
    const bytes = keyRing.open('principal-key', row.id, row.secret);
    try {
      return { ...common, key: createSecretKey(bytes) };
    } finally {
      bytes.fill(0);
    }
  }
  return { ...common, key: createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: row.public_key ?? '' }, format: 'jwk' }) };
}
