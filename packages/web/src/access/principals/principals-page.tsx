/** Everyone and everything that acts here. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import type { Principal, PrincipalKind } from '@weir/contracts/identity';
import { useState } from 'react';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Icon, type IconName } from '../../ui/icon.tsx';
import { Page } from '../../ui/page.tsx';
import { Failure, Loading, Skeleton } from '../../ui/states.tsx';
import { PrincipalsAddress, useAddress } from '../addresses.ts';
import { principalsQuery } from '../queries.ts';
import { RoleSelect } from '../role-select.tsx';
import { SearchBox } from '../search-box.tsx';
import { AddPrincipalDialog } from './add-principal-dialog.tsx';

export function PrincipalsPage() {
  const { role } = useAddress(PrincipalsAddress);
  const navigate = useNavigate();
  const [words, setWords] = useState('');
  const [adding, setAdding] = useState(false);
  const list = useInfiniteQuery(principalsQuery);
  const all = list.data?.pages.flatMap(({ items }) => items) ?? [];
  const wanted = words.trim().toLowerCase();
  const shown = all.filter((one) => (role === undefined || one.role === role) && [one.principal, one.kind, ...one.networks].some((text) => text.includes(wanted)));
  return (
    <Page
      title="Principals"
      actions={<>
        <CurlPopover what="List all principals" request={{ path: '/api/v1/principals' }} />
        <Button tone="primary" onClick={() => setAdding(true)}><Icon name="people" />Add a principal</Button>
      </>}
    >
      <div className="mb-4 flex flex-wrap items-center gap-3">
        <SearchBox label="Filter by name, kind or network" value={words} onChange={setWords} />
        <div className="w-44">
          <RoleSelect aria-label="Role" none="Every role" value={role ?? ''} onChange={(event) => { void navigate({ to: '/access/principals', search: { role: event.target.value === '' ? undefined : event.target.value }, replace: true }); }} />
        </div>
        <span className="ml-auto hidden text-sm text-muted tabular-nums sm:block">{`${shown.length}${list.hasNextPage ? '+' : ''} of ${all.length}${list.hasNextPage ? '+' : ''}`}</span>
      </div>
      {list.isPending && <Loading><Skeleton className="h-72 w-full rounded-2xl" /></Loading>}
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {list.isSuccess && shown.length === 0 && <p className="card px-5 py-10 text-center text-sm text-muted">No principal is like that.</p>}
      {shown.length > 0 && <ul className="card divide-y divide-line overflow-hidden">{shown.map((principal) => <Row key={principal.principal} principal={principal} />)}</ul>}
      {list.hasNextPage && <Button className="mx-auto mt-5 flex" disabled={list.isFetchingNextPage} onClick={() => { void list.fetchNextPage(); }}>Look in further names</Button>}
      {adding && <AddPrincipalDialog onClose={() => setAdding(false)} />}
    </Page>
  );
}

const kindIcons: Readonly<Record<PrincipalKind, IconName>> = { user: 'people', client: 'terminal', worker: 'worker', service: 'sparkle', anonymous: 'globe' };

function Row({ principal: { principal, kind, role, permissions, networks, disabled } }: Readonly<{ principal: Principal }>) {
  const own = permissions.length === 0 ? '' : `+ ${permissions.length} own`;
  return (
    <li className="relative flex items-center gap-3.5 px-4 py-3 hover:bg-hover sm:px-5">
      <span className="grid size-9 shrink-0 place-items-center rounded-xl bg-accent-soft text-accent"><Icon name={kindIcons[kind]} /></span>
      <div className="min-w-0 flex-1">
        <Link to="/access/principals/$name" params={{ name: principal }} className="block truncate text-sm font-medium after:absolute after:inset-0">{principal}</Link>
        <p className="truncate text-[0.8125rem] text-muted">{`${kind} · ${networks.length === 0 ? 'from anywhere' : `from ${networks.join(', ')}`}`}</p>
      </div>
      {disabled && <Badge tone="danger">Disabled</Badge>}
      <span className="hidden text-[0.8125rem] text-muted sm:block">{own}</span>
      <Badge tone={role === 'admin' ? 'warn' : 'neutral'}>{role}</Badge>
    </li>
  );
}
