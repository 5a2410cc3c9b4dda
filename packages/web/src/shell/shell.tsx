/** The frame around every page of someone who is signed in: navigation, the caller, uploads that go on while pages change. */
import { useQuery } from '@tanstack/react-query';
import { Link, Navigate, Outlet } from '@tanstack/react-router';
import { useAccessTabs } from '../access/access-tabs.ts';
import { CallerContext } from '../caller.ts';
import { useLiveJobs } from '../jobs/live-jobs.ts';
import { permissionsQuery } from '../queries.ts';
import { Icon, type IconName } from '../ui/icon.tsx';
import { Logo } from '../ui/logo.tsx';
import { Failure, Loading, Skeleton } from '../ui/states.tsx';
import { StepUpDialog } from '../step-up/step-up-dialog.tsx';
import { UploadTray } from '../uploads/upload-tray.tsx';
import { AccountMenu } from './account-menu.tsx';
import { OpenHouse } from './open-house.tsx';
import { ThemeToggle } from './theme-toggle.tsx';

type Place = Readonly<{ to: '/' | '/library' | '/jobs' | '/access'; label: string; icon: IconName }>;
const everybodys: readonly Place[] = [
  { to: '/', label: 'Home', icon: 'home' },
  { to: '/library', label: 'Library', icon: 'library' },
  { to: '/jobs', label: 'Jobs', icon: 'jobs' },
];
const access: Place = { to: '/access', label: 'Access', icon: 'shield' };

export function Shell() {
  const caller = useQuery(permissionsQuery);
  if (caller.isPending) return <ShellSkeleton />;
  if (caller.isError) {
    return <main className="mx-auto max-w-xl p-6"><Failure error={caller.error} onRetry={() => { void caller.refetch(); }} /></main>;
  }
  if (caller.data.principal === null && caller.data.role === 'none') return <Navigate to="/sign-in" replace />;
  return (
    <CallerContext value={caller.data}>
      <OpenHouse />
      <Frame />
    </CallerContext>
  );
}

function Frame() {
  useLiveJobs();
  const places = useAccessTabs().length > 0 ? [...everybodys, access] : everybodys;
  return (
    <div className="md:grid md:min-h-dvh md:grid-cols-[14.5rem_minmax(0,1fr)]">
      <a href="#content" className="sr-only z-50 rounded-lg bg-accent px-4 py-2 text-sm font-medium text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2">Skip to content</a>
      <aside className="hidden border-r border-line bg-surface md:block">
        <div className="sticky top-0 flex h-dvh flex-col p-3.5">
          <Link to="/" className="mt-1 mb-6 flex items-center gap-2.5 rounded-lg px-2 py-1">
            <Logo className="size-8" />
            <span className="text-lg font-semibold tracking-tight">Weir</span>
          </Link>
          <nav aria-label="Main" className="flex flex-col gap-1">
            {places.map(({ to, label, icon }) => (
              <Link
                key={to} to={to} activeOptions={{ exact: to === '/' }}
                className="flex items-center gap-3 rounded-[0.625rem] px-3 py-2 text-sm font-medium text-muted hover:bg-hover hover:text-ink data-[status=active]:bg-accent-soft data-[status=active]:text-accent-strong"
              >
                <Icon name={icon} />{label}
              </Link>
            ))}
          </nav>
          <div className="mt-auto flex items-center gap-1 border-t border-line pt-3">
            <AccountMenu />
            <ThemeToggle />
          </div>
        </div>
      </aside>
      <header className="sticky top-0 z-30 flex items-center gap-2 border-b border-line bg-surface px-4 py-2 md:hidden">
        <Link to="/" className="mr-auto flex items-center gap-2 rounded-lg">
          <Logo className="size-7" />
          <span className="font-semibold tracking-tight">Weir</span>
        </Link>
        <ThemeToggle />
        <AccountMenu compact />
      </header>
      <main id="content" tabIndex={-1} className="mx-auto w-full max-w-6xl px-4 pt-5 pb-28 outline-none sm:px-6 md:px-8 md:pt-8 md:pb-16">
        <Outlet />
      </main>
      <UploadTray />
      <StepUpDialog />
      <nav aria-label="Main" className="fixed inset-x-0 bottom-0 z-30 grid auto-cols-fr grid-flow-col border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:hidden">
        {places.map(({ to, label, icon }) => (
          <Link
            key={to} to={to} activeOptions={{ exact: to === '/' }}
            className="flex flex-col items-center gap-0.5 py-2 text-xs font-medium text-muted -outline-offset-2 data-[status=active]:text-accent"
          >
            <Icon name={icon} className="size-5" />{label}
          </Link>
        ))}
      </nav>
    </div>
  );
}

function ShellSkeleton() {
  return (
    <main className="mx-auto w-full max-w-5xl px-4 pt-8">
      <h1 className="sr-only">Weir</h1>
      <Loading>
        <Skeleton className="mb-8 h-8 w-40" />
        <Skeleton className="h-72 w-full rounded-2xl" />
      </Loading>
    </main>
  );
}
