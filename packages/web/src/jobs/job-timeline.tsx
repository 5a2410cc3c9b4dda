/** The way of a job from submission to its end. */
import type { Job, JobState } from '@weir/contracts/jobs';
import { formatInstant } from '../format.ts';
import { jobStateText } from '../ui/badge.tsx';
import { cx } from '../ui/class-names.ts';
import { Icon } from '../ui/icon.tsx';
import { hasEnded } from './job-text.ts';

const way: readonly JobState[] = ['queued', 'assigned', 'running', 'verifying', 'completed'];

export function JobTimeline({ job }: Readonly<{ job: Job }>) {
  const steps = stepsOf(job);
  return (
    <ol className="flex">
      {steps.map(({ state, reached, current }, index) => (
        <li key={state} aria-current={current ? 'step' : undefined} className="min-w-0 flex-1">
          <div className="flex items-center">
            <span className={cx(
              'grid size-6 shrink-0 place-items-center rounded-full border-2',
              state === 'failed' ? 'border-danger bg-danger text-on-danger' : reached ? 'border-accent bg-accent text-on-accent' : 'border-line bg-surface',
              current && !hasEnded(job) && 'animate-pulse-soft',
            )}
            >
              {current && !hasEnded(job) && <span className="size-2 rounded-full bg-current" />}
              {reached && !(current && !hasEnded(job)) && <Icon name={state === 'failed' || state === 'canceled' ? 'close' : 'check'} className="size-3.5" />}
            </span>
            {index < steps.length - 1 && <span className={cx('h-0.5 flex-1', steps[index + 1]?.reached === true ? 'bg-accent' : 'bg-line')} />}
          </div>
          <p className={cx('mt-1.5 truncate pr-1 text-xs', current ? 'font-medium text-ink' : 'text-muted')}>{jobStateText(state)}</p>
          <p className="hidden text-xs text-muted sm:block">{momentOf(job, state)}</p>
        </li>
      ))}
    </ol>
  );
}

type Step = Readonly<{ state: JobState; reached: boolean; current: boolean }>;

function stepsOf(job: Job): readonly Step[] {
  if (job.state === 'failed' || job.state === 'canceled' || job.state === 'canceling') {
    const before: readonly JobState[] = job.started_at === null ? ['queued'] : ['queued', 'assigned', 'running'];
    return [...before, job.state].map((state) => ({ state, reached: true, current: state === job.state }));
  }
  const at = way.indexOf(job.state);
  return way.map((state, index) => ({ state, reached: index <= at, current: index === at }));
}

function momentOf(job: Job, state: JobState): string {
  const instant = state === 'queued' ? job.created_at : state === 'running' ? job.started_at : job.state === state ? job.finished_at : null;
  return instant === null ? '' : formatInstant(instant);
}
