/** The replay store of a cluster: rows of one unlogged table, so that no signature is accepted at two nodes. For PostgreSQL. */
import type { ReplayStore } from '@weir/security/replay';
import { sql } from 'kysely';
import type { Data } from '../data.ts';
import { translateDatabaseError } from '../database-errors.ts';
import { raiseMark } from '../marks.ts';

/** The row that says from when on nothing is missing; no key of a signature is spelled like that. */
const began = 'began';
/** The date of the latest accepted signature, in `meta`: what a crash of the database forgets is not dated after it. */
const mark = 'replay_until';
/** The mark runs ahead by this much, so that it is written once in a while and not for each request. */
const aheadMs = 2_000;
/** By so much may a node's clock be behind the database's, and still no key is forgotten that it would accept. */
const clocksDifferMs = 300_000;

/** `accepts` is one statement, one more every two seconds. Errors: `storage.failed`. */
export async function openSharedReplay(data: Data): Promise<ReplayStore> {
  const { connections: { writer } } = data;
  let markMs = 0;

  const moveMark = async (toMs: number): Promise<void> => {
    await data.write((tx) => raiseMark(tx, mark, toMs));
    markMs = toMs;
  };
  /** Makes the row `began` where it is missing: on a first start, and after a crash emptied the table. True if it did. */
  const begin = async (): Promise<boolean> => {
    const { rows } = await sql`insert into replay_key (key, valid_until)
      select ${began}, coalesce((select cast(value as bigint) from meta where key = ${mark}), 0)
      on conflict do nothing returning key`.execute(writer);
    return rows.length > 0;
  };
  const insert = async (key: string, signedAtMs: number, validUntilMs: number): Promise<boolean> => {
    const { rows } = await sql`insert into replay_key (key, valid_until)
      select ${key}, cast(${validUntilMs} as bigint)
      where cast(${validUntilMs} as bigint) > extract(epoch from clock_timestamp()) * 1000 - ${clocksDifferMs}
        and exists (select from replay_key where key = ${began} and valid_until <= ${signedAtMs})
      on conflict do nothing returning key`.execute(writer);
    return rows.length > 0;
  };

  await begin();
  return {
    async accepts(key, signedAtMs, validUntilMs) {
      try {
        // Before the signature is accepted, so that the mark is never behind what was done.
        if (signedAtMs >= markMs) await moveMark(signedAtMs + aheadMs);
        return await insert(key, signedAtMs, validUntilMs) || (await begin() && await insert(key, signedAtMs, validUntilMs));
      } catch (error) {
        throw translateDatabaseError(error);
      }
    },
  };
}

/** Forgets signatures that are too old for anyone. */
export async function sweepReplayKeys(data: Data): Promise<void> {
  await sql`delete from replay_key where key <> ${began}
    and valid_until < extract(epoch from clock_timestamp()) * 1000 - ${clocksDifferMs}`.execute(data.connections.writer);
}
