/** One job in a list. */
import { Link } from '@tanstack/react-router';
import type { Job } from '@weir/contracts/jobs';
import { formatRelative } from '../format.ts';
import { JobBadge } from '../ui/badge.tsx';
import { ProgressBar } from '../ui/progress.tsx';
import { hasEnded, jobTitle, progressText, runTime } from './job-text.ts';

export function JobRow({ job, nowMs }: Readonly<{ job: Job; nowMs: number }>) {
  const running = job.state === 'running' || job.state === 'verifying';
  return (
    <li className="relative px-4 py-3.5 hover:bg-hover sm:px-5">
      <div className="flex items-center gap-3">
        <Link to="/jobs/$jobId" params={{ jobId: job.job_id }} className="min-w-0 flex-1 truncate text-sm font-medium after:absolute after:inset-0">
          {jobTitle(job)}
        </Link>
        <JobBadge state={job.state} />
      </div>
      {running && <ProgressBar percent={job.progress.percent} label={`Progress of ${jobTitle(job)}`} className="mt-2.5" />}
      <p className="mt-1.5 truncate text-[0.8125rem] text-muted tabular-nums">{describe(job, nowMs)}</p>
    </li>
  );
}

function describe(job: Job, nowMs: number): string {
  const parts = [job.labels['title'] === undefined ? '' : job.recipe ?? ''];
  if (hasEnded(job)) {
    const time = runTime(job);
    parts.push(job.error?.message ?? (time === null ? '' : `took ${time}`), formatRelative(job.finished_at ?? job.created_at, nowMs));
  } else if (job.state === 'running') {
    parts.push(progressText(job), job.worker === null ? '' : `on ${job.worker}`);
  } else {
    parts.push(job.state === 'queued' ? 'waits for a worker' : '', formatRelative(job.created_at, nowMs));
  }
  return parts.filter((part) => part !== '').join(' · ');
}
