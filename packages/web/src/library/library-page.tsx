/** Everything that the caller holds or may see, and the place to add more. */
import { useInfiniteQuery } from '@tanstack/react-query';
import type { LibraryItem } from '@weir/contracts/content';
import { useState } from 'react';
import { useMay } from '../caller.ts';
import { libraryQuery } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Icon } from '../ui/icon.tsx';
import { Page } from '../ui/page.tsx';
import { Segments } from '../ui/segments.tsx';
import { Empty, Failure, Loading, Skeleton } from '../ui/states.tsx';
import { addUploads } from '../uploads/upload-store.ts';
import { DropZone, UploadButton } from './drop-zone.tsx';
import { ItemGrid } from './item-grid.tsx';
import { ItemList } from './item-list.tsx';

type View = 'grid' | 'list';
const viewKey = 'weir.library-view';

export function LibraryPage() {
  const may = useMay();
  const [view, setView] = useState<View>(() => (localStorage.getItem(viewKey) === 'list' ? 'list' : 'grid'));
  const [words, setWords] = useState('');
  const list = useInfiniteQuery(libraryQuery);
  const items = list.data?.pages.flatMap(({ items: some }) => some) ?? [];
  const shown = items.filter(({ title }) => title.toLowerCase().includes(words.trim().toLowerCase()));

  const chooseView = (next: View): void => {
    localStorage.setItem(viewKey, next);
    setView(next);
  };
  return (
    <Page
      title="Library"
      actions={may('write_content') && <>
        <CurlPopover what="Upload a file" request={{ method: 'POST', path: '/api/v1/content', query: { filename: 'clip.mp4' }, file: { name: 'clip.mp4', contentType: 'video/mp4' } }} />
        <UploadButton onFiles={addUploads} />
      </>}
    >
      {may('write_content') && <DropZone onFiles={addUploads} />}
      {list.isPending && <GridSkeleton />}
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {list.isSuccess && items.length === 0 && <NothingYet mayUpload={may('write_content')} />}
      {items.length > 0 && (
        <>
          <div className="mb-4 flex items-center gap-3">
            <label className="relative min-w-0 flex-1 sm:max-w-xs">
              <span className="sr-only">Filter by title</span>
              <Icon name="search" className="pointer-events-none absolute top-1/2 left-3 -translate-y-1/2 text-muted" />
              <input type="search" value={words} onChange={(event) => setWords(event.target.value)} placeholder="Filter by title" className="input pl-10" />
            </label>
            <span className="ml-auto hidden text-sm text-muted tabular-nums sm:block">{countText(shown.length, list.hasNextPage)}</span>
            <Segments label="How to show" value={view} onChange={chooseView} options={[{ value: 'grid', label: 'Grid', icon: 'grid' }, { value: 'list', label: 'List', icon: 'list' }]} />
          </div>
          <Items view={view} items={shown} />
        </>
      )}
      {list.hasNextPage && (
        <Button className="mx-auto mt-6 flex" disabled={list.isFetchingNextPage} onClick={() => { void list.fetchNextPage(); }}>
          {words === '' ? 'Show older items' : 'Look in older items'}
        </Button>
      )}
    </Page>
  );
}

function Items({ view, items }: Readonly<{ view: View; items: readonly LibraryItem[] }>) {
  if (items.length === 0) return <p className="card px-5 py-10 text-center text-sm text-muted">No title holds these words.</p>;
  return view === 'grid' ? <ItemGrid items={items} /> : <ItemList items={items} />;
}

const countText = (count: number, more: boolean): string => `${count}${more ? '+' : ''} ${count === 1 ? 'item' : 'items'}`;

function NothingYet({ mayUpload }: Readonly<{ mayUpload: boolean }>) {
  return (
    <div className="card">
      <Empty icon="library" title={mayUpload ? 'Your library is empty' : 'Nothing is shared with you yet'}>
        <p>
          {mayUpload
            ? 'Drop a video, a recording or a picture above. It is stored encrypted, under its own content id, and only you can use it until you say otherwise.'
            : 'When someone lets you use something, it appears here.'}
        </p>
      </Empty>
    </div>
  );
}

function GridSkeleton() {
  return (
    <Loading>
      <div className="grid grid-cols-2 gap-4 lg:grid-cols-3 xl:grid-cols-4">
        {Array.from({ length: 8 }, (_, index) => <Skeleton key={index} className="aspect-[4/3.6] rounded-2xl" />)}
      </div>
    </Loading>
  );
}
