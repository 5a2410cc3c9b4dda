/** The frame of a page: its heading, its actions; and sections within. */
import { useEffect, type ReactNode } from 'react';
import { cx } from './class-names.ts';

export function Page({ title, heading, actions, children }: Readonly<{ title: string; heading?: ReactNode; actions?: ReactNode; children: ReactNode }>) {
  useEffect(() => { document.title = `${title} · Weir`; }, [title]);
  return (
    <>
      <header className="mb-5 flex flex-wrap items-center gap-x-4 gap-y-3 sm:mb-7">
        <div className={cx('min-w-0 flex-1', heading !== undefined && 'basis-72')}>{heading ?? <h1 className="text-2xl font-semibold tracking-tight sm:text-[1.75rem]">{title}</h1>}</div>
        {actions !== undefined && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </>
  );
}

export function Section({ title, actions, children, className }: Readonly<{ title: string; actions?: ReactNode; children: ReactNode; className?: string }>) {
  return (
    <section aria-label={title} className={cx('card p-4 sm:p-5', className)}>
      <div className="-mt-1 mb-3 flex min-h-9 items-center gap-2">
        <h2 className="flex-1 text-[0.9375rem] font-semibold">{title}</h2>
        {actions}
      </div>
      {children}
    </section>
  );
}

/** Name and value pairs. */
export function Facts({ rows }: Readonly<{ rows: readonly (readonly [name: string, value: ReactNode])[] }>) {
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] items-center gap-x-5 gap-y-2 text-sm">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
