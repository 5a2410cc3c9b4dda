/** What runs, what needs attention, something to play, and how to do it all from a terminal. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { LibraryItem } from '@weir/contracts/content';
import { useCaller, useMay } from '../caller.ts';
import { mediaKind } from '../media-kind.ts';
import { policySentence } from '../policy-sentence.ts';
import { libraryQuery, policyQuery, statusQuery } from '../queries.ts';
import { LevelBadge } from '../ui/badge.tsx';
import { buttonClass } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { Page } from '../ui/page.tsx';
import { Player } from '../ui/player.tsx';
import { Empty, Failure, Loading, Skeleton } from '../ui/states.tsx';
import { Commands } from './commands.tsx';
import { RunningNow } from './running-now.tsx';
import { StatusSummary, Warnings } from './status-summary.tsx';

export function HomePage() {
  const may = useMay();
  const status = useQuery(statusQuery);
  const library = useInfiniteQuery(libraryQuery);
  const items = library.data?.pages.flatMap(({ items: some }) => some) ?? [];
  const featured = featuredOf(items);
  return (
    <Page title="Home">
      {status.isError && <div className="mb-5"><Failure error={status.error} onRetry={() => { void status.refetch(); }} /></div>}
      {status.data !== undefined && <Warnings status={status.data} />}
      <div className="grid gap-5 lg:grid-cols-[minmax(0,1fr)_20rem] lg:grid-rows-[auto_1fr]">
        <div className="min-w-0">
          {library.isPending && <Loading><Skeleton className="aspect-video w-full rounded-2xl" /></Loading>}
          {library.isError && <Failure error={library.error} onRetry={() => { void library.refetch(); }} />}
          {library.isSuccess && (featured === undefined ? <NothingToPlay mayUpload={may('write_content')} /> : <Featured item={featured} />)}
        </div>
        <div className="min-w-0 space-y-5 lg:col-start-2 lg:row-span-2 lg:row-start-1">
          {status.isPending ? <Loading><Skeleton className="h-40 w-full rounded-2xl" /></Loading> : status.data !== undefined && <StatusSummary status={status.data} />}
          {may('submit_jobs') && <RunningNow />}
        </div>
        <Commands cid={featured?.cid} />
      </div>
    </Page>
  );
}

/** The newest video, else the newest recording, else the newest of all. */
const featuredOf = (items: readonly LibraryItem[]): LibraryItem | undefined =>
  items.find(({ content_type: type }) => mediaKind(type) === 'video') ?? items.find(({ content_type: type }) => mediaKind(type) === 'audio') ?? items[0];

function Featured({ item }: Readonly<{ item: LibraryItem }>) {
  const { principal } = useCaller();
  const may = useMay();
  const own = item.owner === principal;
  const policy = useQuery({ ...policyQuery(item), enabled: own && may('manage_policies') });
  return (
    <section aria-label="Newest in the library" className="card overflow-hidden p-3 sm:p-4">
      <Player cid={item.cid} contentType={item.content_type} title={item.title} />
      <div className="mt-3 flex flex-wrap items-center gap-x-3 gap-y-2 px-1">
        <div className="min-w-0 flex-1 basis-60">
          <Link to="/library/$libraryId" params={{ libraryId: item.library_id }} className="block truncate font-semibold hover:underline">{item.title}</Link>
          <p className="mt-0.5 min-h-5 text-[0.8125rem] text-muted">{policy.data === undefined ? '' : policySentence(policy.data, item.owner, own)}</p>
        </div>
        <LevelBadge level={item.level} />
        <Link to="/library/$libraryId" params={{ libraryId: item.library_id }} className={buttonClass('plain')}>Share<span className="sr-only"> {item.title}</span><Icon name="chevron" className="-mr-1 size-4" /></Link>
      </div>
    </section>
  );
}

function NothingToPlay({ mayUpload }: Readonly<{ mayUpload: boolean }>) {
  return (
    <div className="card">
      <Empty icon="play" title="Nothing to play yet">
        <p>{mayUpload ? 'Upload a video or a recording; it is yours alone until you share it.' : 'When someone shares something with you, the newest of it plays here.'}</p>
        <Link to="/library" className={buttonClass('primary', 'mt-5')}>Go to the library</Link>
      </Empty>
    </div>
  );
}
