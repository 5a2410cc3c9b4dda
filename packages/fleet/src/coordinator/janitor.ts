/** The passes that repair what nobody reported: ended leases, stalled attempts, abandoned verifications, orphaned outputs. */
import { receivedOf, takeOrphans } from '../output-store.ts';
import { excludedWorkers, sweepExpired, sweepStalled, takeVerifications, type JobRow } from '../store.ts';
import { announce, verificationLease, writeLog, type Context } from './context.ts';
import { blameWorker } from './registry.ts';
import { discardAll } from './transfers.ts';

/** `released`: jobs taken from workers that stopped answering or stalled. `verifications`: jobs whose verification is ours now. */
export type Swept = Readonly<{ released: readonly JobRow[]; verifications: readonly JobRow[] }>;

/** The worker watches the same limits and has the first word: it knows more about why. */
const patience = 1.25;

export async function sweep(context: Context): Promise<Swept> {
  const now = context.clock();
  const { stall, wall, grace } = context.timings;
  const isSettling = now - context.startedAt < grace;
  // Each statement stands for itself, so no serializable order is needed, which would collide with every report.
  const swept = await context.data.writeReadCommitted(async (tx) => {
    const verifications = await takeVerifications(tx, now, now + verificationLease(context));
    if (isSettling) return { released: [], verifications };
    const released = [...await sweepExpired(tx, now), ...await sweepStalled(tx, now - Math.ceil(stall * patience), now - Math.ceil(wall * patience), now)];
    return { released, verifications };
  });
  for (const row of swept.released) {
    const worker = excludedWorkers(row).at(-1);
    if (worker !== undefined && row.state !== 'canceled') await context.data.write((tx) => blameWorker(context, tx, worker, row.id));
    const line = { stream: 'weir', text: `Taken from ${worker ?? 'its worker'}, which stopped answering or made no progress.` } as const;
    // Who follows the job stops at its end, so the line comes before that; otherwise the state must not come after the next one.
    if (row.state === 'queued') announce(context, row);
    await writeLog(context, row.id, row.attempt, [line]);
    if (row.state !== 'queued') announce(context, row);
  }
  return swept;
}

export async function collectOrphans(context: Context): Promise<void> {
  const rows = await context.data.writeReadCommitted((tx) => takeOrphans(tx));
  await discardAll(context, rows.map(receivedOf));
}
