/** The jobs that run or wait, and the latest that ended. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { JobRow } from '../jobs/job-row.tsx';
import { hasEnded } from '../jobs/job-text.ts';
import { jobsQuery } from '../queries.ts';
import { useNow } from '../use-now.ts';
import { Failure, Loading, Skeleton } from '../ui/states.tsx';

const shownJobs = 4;

export function RunningNow() {
  const nowMs = useNow();
  const list = useInfiniteQuery(jobsQuery);
  const jobs = list.data?.pages.flatMap(({ items }) => items) ?? [];
  const active = jobs.filter((job) => !hasEnded(job));
  const shown = [...active, ...jobs.filter(hasEnded)].slice(0, Math.max(shownJobs, active.length)).slice(0, 8);
  return (
    <section aria-label="Jobs" className="card overflow-hidden">
      <div className="flex min-h-9 items-center px-4 pt-4 pb-2 sm:px-5">
        <h2 className="flex-1 text-[0.9375rem] font-semibold">{active.length > 0 ? 'Running now' : 'Latest jobs'}</h2>
        <Link to="/jobs" className="link text-sm">All jobs</Link>
      </div>
      {list.isPending && <div className="p-4"><Loading><Skeleton className="h-24 w-full" /></Loading></div>}
      {list.isError && <div className="p-4"><Failure error={list.error} onRetry={() => { void list.refetch(); }} /></div>}
      {list.isSuccess && jobs.length === 0 && <p className="px-4 pb-5 text-sm text-muted sm:px-5">Nothing has run yet. Open something in the library and choose “Make…”.</p>}
      <ul className="divide-y divide-line">{shown.map((job) => <JobRow key={job.job_id} job={job} nowMs={nowMs} />)}</ul>
    </section>
  );
}
