/** Lets the proof of who somebody is grow old without waiting ten minutes. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';

/** More than twice the time after which a server asks its database for news. */
const heardAfterMs = 600;

/** Sets back the proofs of the sessions of a principal by more than the ten minutes that they count, and lets the server hear of it. */
export async function makeProofsStale(dataPath: string, principal: string): Promise<void> {
  const database = new DatabaseSync(path.join(dataPath, 'weir.db'), { timeout: 5_000 });
  database.exec('begin immediate');
  database.prepare('update login_session set stepped_up_at = stepped_up_at - 601000 where principal = ?').run(principal);
  database.exec(`update counter set value = value + 1 where name = 'epoch'`);
  database.prepare(`insert into epoch (subject, sequence) select 'session:' || login_session.id, counter.value from login_session, counter where counter.name = 'epoch' and principal = ?
    on conflict (subject) do update set sequence = excluded.sequence`).run(principal);
  database.exec('commit');
  database.close();
  await wait(heardAfterMs);
}
