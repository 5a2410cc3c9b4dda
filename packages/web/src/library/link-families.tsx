/** Links in the order in which they were narrowed, each with its state, and revoked at once. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { Grant } from '@weir/contracts/policies';
import * as grants from '@weir/sdk/grants';
import { api } from '../api.ts';
import { formatRelative } from '../format.ts';
import { Badge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { cx } from '../ui/class-names.ts';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { notify, notifyFailure } from '../ui/toast.tsx';
import { useNow } from '../use-now.ts';

export function LinkFamilies({ links }: Readonly<{ links: readonly Grant[] }>) {
  return <ul className="divide-y divide-line">{inFamilies(links).map(({ grant, depth }) => <LinkRow key={grant.grant_id} grant={grant} depth={depth} />)}</ul>;
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

function LinkRow({ grant, depth }: Readonly<{ grant: Grant; depth: number }>) {
  const nowMs = useNow(5_000);
  const cache = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => grants.revoke(api, grant.grant_id),
    onSuccess: async () => {
      notify('Link revoked', 'What played under it has stopped.');
      await cache.invalidateQueries({ queryKey: ['grants'] });
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
