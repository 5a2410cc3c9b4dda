/** One job: how far it is, what it says, what came out of it. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { Job } from '@weir/contracts/jobs';
import * as jobs from '@weir/sdk/jobs';
import { api } from '../api.ts';
import { formatInstant, shorten } from '../format.ts';
import { useItemByCid } from '../library/item-by-cid.ts';
import { jobQuery } from '../queries.ts';
import { PageFailure } from '../shell/page-failure.tsx';
import { JobBadge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Icon } from '../ui/icon.tsx';
import { Facts, Page, Section } from '../ui/page.tsx';
import { ProgressBar } from '../ui/progress.tsx';
import { Loading, Skeleton } from '../ui/states.tsx';
import { notifyFailure } from '../ui/toast.tsx';
import { rememberJob } from './job-cache.ts';
import { JobLog } from './job-log.tsx';
import { JobOutputs } from './job-outputs.tsx';
import { hasEnded, jobTitle, nextStep, progressText, runTime } from './job-text.ts';
import { JobTimeline } from './job-timeline.tsx';
import { useJobEvents } from './use-job-events.ts';

export function JobPage() {
  const { jobId = '' }: { jobId?: string } = useParams({ strict: false });
  const job = useQuery(jobQuery(jobId));
  if (job.isPending) return <Page title="Job"><Loading><Skeleton className="h-96 w-full rounded-2xl" /></Loading></Page>;
  if (job.isError) return <PageFailure title="Job" error={job.error} onRetry={() => { void job.refetch(); }} />;
  return <LoadedJob key={jobId} job={job.data} />;
}

function LoadedJob({ job }: Readonly<{ job: Job }>) {
  const lines = useJobEvents(job);
  const title = jobTitle(job);
  return (
    <Page
      title={title}
      heading={<>
        <Link to="/jobs" className="mb-1.5 inline-flex items-center gap-1 rounded text-sm text-muted hover:text-ink"><Icon name="back" className="size-4" />Jobs</Link>
        <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
          <h1 className="min-w-0 text-2xl font-semibold tracking-tight break-words">{title}</h1>
          <JobBadge state={job.state} />
        </div>
      </>}
      actions={<JobActions job={job} />}
    >
      <div className="grid gap-5 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="min-w-0 space-y-5">
          <section aria-label="Progress" className="card p-4 sm:p-5">
            <JobTimeline job={job} />
            {job.state === 'running' && (
              <div className="mt-5">
                <ProgressBar percent={job.progress.percent} label="Progress" className="h-2.5" />
                <p className="mt-2 text-sm text-muted tabular-nums">{progressText(job)}</p>
              </div>
            )}
            {job.error !== null && (
              <div role="alert" className="mt-5 rounded-xl bg-danger-soft p-3.5 text-sm">
                <p className="font-medium text-danger">{job.error.message}</p>
                <p className="mt-1 text-ink">{nextStep(job.error.code)}</p>
              </div>
            )}
          </section>
          {job.outputs.length > 0 && <JobOutputs job={job} />}
          <JobLog jobId={job.job_id} lines={lines} live={!hasEnded(job)} />
        </div>
        <Section title="Details" className="self-start">
          <JobFacts job={job} />
        </Section>
      </div>
    </Page>
  );
}

function JobActions({ job }: Readonly<{ job: Job }>) {
  const ended = hasEnded(job);
  const act = useMutation({
    mutationFn: (action: 'cancel' | 'retry') => jobs[action](api, job.job_id),
    onSuccess: rememberJob,
    onError: (error) => notifyFailure('The job is as it was', error),
  });
  const action = ended ? 'retry' : 'cancel';
  const path = `/api/v1/jobs/${job.job_id}`;
  return (
    <>
      {job.state !== 'completed' && (
        <>
          <Button disabled={act.isPending || job.state === 'canceling'} onClick={() => act.mutate(action)}>
            <Icon name={ended ? 'retry' : 'stop'} />{ended ? 'Retry' : 'Cancel'}
          </Button>
          <CurlPopover what={ended ? 'Retry this job' : 'Cancel this job'} request={{ method: 'POST', path: `${path}/${action}` }} />
        </>
      )}
      {job.state === 'completed' && <CurlPopover what="Read this job" request={{ path }} />}
    </>
  );
}

function JobFacts({ job }: Readonly<{ job: Job }>) {
  const took = runTime(job);
  return (
    <Facts rows={[
      ['Recipe', job.recipe ?? 'Own arguments'],
      ['Input', <span className="space-y-1">{job.inputs.map(({ cid }) => <InputLink key={cid} cid={cid} />)}</span>],
      ...(job.worker === null ? [] : [['Worker', job.worker] as const]),
      ['Attempt', `${job.attempt} of ${job.max_attempts}`],
      ['Priority', job.priority],
      ['Owner', job.owner],
      ['Submitted', formatInstant(job.created_at)],
      ...(took === null ? [] : [['Took', took] as const]),
    ]}
    />
  );
}

function InputLink({ cid }: Readonly<{ cid: string }>) {
  const item = useItemByCid(cid);
  if (item === undefined) return <code className="block font-mono text-[0.8125rem]">{shorten(cid)}</code>;
  return <Link to="/library/$libraryId" params={{ libraryId: item.library_id }} className="link block truncate">{item.title}</Link>;
}
