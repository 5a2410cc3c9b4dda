/** Tokens as they were issued, newest first, each revoked at once. */
import { useInfiniteQuery } from '@tanstack/react-query';
import type { Token as TokenSchema } from '@weir/contracts/identity';
import * as tokens from '@weir/sdk/tokens';
import type { output } from 'zod';
import { api } from '../../api.ts';
import { formatInstant, formatRelative, joinWords } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Failure, Loading, Skeleton } from '../../ui/states.tsx';
import { useNow } from '../../use-now.ts';
import { tokensQuery } from '../queries.ts';
import { useChange } from '../use-change.ts';

type Token = output<typeof TokenSchema>;

export function TokenList({ owner }: Readonly<{ owner: string }>) {
  const list = useInfiniteQuery(tokensQuery(owner));
  if (list.isPending) return <Loading><Skeleton className="h-16 w-full rounded-xl" /></Loading>;
  if (list.isError) return <Failure error={list.error} onRetry={() => { void list.refetch(); }} />;
  const items = list.data.pages.flatMap((page) => page.items);
  if (items.length === 0) return <p className="text-sm text-muted">No tokens. A program sends one with each request; it can do what its principal may, or less.</p>;
  return (
    <>
      <ul className="divide-y divide-line">{items.map((token) => <TokenRow key={token.jti} token={token} owner={owner} />)}</ul>
      {list.hasNextPage && <Button className="mx-auto mt-3 flex" disabled={list.isFetchingNextPage} onClick={() => { void list.fetchNextPage(); }}>Show older tokens</Button>}
    </>
  );
}

function TokenRow({ token, owner }: Readonly<{ token: Token; owner: string }>) {
  const nowMs = useNow();
  const revoke = useChange({ run: () => tokens.revoke(api, token.jti), done: 'Token revoked', failed: 'The token still works', refresh: [tokensQuery(owner).queryKey] });
  const hasEnded = Date.parse(token.expires_at) <= nowMs;
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1.5 py-2.5">
      <div className="min-w-0 flex-1 basis-52">
        <p className="text-sm font-medium break-words">{scopeText(token)}</p>
        <p className="text-[0.8125rem] break-words text-muted">
          <span className="font-mono text-xs" title={token.jti}>…{token.jti.slice(-8)}</span>
          {` · issued ${formatRelative(token.issued_at, nowMs)}${token.issuer === token.principal ? '' : ` by ${token.issuer}`} · `}
          <span title={formatInstant(token.expires_at)}>{`${hasEnded ? 'expired' : 'expires'} ${formatRelative(token.expires_at, nowMs)}`}</span>
        </p>
      </div>
      {token.revoked || hasEnded
        ? <Badge tone="neutral">{token.revoked ? 'Revoked' : 'Expired'}</Badge>
        : (
          <div className="flex items-center gap-1">
            <CurlPopover what="Revoke this token" request={{ method: 'DELETE', path: `/api/v1/tokens/${token.jti}` }} />
            <Button tone="withdraw" aria-label={`Revoke the token …${token.jti.slice(-8)}`} disabled={revoke.isPending} onClick={() => revoke.mutate()}>Revoke</Button>
          </div>
        )}
    </li>
  );
}

/** What it is narrowed to, in words. */
function scopeText({ role, permissions, cid_access: cids }: Token): string {
  const opens = cids.length === 0 ? '' : `, and opens ${cids.length === 1 ? 'one content' : `${cids.length} contents`}`;
  if (role === null && permissions === null) return `All that its principal may${opens}`;
  const narrowed = [role === null ? '' : `as ${role}`, permissions === null ? '' : permissions.length === 0 ? 'with no permission' : `only ${joinWords(permissions)}`];
  const text = narrowed.filter((part) => part !== '').join(', ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${opens}`;
}
