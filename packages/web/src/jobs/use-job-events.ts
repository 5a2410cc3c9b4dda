/** Follows one job: its state and progress go to the cache, its log is returned. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { Job, LogLine } from '@weir/contracts/jobs';
import * as jobs from '@weir/sdk/jobs';
import { useState } from 'react';
import { api } from '../api.ts';
import { jobQuery } from '../queries.ts';
import { useWhileVisible } from '../use-while-visible.ts';
import { rememberJob } from './job-cache.ts';
import { hasEnded } from './job-text.ts';
import { mergeLines } from './log-lines.ts';

/** Older lines are dropped beyond this many; the whole log can be fetched. */
const maxLines = 2_000;

export function useJobEvents(job: Job): readonly LogLine[] {
  const cache = useQueryClient();
  const live = !hasEnded(job);
  const [fresh, setFresh] = useState<readonly LogLine[]>([]);
  const stored = useQuery({
    queryKey: ['job-log', job.job_id, job.attempt, live],
    queryFn: async ({ signal }) => {
      const lines = await jobs.logs(api, job.job_id, { signal });
      setFresh([]);
      return lines;
    },
  });
  useWhileVisible(`${job.job_id}:${live}`, async (signal) => {
    if (!live) return;
    try {
      for await (const event of jobs.events(api, job.job_id, { signal })) {
        if (event.type === 'state') rememberJob(event.job);
        if (event.type === 'progress') {
          cache.setQueryData(jobQuery(job.job_id).queryKey, (known) => known && { ...known, progress: event.progress });
        }
        if (event.type === 'log') setFresh((lines) => [...lines, event.line].slice(-maxLines));
      }
    } catch {
      await cache.invalidateQueries({ queryKey: jobQuery(job.job_id).queryKey });    // refused: the query says why
    }
  });
  return mergeLines(stored.data ?? [], fresh).slice(-maxLines);
}
