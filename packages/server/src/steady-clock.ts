/** A clock that never goes back, also over a restart: what has expired stays expired when somebody turns the machine's clock back. */
import type { Clock } from '@weir/contracts/clock';
import type { Data } from '@weir/data/data';

const name = 'clock_high_water';
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
  const row = await data.read.selectFrom('meta').select('value').where('key', '=', name).executeTakeFirst();
  const storedMs = Number(row?.value ?? 0);
  const behindMs = Math.max(0, storedMs - machine());
  let latestMs = storedMs;
  const now = (): number => {
    const ms = machine();
    if (ms > latestMs) latestMs = ms;
    return latestMs;
  };
  const store = async (): Promise<void> => {
    const value = String(now());
    await data.write(async (tx) => {
      await tx.insertInto('meta').values({ key: name, value }).onConflict((conflict) => conflict.column('key').doUpdateSet({ value })).execute();
    });
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
