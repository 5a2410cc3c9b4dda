/** A clock that never goes back, also over a restart: what has expired stays expired when somebody turns the machine's clock back. */
import type { Clock } from '@weir/contracts/clock';
import type { Data } from '@weir/data/data';
import { raiseMark, readMark } from '@weir/data/marks';

const writeEveryMs = 30_000;
/** A step back that a time service makes is not worth a warning. */
const notableMs = 60_000;

export type SteadyClock = AsyncDisposable & Readonly<{
  now: Clock;
  /** How far the machine's clock was behind the last time that this instance had seen, in milliseconds; 0 when it was not. */
  behindMs: number;
}>;

/** Reads the latest time that was stored, and stores it again every half minute and at the end. */
export async function openSteadyClock(data: Data, machine: Clock, onError: (error: unknown) => void): Promise<SteadyClock> {
  const storedMs = await readMark(data.read, 'clock_high_water');
  const behindMs = Math.max(0, storedMs - machine());
  let latestMs = storedMs;
  const now = (): number => {
    const ms = machine();
    if (ms > latestMs) latestMs = ms;
    return latestMs;
  };
  const store = async (): Promise<void> => {
    const seenMs = now();
    await data.write((tx) => raiseMark(tx, 'clock_high_water', seenMs));
  };
  const timer = setInterval(() => { store().catch(onError); }, writeEveryMs);
  timer.unref();
  return {
    now, behindMs: behindMs >= notableMs ? behindMs : 0,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await store();
    },
  };
}
