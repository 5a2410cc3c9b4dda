/** Every change of one owner's jobs, for lists that follow them: the store is asked once a second, so any node tells what all have done. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Job } from '@weir/contracts/jobs';
import type { Coordinator } from '@weir/fleet/coordinator/coordinator';

const everyMs = 1_000;
/** The newest jobs of an owner are followed, as many as a list shows. */
const mostJobs = 100;

/** First every job, oldest first, then each one that changed; ends with the signal. */
export async function* jobChanges(coordinator: Coordinator, owner: string, signal: AbortSignal): AsyncGenerator<Job> {
  let told = new Map<string, string>();
  while (!signal.aborted) {
    const seen = new Map<string, string>();
    for (const job of (await coordinator.list({ owner, state: null, before: null, limit: mostJobs })).toReversed()) {
      const text = JSON.stringify(job);
      seen.set(job.job_id, text);
      if (told.get(job.job_id) !== text) yield job;
    }
    told = seen;
    await wait(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
