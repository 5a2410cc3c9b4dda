/** Who is signed in, and the way out. */
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import * as auth from '@weir/sdk/auth';
import { api, forgetSession } from '../api.ts';
import { useCaller } from '../caller.ts';
import { cx } from '../ui/class-names.ts';
import { Menu } from '../ui/menu.tsx';
import { notifyFailure } from '../ui/toast.tsx';

export function AccountMenu({ compact = false }: Readonly<{ compact?: boolean }>) {
  const { principal, role } = useCaller();
  const navigate = useNavigate();
  const leave = useMutation({
    mutationFn: () => auth.logout(api),
    onSuccess: () => { forgetSession(); },
    onError: (error) => notifyFailure('You are still signed in', error),
  });
  const name = principal ?? 'Not signed in';
  const trigger = (
    <button
      type="button" {...(compact ? { 'aria-label': `Account: ${name}` } : {})}
      className={cx('flex min-w-0 items-center gap-2.5 rounded-[0.625rem] px-2 py-1.5 text-left hover:bg-hover data-popup-open:bg-hover', !compact && 'flex-1')}
    >
      <span aria-hidden="true" className="grid size-8 shrink-0 place-items-center rounded-full bg-accent-soft text-sm font-semibold text-accent-strong uppercase">{name.charAt(0)}</span>
      {!compact && (
        <span className="min-w-0">
          <span className="sr-only">Account: </span>
          <span className="block truncate text-sm font-medium">{name}</span>
          <span className="block truncate text-xs text-muted">{role}</span>
        </span>
      )}
    </button>
  );
  return (
    <Menu trigger={trigger} actions={principal === null
      ? [{ key: 'in', label: 'Sign in', icon: 'signOut', onSelect: () => { void navigate({ to: '/sign-in' }); } }]
      : [
        { key: 'account', label: 'Your account', description: 'Passkeys, sessions, permissions', icon: 'key', onSelect: () => { void navigate({ to: '/account' }); } },
        { key: 'out', label: 'Sign out', description: `${name} · ${role}`, icon: 'signOut', onSelect: () => leave.mutate() },
      ]}
    />
  );
}
