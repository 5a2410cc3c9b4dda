/** Every value that is stored sealed under the key ring, and its sealing anew under the key that seals now: in batches, beside a running server. */
import type { KeyRing } from '@weir/security/key-ring';
import { sealedUnder } from '@weir/security/key-ring';
import { z } from 'zod';
import type { Data } from '../data.ts';
import type { Database, Tx } from '../schema.ts';

/** What the data key of a blob is sealed as; its subject is the blob. */
export const contentKeyPurpose = 'content-key';
const batchSize = 200;

type SealedValue = Readonly<{
  /** Where it lies: sorts within its table, so that the next batch begins after it. */
  at: string; purpose: string; subject: string; sealed: Uint8Array;
  /** Replaces the value, unless it is another one by now. */
  store: (tx: Tx, fresh: Uint8Array) => Promise<unknown>;
}>;
type Place = Readonly<{ name: string; after: (db: Database, at: string) => Promise<readonly SealedValue[]> }>;

const Facts = z.looseObject({ blob: z.string(), sealedKey: z.base64().nullable() });

/** A new table or column with sealed values gets its line here. What is encrypted with a data key (leaf digests) hangs on that key and stays. */
const places: readonly Place[] = [
  {
    name: 'keys of principals',
    after: async (db, at) => (await db.selectFrom('principal_key').select(['id', 'secret']).where('secret', 'is not', null).where('id', '>', at).orderBy('id').limit(batchSize).execute())
      .map(({ id, secret }) => secretOf('principal-key', id, secret, (tx, old, fresh) =>
        tx.updateTable('principal_key').set({ secret: fresh }).where('id', '=', id).where('secret', '=', old).execute())),
  },
  {
    name: 'signing keys',
    after: async (db, at) => (await db.selectFrom('signing_key').select(['id', 'secret']).where('id', '>', at).orderBy('id').limit(batchSize).execute())
      .map(({ id, secret }) => secretOf('signing-key', id, secret, (tx, old, fresh) =>
        tx.updateTable('signing_key').set({ secret: fresh }).where('id', '=', id).where('secret', '=', old).execute())),
  },
  {
    name: 'keys of users',
    after: async (db, at) => (await db.selectFrom('user_key').select(['id', 'secret']).where('id', '>', at).orderBy('id').limit(batchSize).execute())
      .map(({ id, secret }) => secretOf('user-key', id, secret, (tx, old, fresh) =>
        tx.updateTable('user_key').set({ secret: fresh }).where('id', '=', id).where('secret', '=', old).execute())),
  },
  {
    name: 'keys of contents',
    after: async (db, at) => (await db.selectFrom('holding').select(['id', 'blob', 'data_key']).where('data_key', 'is not', null).where('id', '>', at).orderBy('id').limit(batchSize).execute())
      .map(({ id, blob, data_key: sealed }) => ({
        ...secretOf(contentKeyPurpose, blob, sealed, (tx, old, fresh) => tx.updateTable('holding').set({ data_key: fresh }).where('id', '=', id).where('data_key', '=', old).execute()), at: id,
      })),
  },
  {
    name: 'keys of outputs that wait',
    after: async (db, at) => {
      const [job = '', fence = '0', ...name] = at.split('/');
      const rows = await db.selectFrom('job_output').selectAll().where((row) => row.or([
        row('job', '>', job), row.and([row('job', '=', job), row('fence', '>', Number(fence))]), row.and([row('job', '=', job), row('fence', '=', Number(fence)), row('name', '>', name.join('/'))]),
      ])).orderBy('job').orderBy('fence').orderBy('name').limit(batchSize).execute();
      return rows.map((row) => {
        const facts = Facts.parse(JSON.parse(row.holding_facts));
        const sealed = facts.sealedKey === null ? new Uint8Array() : Buffer.from(facts.sealedKey, 'base64');
        return {
          ...secretOf(contentKeyPurpose, facts.blob, sealed, (tx, _old, fresh) => tx.updateTable('job_output').set({ holding_facts: JSON.stringify({ ...facts, sealedKey: Buffer.from(fresh).toString('base64') }) })
            .where('job', '=', row.job).where('fence', '=', row.fence).where('name', '=', row.name).where('holding_facts', '=', row.holding_facts).execute()),
          at: `${row.job}/${row.fence}/${row.name}`,
        };
      });
    },
  },
];

function secretOf(purpose: string, subject: string, secret: Uint8Array | null, store: (tx: Tx, old: Uint8Array, fresh: Uint8Array) => Promise<unknown>): SealedValue {
  const sealed = secret ?? new Uint8Array();
  return { at: subject, purpose, subject, sealed, store: (tx, fresh) => store(tx, sealed, fresh) };
}

async function* batches(db: Database): AsyncGenerator<Readonly<{ name: string; values: readonly SealedValue[] }>> {
  for (const { name, after } of places) {
    for (let at = ''; ;) {
      const values = await after(db, at);
      yield { name, values: values.filter(({ sealed }) => sealed.length > 0) };
      at = values.at(-1)?.at ?? '';
      if (values.length < batchSize) break;
    }
  }
}

export type ResealProgress = Readonly<{ name: string; seen: number; resealed: number }>;

/**
 * Seals under the ring's current key what is sealed under another; yields after each batch. What was done stays done, so a run that was
 * interrupted is simply begun again. Plaintext is never stored: each value is opened and sealed in memory. `keys.wrong`.
 */
export async function* resealAll(data: Data, keyRing: KeyRing): AsyncGenerator<ResealProgress> {
  let [seen, resealed] = [0, 0];
  for await (const { name, values } of batches(data.read)) {
    const old = values.filter(({ sealed }) => sealedUnder(sealed) !== keyRing.currentId);
    if (old.length > 0) {
      const fresh = old.map((value) => [value, keyRing.reseal(value.purpose, value.subject, value.sealed)] as const);
      await data.write(async (tx) => {
        for (const [value, sealed] of fresh) await value.store(tx, sealed);
      });
    }
    seen += values.length;
    resealed += old.length;
    yield { name, seen, resealed };
  }
}

/** How many stored values each key of the ring still opens. */
export async function countSealed(db: Database): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for await (const { values } of batches(db)) {
    for (const { sealed } of values) counts.set(sealedUnder(sealed), (counts.get(sealedUnder(sealed)) ?? 0) + 1);
  }
  return counts;
}
