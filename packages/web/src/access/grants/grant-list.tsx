/** All links that somebody gave, by content, with their states; revoked one by one or all of a content. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Grant, GrantState } from '@weir/contracts/policies';
import * as grants from '@weir/sdk/grants';
import { useState } from 'react';
import { api } from '../../api.ts';
import { shorten } from '../../format.ts';
import { LinkFamilies } from '../../library/link-families.tsx';
import { Button } from '../../ui/button.tsx';
import { CopyIcon } from '../../ui/copy.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Segments } from '../../ui/segments.tsx';
import { Failure, Loading, Skeleton } from '../../ui/states.tsx';
import { allGrantsQuery } from '../queries.ts';
import { useChange } from '../use-change.ts';

type Shown = GrantState | 'all';
const choices: readonly Readonly<{ value: Shown; label: string }>[] = [
  { value: 'live', label: 'Live' }, { value: 'expired', label: 'Expired' }, { value: 'revoked', label: 'Revoked' }, { value: 'used_up', label: 'Used up' }, { value: 'all', label: 'All' },
];

export function GrantList({ owner }: Readonly<{ owner: string }>) {
  const [shown, setShown] = useState<Shown>('live');
  const list = useInfiniteQuery(allGrantsQuery(owner, shown === 'all' ? undefined : shown));
  const links = list.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <>
      <div className="mb-3 overflow-x-auto"><div className="w-max"><Segments label="Which links" value={shown} onChange={setShown} options={choices} /></div></div>
      {list.isPending && <Loading><Skeleton className="h-16 w-full rounded-xl" /></Loading>}
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {list.isSuccess && links.length === 0 && (
        <p className="text-sm text-muted">{shown === 'live' ? 'No link works now. Open something in the library to make one.' : 'There are none.'}</p>
      )}
      <div className="divide-y divide-line">
        {[...Map.groupBy(links, ({ cid }) => cid)].map(([cid, ofContent]) => <ContentLinks key={cid} cid={cid} owner={owner} links={ofContent} />)}
      </div>
      {list.hasNextPage && <Button className="mx-auto mt-3 flex" disabled={list.isFetchingNextPage} onClick={() => { void list.fetchNextPage(); }}>Show older links</Button>}
    </>
  );
}

function ContentLinks({ cid, owner, links }: Readonly<{ cid: string; owner: string; links: readonly Grant[] }>) {
  const revoke = useChange({
    run: () => grants.revokeAll(api, { owner, cid }), done: ({ revoked }) => (revoked === 1 ? 'One link revoked' : `${revoked} links revoked`), failed: 'The links still work', refresh: [['grants']],
  });
  return (
    <section aria-label={`Links to ${cid}`} className="py-4 first:pt-0 last:pb-0">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <h3 className="flex min-w-0 flex-1 basis-56 items-center gap-1 font-mono text-[0.8125rem]"><span title={cid}>{shorten(cid, 14, 8)}</span><CopyIcon text={cid} label="Copy the content id" /></h3>
        <Link to="/access/simulator" search={{ action: 'content.read', object: cid }} className="link text-[0.8125rem]">Who may read it?</Link>
        {links.some(({ state }) => state === 'live') && <>
          <CurlPopover what="Revoke all links to it" request={{ method: 'DELETE', path: '/api/v1/grants', query: { cid, owner } }} />
          <Button tone="withdraw" disabled={revoke.isPending} onClick={() => revoke.mutate()}>Revoke all</Button>
        </>}
      </div>
      <LinkFamilies links={links} />
    </section>
  );
}
