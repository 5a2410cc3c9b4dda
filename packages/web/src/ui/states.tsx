/** What a page shows instead of its content: nothing yet, still loading, could not. */
import type { ReactNode } from 'react';
import { explain } from '../explain.ts';
import { Button } from './button.tsx';
import { cx } from './class-names.ts';
import { Icon, type IconName } from './icon.tsx';

export function Empty({ icon, title, children, className }: Readonly<{ icon: IconName; title: string; children: ReactNode; className?: string }>) {
  return (
    <div className={cx('flex flex-col items-center px-6 py-14 text-center', className)}>
      <span className="mb-4 grid size-14 place-items-center rounded-2xl bg-accent-soft text-accent"><Icon name={icon} className="size-7" /></span>
      <h2 className="text-base font-semibold">{title}</h2>
      <div className="mt-1.5 max-w-md text-sm text-muted">{children}</div>
    </div>
  );
}

export function Failure({ error, onRetry }: Readonly<{ error: unknown; onRetry?: () => void }>) {
  return (
    <div role="alert" className="card flex flex-wrap items-center gap-3 p-4">
      <Icon name="warning" className="size-5 text-danger" />
      <p className="min-w-0 flex-1 basis-60 text-sm">{explain(error)}</p>
      {onRetry !== undefined && <Button onClick={onRetry}><Icon name="retry" />Try again</Button>}
    </div>
  );
}

/** What went wrong, in words, where it matters. */
export function Notice({ children, className }: Readonly<{ children: ReactNode; className?: string }>) {
  return (
    <div role="alert" className={cx('flex items-start gap-2.5 rounded-xl bg-danger-soft p-3 text-sm text-danger', className)}>
      <Icon name="warning" className="mt-0.5" />
      <p className="min-w-0">{children}</p>
    </div>
  );
}

export function Skeleton({ className }: Readonly<{ className: string }>) {
  return <div aria-hidden="true" className={cx('animate-pulse-soft rounded-lg bg-hover', className)} />;
}

/** Says "loading" once to who can't see the skeletons inside. */
export function Loading({ children }: Readonly<{ children: ReactNode }>) {
  return <div role="status"><span className="sr-only">Loading…</span>{children}</div>;
}
