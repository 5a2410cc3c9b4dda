/** Follows every job of the caller while the page is seen. */
import * as jobs from '@weir/sdk/jobs';
import { api, queryClient } from '../api.ts';
import { useMay } from '../caller.ts';
import { useWhileVisible } from '../use-while-visible.ts';
import { rememberJob } from './job-cache.ts';

export function useLiveJobs(): void {
  const may = useMay();
  const allowed = may('submit_jobs');
  useWhileVisible(`jobs:${allowed}`, async (signal) => {
    if (!allowed) return;
    // What happened while nobody listened is read again, once, whenever the stream opens.
    const onConnection = (state: 'open' | 'lost'): void => {
      if (state === 'open') void queryClient.invalidateQueries({ queryKey: ['jobs'] });
    };
    try {
      for await (const job of jobs.changes(api, { signal, onConnection })) rememberJob(job);
    } catch {
      await queryClient.invalidateQueries({ queryKey: ['permissions'] });    // refused: most often the session has ended
    }
  });
}
