/** What happened: searched, followed as it happens, verified, taken away as a file. */
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import type { AuditEvent } from '@weir/contracts/audit';
import * as audit from '@weir/sdk/audit';
import { useState } from 'react';
import { api } from '../../api.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Page } from '../../ui/page.tsx';
import { Failure, Loading, Skeleton } from '../../ui/states.tsx';
import { notifyFailure } from '../../ui/toast.tsx';
import { AuditAddress, useAddress } from '../addresses.ts';
import { auditQuery } from '../queries.ts';
import { filterOf } from './audit-address.ts';
import { AuditEventDialog } from './audit-event.tsx';
import { AuditFilters } from './audit-filters.tsx';
import { AuditRow } from './audit-row.tsx';
import { Verification } from './verification.tsx';

const followEveryMs = 3_000;

export function AuditPage() {
  const address = useAddress(AuditAddress);
  const filter = filterOf(address);
  const [follows, setFollows] = useState(false);
  const [opened, setOpened] = useState<AuditEvent | null>(null);
  const list = useInfiniteQuery({ ...auditQuery(filter), ...(follows ? { refetchInterval: followEveryMs, maxPages: 1 } : {}) });
  const verify = useMutation({ mutationFn: () => audit.verify(api), onError: (error) => notifyFailure('The log was not verified', error) });
  const events = list.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Page
      title="Audit"
      actions={<>
        <CurlPopover what="Search the audit log" request={{ path: '/api/v1/audit', query: filter }} />
        <a href="/api/v1/audit/export" download className={buttonClass()}><Icon name="download" />Export</a>
        <Button tone="primary" disabled={verify.isPending} onClick={() => verify.mutate()}><Icon name="shield" />{verify.isPending ? 'Verifying…' : 'Verify'}</Button>
      </>}
    >
      {verify.isSuccess && <Verification result={verify.data} />}
      <AuditFilters key={JSON.stringify(address)} address={address} />
      <div className="mb-3 flex items-center gap-3">
        <p className="flex-1 text-sm text-muted">{follows ? 'Newest first, as it happens.' : 'Newest first.'}</p>
        <Button aria-pressed={follows} onClick={() => setFollows(!follows)}><Icon name={follows ? 'pause' : 'play'} />{follows ? 'Stop following' : 'Follow live'}</Button>
      </div>
      {list.isPending && <Loading><Skeleton className="h-72 w-full rounded-2xl" /></Loading>}
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {list.isSuccess && events.length === 0 && <p className="card px-5 py-10 text-center text-sm text-muted">{list.hasNextPage ? 'Nothing among the newest 10 000 events. Look further back.' : 'No event is like that.'}</p>}
      {events.length > 0 && <ul aria-label="Events" className="card divide-y divide-line overflow-hidden">{events.map((event) => <AuditRow key={event.id} event={event} onOpen={setOpened} />)}</ul>}
      {list.hasNextPage && !follows && <Button className="mx-auto mt-5 flex" disabled={list.isFetchingNextPage} onClick={() => { void list.fetchNextPage(); }}>Look further back</Button>}
      {opened !== null && (
        <AuditEventDialog
          event={opened} previous={events.find(({ writer, sequence }) => writer === opened.writer && sequence === opened.sequence - 1)}
          onOpen={setOpened} onClose={() => setOpened(null)}
        />
      )}
    </Page>
  );
}
