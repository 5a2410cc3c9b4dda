/** The gatekeeper's view of what objects belong to whom. */
import type { Database } from '@weir/data/schema';
import { compileCeilings, compilePolicy, readPolicy } from '@weir/security/policies';
import type { ObjectStore } from '@weir/security/gatekeeper';
import type { Holding } from '@weir/security/rights';
import { holdingById, holdingsOfDigest } from '@weir/content/holdings';
import type { HoldingRow } from '@weir/content/store';

/** A holding as decisions need it, with the row it came from. */
export type StoredHolding = Holding & Readonly<{ row: HoldingRow }>;

const toHolding = (row: HoldingRow): StoredHolding => {
  const policy = readPolicy(row.policy);
  return { id: row.id, owner: row.owner, policy: policy && compilePolicy(policy), ceilings: compileCeilings(row.ceilings), row };
};

export function objectStore(db: Database, now: () => number): ObjectStore<StoredHolding> {
  return {
    async ownerOf(type, id) {
      switch (type) {
        case 'job': return (await db.selectFrom('job').select('owner').where('id', '=', id).executeTakeFirst())?.owner;
        case 'grant': return (await db.selectFrom('grant').select('issuer').where('id', '=', id).executeTakeFirst())?.issuer;
        case 'token': return (await db.selectFrom('token').select('principal').where('jti', '=', id).executeTakeFirst())?.principal;
        case 'login_session': return (await db.selectFrom('login_session').select('principal').where('id', '=', id).where('ended_at', 'is', null).executeTakeFirst())?.principal;
        case 'passkey': return (await db.selectFrom('passkey').select('principal').where('id', '=', id).executeTakeFirst())?.principal;
        case 'holding': return (await db.selectFrom('holding').select('owner').where('id', '=', id).where('deleted_at', 'is', null).executeTakeFirst())?.owner;
      }
    },
    holdingsOf: async (digest) => (await holdingsOfDigest(db, digest)).map(toHolding),
    async holding(id) {
      const row = await holdingById(db, id);
      return row && toHolding(row);
    },
    async isLeasedTo(job, worker) {
      const row = await db.selectFrom('job').select('id').where('id', '=', job).where('worker', '=', worker)
        .where('state', 'in', ['assigned', 'running', 'verifying', 'canceling']).where('lease_until', '>', now()).executeTakeFirst();
      return row !== undefined;
    },
  };
}
