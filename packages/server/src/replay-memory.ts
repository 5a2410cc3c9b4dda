/** The replay store of one node: in memory, and across a restart by the latest signature that was accepted before it. */
import type { Clock } from '@weir/contracts/clock';
import type { Data } from '@weir/data/data';
import { ReplayMemory, type ReplayStore } from '@weir/security/replay';
import type { Logger } from 'pino';

const name = 'replay_until';
/** The stored instant runs ahead by this much, so that it is written once in a while and not for each request. */
const aheadMs = 2_000;

/**
 * What an earlier process may have accepted is dated before `replay_until`; signatures dated before that are refused here. The mark is
 * queued before the change that the signature is for, so it is never behind what was done; a first start refuses nothing.
 */
export async function openReplayMemory(data: Data, clock: Clock, log: Logger): Promise<ReplayStore> {
  const row = await data.read.selectFrom('meta').select('value').where('key', '=', name).executeTakeFirst();
  let markMs = Number(row?.value ?? 0);
  const memory = new ReplayMemory(clock, { beganMs: markMs });
  const moveMark = (toMs: number): void => {
    markMs = toMs;
    data.write(async (tx) => {
      await tx.insertInto('meta').values({ key: name, value: String(toMs) })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: String(toMs) })).execute();
    }).catch((error: unknown) => { log.error({ err: error }, 'the replay mark could not be written'); });
  };
  return {
    covers(signedAtMs) {
      if (!memory.covers(signedAtMs)) return false;
      if (signedAtMs >= markMs) moveMark(signedAtMs + aheadMs);
      return true;
    },
    insert: (key, validUntilMs) => memory.insert(key, validUntilMs),
  };
}
