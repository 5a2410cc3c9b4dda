/** How this Weir is: what needs attention first, then counts and the fleet. */
import { Link } from '@tanstack/react-router';
import type { Status } from '@weir/sdk/status';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Icon, type IconName } from '../ui/icon.tsx';
import { Section } from '../ui/page.tsx';

export function Warnings({ status }: Readonly<{ status: Status }>) {
  const fleet = status.fleet.available || status.warnings.some(({ code }) => code.startsWith('fleet'))
    ? []
    : [{ code: 'fleet.unavailable', message: 'Jobs cannot run.', next_step: status.fleet.reason ?? 'Run weir doctor on the server: it says what is missing.' }];
  const warnings = [...status.warnings, ...fleet];
  if (warnings.length === 0) return null;
  return (
    <ul aria-label="Needs attention" className="mb-5 space-y-2.5">
      {warnings.map(({ code, message, next_step: nextStep }) => (
        <li key={code} className="flex gap-3 rounded-2xl bg-warn-soft px-4 py-3.5 text-sm">
          <Icon name="warning" className="mt-px size-5 text-warn" />
          <div className="min-w-0">
            <p className="font-medium">{message}</p>
            <p className="mt-0.5 break-words">{nextStep}</p>
          </div>
        </li>
      ))}
    </ul>
  );
}

export function StatusSummary({ status }: Readonly<{ status: Status }>) {
  const { counts, fleet } = status;
  return (
    <Section title="This Weir" actions={<CurlPopover what="Read the status" request={{ path: '/api/v1/status' }} />}>
      <div className="grid grid-cols-3 gap-2">
        <Count to="/library" label="in library" value={counts.library} icon="library" />
        <Count to="/jobs" label="running" value={counts.jobs_running} icon="play" />
        <Count to="/jobs" label="waiting" value={counts.jobs_queued} icon="jobs" />
      </div>
      <p className="mt-4 flex items-center gap-2.5 text-sm">
        <span aria-hidden="true" className={fleet.available ? 'size-2 rounded-full bg-accent' : 'size-2 rounded-full bg-warn'} />
        {fleet.available ? `${fleet.workers} ${fleet.workers === 1 ? 'worker' : 'workers'} ready` : 'No worker is ready'}
      </p>
      {counts.jobs_failed > 0 && (
        <p className="mt-2 flex items-center gap-2.5 text-sm">
          <span aria-hidden="true" className="size-2 rounded-full bg-danger" />
          <Link to="/jobs" className="link">{counts.jobs_failed} {counts.jobs_failed === 1 ? 'job has' : 'jobs have'} failed</Link>
        </p>
      )}
      <p className="mt-3 border-t border-line pt-3 text-[0.8125rem] text-muted">{status.instance} · version {status.version}</p>
    </Section>
  );
}

function Count({ to, label, value, icon }: Readonly<{ to: '/library' | '/jobs'; label: string; value: number; icon: IconName }>) {
  return (
    <Link to={to} className="rounded-xl border border-line p-2.5 hover:bg-hover">
      <Icon name={icon} className="mb-2 text-accent" />
      <span className="block text-xl leading-tight font-semibold tabular-nums">{value}</span>
      <span className="block truncate text-xs text-muted">{label}</span>
    </Link>
  );
}
