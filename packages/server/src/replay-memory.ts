/** The replay store of one node: in memory, and across a restart by the latest signature that was accepted before it. */
import type { Clock } from '@weir/contracts/clock';
import type { Data } from '@weir/data/data';
import { raiseMark, readMark } from '@weir/data/marks';
import { ReplayMemory, type ReplayStore } from '@weir/security/replay';
import type { Logger } from 'pino';

/** The stored instant runs ahead by this much, so that it is written once in a while and not for each request. */
const aheadMs = 2_000;

/**
 * What an earlier process may have accepted is dated before `replay_until`; signatures dated before that are refused here. The mark is
 * queued before the change that the signature is for, so it is never behind what was done; a first start refuses nothing.
 */
export async function openReplayMemory(data: Data, clock: Clock, log: Logger): Promise<ReplayStore> {
  let markMs = await readMark(data.read, 'replay_until');
  const memory = new ReplayMemory(clock, { beganMs: markMs });
  const moveMark = (toMs: number): void => {
    markMs = toMs;
    data.write((tx) => raiseMark(tx, 'replay_until', toMs)).catch((error: unknown) => { log.error({ err: error }, 'the replay mark could not be written'); });
  };
  return {
    accepts(key, signedAtMs, validUntilMs) {
      if (!memory.covers(signedAtMs)) return false;
      if (signedAtMs >= markMs) moveMark(signedAtMs + aheadMs);
      return memory.insert(key, validUntilMs) === 'fresh';
    },
  };
}
