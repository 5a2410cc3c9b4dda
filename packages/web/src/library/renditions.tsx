/** What was made from a thing of the library, and what is being made. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { LibraryItem } from '@weir/contracts/content';
import { useMay } from '../caller.ts';
import { formatBytes } from '../format.ts';
import { hasEnded, jobTitle, progressText } from '../jobs/job-text.ts';
import { jobsQuery, libraryQuery } from '../queries.ts';
import { JobBadge } from '../ui/badge.tsx';
import { Section } from '../ui/page.tsx';
import { ProgressBar } from '../ui/progress.tsx';
import { Tile } from './tile.tsx';

export function Renditions({ item }: Readonly<{ item: LibraryItem }>) {
  const may = useMay();
  const library = useInfiniteQuery(libraryQuery);
  const list = useInfiniteQuery({ ...jobsQuery, enabled: may('submit_jobs') });
  const jobs = (list.data?.pages.flatMap(({ items }) => items) ?? []).filter(({ inputs }) => inputs.some(({ cid }) => cid === item.cid));
  const outputs = new Set(jobs.flatMap((job) => job.outputs.map(({ cid }) => cid)));
  const origins = new Set([item.cid, item.library_id, ...jobs.map(({ job_id: id }) => id)]);
  const made = (library.data?.pages.flatMap(({ items }) => items) ?? [])
    .filter((candidate) => candidate.cid !== item.cid && (outputs.has(candidate.cid) || (candidate.origin !== null && origins.has(candidate.origin))));
  const active = jobs.filter((job) => !hasEnded(job));
  if (!may('submit_jobs') && made.length === 0) return null;
  return (
    <Section title="Made from this">
      {made.length === 0 && active.length === 0 && (
        <p className="text-sm text-muted">Nothing yet. “Make…” turns it into other formats and sizes, on a worker, in a sandbox.</p>
      )}
      <ul className="space-y-3">
        {active.map((job) => (
          <li key={job.job_id}>
            <div className="flex items-center gap-2">
              <Link to="/jobs/$jobId" params={{ jobId: job.job_id }} className="link min-w-0 flex-1 truncate text-sm">{job.recipe ?? jobTitle(job)}</Link>
              <JobBadge state={job.state} />
            </div>
            <ProgressBar percent={job.progress.percent} label={`Progress of ${jobTitle(job)}`} className="mt-2" />
            {job.state === 'running' && <p className="mt-1 text-xs text-muted tabular-nums">{progressText(job)}</p>}
          </li>
        ))}
        {made.map((rendition) => (
          <li key={rendition.library_id} className="relative flex items-center gap-3">
            <Tile item={rendition} className="h-10 w-[4.4rem] shrink-0 rounded-lg" />
            <div className="min-w-0">
              <Link to="/library/$libraryId" params={{ libraryId: rendition.library_id }} className="block truncate text-sm font-medium after:absolute after:inset-0 hover:underline">{rendition.title}</Link>
              <p className="truncate text-[0.8125rem] text-muted">{rendition.content_type} · {formatBytes(rendition.size)}</p>
            </div>
          </li>
        ))}
      </ul>
    </Section>
  );
}
