/** The queue: what runs, what waits, what has ended. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Job } from '@weir/contracts/jobs';
import { useState } from 'react';
import { jobsQuery } from '../queries.ts';
import { useNow } from '../use-now.ts';
import { Button, buttonClass } from '../ui/button.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Page } from '../ui/page.tsx';
import { Segments } from '../ui/segments.tsx';
import { Empty, Failure, Loading, Skeleton } from '../ui/states.tsx';
import { JobRow } from './job-row.tsx';
import { hasEnded } from './job-text.ts';

const filters = {
  all: { label: 'All', admits: () => true },
  active: { label: 'Active', admits: (job: Job) => !hasEnded(job) },
  failed: { label: 'Failed', admits: (job: Job) => job.state === 'failed' },
} as const;

type Filter = keyof typeof filters;

export function JobsPage() {
  const [filter, setFilter] = useState<Filter>('all');
  const list = useInfiniteQuery(jobsQuery);
  const jobs = list.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Page
      title="Jobs"
      actions={<>
        <Segments label="Which jobs" value={filter} onChange={setFilter} options={[{ value: 'all', label: 'All' }, { value: 'active', label: 'Active' }, { value: 'failed', label: 'Failed' }]} />
        <CurlPopover what="Follow all jobs live" request={{ path: '/api/v1/jobs/events', stream: true }} />
      </>}
    >
      {list.isPending && <Loading><Skeleton className="h-64 w-full rounded-2xl" /></Loading>}
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {list.isSuccess && jobs.length === 0 && <NoJobs />}
      {list.isSuccess && jobs.length > 0 && <JobList jobs={jobs.filter(filters[filter].admits)} filter={filter} />}
      {list.hasNextPage && (
        <Button className="mx-auto mt-5 flex" disabled={list.isFetchingNextPage} onClick={() => { void list.fetchNextPage(); }}>Show older jobs</Button>
      )}
    </Page>
  );
}

function JobList({ jobs, filter }: Readonly<{ jobs: readonly Job[]; filter: Filter }>) {
  const nowMs = useNow();
  if (jobs.length === 0) {
    return <div className="card px-5 py-10 text-center text-sm text-muted">{filter === 'active' ? 'Nothing is running or waiting.' : 'No job has failed.'}</div>;
  }
  return (
    <ul className="card divide-y divide-line overflow-hidden">
      {jobs.map((job) => <JobRow key={job.job_id} job={job} nowMs={nowMs} />)}
    </ul>
  );
}

function NoJobs() {
  return (
    <div className="card">
      <Empty icon="jobs" title="No jobs yet">
        <p>A job runs ffmpeg on a worker, in a sandbox, and puts the result in your library. Open something in the library and choose “Make…”.</p>
        <Link to="/library" className={buttonClass('primary', 'mt-5')}>Go to the library</Link>
      </Empty>
    </div>
  );
}
