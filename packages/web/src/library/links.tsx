/** Links that let someone without an account watch: make, list, revoke at once. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { LibraryItem } from '@weir/contracts/content';
import type { Grant as GrantSchema } from '@weir/contracts/policies';
import * as grants from '@weir/sdk/grants';
import { useState } from 'react';
import type { output } from 'zod';
import { api } from '../api.ts';
import { formatRelative } from '../format.ts';
import { grantsQuery } from '../queries.ts';
import { Badge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { cx } from '../ui/class-names.ts';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/page.tsx';
import { Failure, Loading, Skeleton } from '../ui/states.tsx';
import { notify, notifyFailure } from '../ui/toast.tsx';
import { useNow } from '../use-now.ts';
import { LinkDialog } from './link-dialog.tsx';

type Grant = output<typeof GrantSchema>;

export function Links({ item }: Readonly<{ item: LibraryItem }>) {
  const [creating, setCreating] = useState(false);
  const list = useQuery(grantsQuery(item.cid));
  return (
    <Section title="Links" actions={<Button onClick={() => setCreating(true)}><Icon name="link" />New link</Button>}>
      {list.isPending && <Loading><Skeleton className="h-12 w-full rounded-xl" /></Loading>}
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {list.isSuccess && list.data.items.length === 0 && (
        <p className="text-sm text-muted">No links yet. A link lets someone watch without an account, until it expires or you revoke it; players stop within a second.</p>
      )}
      {list.isSuccess && list.data.items.length > 0 && (
        <ul className="divide-y divide-line">
          {inFamilies(list.data.items).map(({ grant, depth }) => <LinkRow key={grant.grant_id} grant={grant} depth={depth} cid={item.cid} />)}
        </ul>
      )}
      {creating && <LinkDialog item={item} onClose={() => setCreating(false)} />}
    </Section>
  );
}

/** Each link followed by those that were narrowed from it; one whose parent is not in the list stands by itself. */
function inFamilies(grants: readonly Grant[]): readonly Readonly<{ grant: Grant; depth: number }>[] {
  const listed = new Set(grants.map(({ grant_id: id }) => id));
  const under = (parent: string | undefined, depth: number): readonly Readonly<{ grant: Grant; depth: number }>[] => grants
    .filter((grant) => (parent === undefined ? grant.parent === null || !listed.has(grant.parent) : grant.parent === parent))
    .flatMap((grant) => [{ grant, depth }, ...under(grant.grant_id, depth + 1)]);
  return under(undefined, 0);
}

const indents = ['', 'ml-5', 'ml-10', 'ml-[3.75rem]'] as const;

function LinkRow({ grant, depth, cid }: Readonly<{ grant: Grant; depth: number; cid: string }>) {
  const nowMs = useNow(5_000);
  const cache = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => grants.revoke(api, grant.grant_id),
    onSuccess: async () => {
      notify('Link revoked', 'What played under it has stopped.');
      await cache.invalidateQueries({ queryKey: grantsQuery(cid).queryKey });
    },
    onError: (error) => notifyFailure('The link still works', error),
  });
  const state = stateOf(grant, nowMs);
  return (
    <li className={cx('flex flex-wrap items-center gap-x-3 gap-y-1.5 py-2.5', indents[Math.min(depth, indents.length - 1)])}>
      <div className="min-w-0 flex-1 basis-48">
        <p className="text-sm font-medium">{depth > 0 && <span className="font-normal text-muted">↳ Narrowed: </span>}{grant.principal === null ? 'Anyone with the link' : `Only ${grant.principal}`}</p>
        <p className="text-[0.8125rem] text-muted">{describe(grant, nowMs)}</p>
      </div>
      {state === 'works'
        ? (
          <>
            <CurlPopover what="Revoke this link" request={{ method: 'DELETE', path: `/api/v1/grants/${grant.grant_id}` }} />
            <Button tone="withdraw" disabled={revoke.isPending} onClick={() => revoke.mutate()}>Revoke</Button>
          </>
        )
        : <Badge tone="neutral">{state}</Badge>}
    </li>
  );
}

function stateOf(grant: Grant, nowMs: number): 'works' | 'Revoked' | 'Expired' | 'Used up' {
  if (grant.state === 'revoked') return 'Revoked';
  if (Date.parse(grant.expires_at) <= nowMs) return 'Expired';
  return grant.state === 'used_up' ? 'Used up' : 'works';
}

function describe(grant: Grant, nowMs: number): string {
  return [
    `made ${formatRelative(grant.created_at, nowMs)}`,
    `${Date.parse(grant.expires_at) > nowMs ? 'expires' : 'expired'} ${formatRelative(grant.expires_at, nowMs)}`,
    grant.uses_left === null ? '' : `${grant.uses_left} ${grant.uses_left === 1 ? 'use' : 'uses'} left`,
    grant.networks.length === 0 ? '' : `from ${grant.networks.join(', ')}`,
  ].filter((part) => part !== '').join(' · ');
}
