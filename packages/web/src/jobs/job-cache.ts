/** Keeps what the pages know of jobs in step with what the server says. */
import type { InfiniteData } from '@tanstack/react-query';
import { terminalStates, type Job } from '@weir/contracts/jobs';
import { queryClient } from '../api.ts';
import { jobQuery, jobsQuery } from '../queries.ts';

type Pages = InfiniteData<{ items: Job[]; next_cursor: string | null }>;

export function rememberJob(job: Job): void {
  const before = queryClient.getQueryData(jobQuery(job.job_id).queryKey) ?? inList(job.job_id);
  queryClient.setQueryData(jobQuery(job.job_id).queryKey, job);
  queryClient.setQueryData(jobsQuery.queryKey, (pages) => pages && withJob(pages, job));
  if (before?.state === job.state) return;
  void queryClient.invalidateQueries({ queryKey: ['status'] });
  if (terminalStates.includes(job.state)) void queryClient.invalidateQueries({ queryKey: ['library'] });
}

/** Replaces the job where it is listed; a new one takes its place on the first page. */
function withJob(pages: Pages, job: Job): Pages {
  const known = pages.pages.some(({ items }) => items.some(({ job_id: id }) => id === job.job_id));
  return {
    ...pages,
    pages: pages.pages.map((page, index) => ({
      ...page,
      items: known ? page.items.map((item) => (item.job_id === job.job_id ? job : item)) : index === 0 ? [job, ...page.items].toSorted(newestFirst) : page.items,
    })),
  };
}

/** Ids sort by time. */
const newestFirst = (a: Job, b: Job): number => (a.job_id < b.job_id ? 1 : -1);

const inList = (jobId: string): Job | undefined =>
  queryClient.getQueryData(jobsQuery.queryKey)?.pages.flatMap(({ items }) => items).find(({ job_id: id }) => id === jobId);
