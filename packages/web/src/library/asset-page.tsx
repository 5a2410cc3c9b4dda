/** One thing of the library: play it, know it, decide who may use it, make something of it. */
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { LibraryItem } from '@weir/contracts/content';
import { useCaller, useMay } from '../caller.ts';
import { formatBytes, formatInstant, shorten } from '../format.ts';
import { libraryItemQuery } from '../queries.ts';
import { PageFailure } from '../shell/page-failure.tsx';
import { LevelBadge } from '../ui/badge.tsx';
import { CopyIcon } from '../ui/copy.tsx';
import { Icon } from '../ui/icon.tsx';
import { Facts, Page, Section } from '../ui/page.tsx';
import { Player } from '../ui/player.tsx';
import { Loading, Skeleton } from '../ui/states.tsx';
import { AssetActions } from './asset-actions.tsx';
import { Links } from './links.tsx';
import { PolicySection } from './policy-section.tsx';
import { Renditions } from './renditions.tsx';

export function AssetPage() {
  const { libraryId = '' }: { libraryId?: string } = useParams({ strict: false });
  const item = useQuery(libraryItemQuery(libraryId));
  if (item.isPending) return <Page title="Library"><Loading><Skeleton className="aspect-video w-full max-w-3xl rounded-2xl" /></Loading></Page>;
  if (item.isError) return <PageFailure title="Library" error={item.error} onRetry={() => { void item.refetch(); }} />;
  return <Asset key={libraryId} item={item.data} />;
}

function Asset({ item }: Readonly<{ item: LibraryItem }>) {
  const { principal } = useCaller();
  const may = useMay();
  const own = item.owner === principal;
  return (
    <Page
      title={item.title}
      heading={<>
        <Link to="/library" className="mb-1.5 inline-flex items-center gap-1 rounded text-sm text-muted hover:text-ink"><Icon name="back" className="size-4" />Library</Link>
        <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
          <h1 className="min-w-0 text-2xl font-semibold tracking-tight break-words">{item.title}</h1>
          <LevelBadge level={item.level} />
        </div>
      </>}
      actions={<AssetActions item={item} own={own} />}
    >
      <div className="grid gap-5 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="min-w-0 space-y-5">
          <Player cid={item.cid} contentType={item.content_type} title={item.title} />
          {own && may('manage_policies') && <PolicySection item={item} />}
          {own && may('share_content') && <Links item={item} />}
        </div>
        <div className="min-w-0 space-y-5 self-start">
          <Section title="Details">
            <Facts rows={[
              ['Content id', (
                <span className="flex items-center gap-1">
                  <code className="min-w-0 truncate font-mono text-[0.8125rem]" title={item.cid}>{shorten(item.cid, 8, 6)}</code>
                  <CopyIcon text={item.cid} label="Copy the content id" />
                </span>
              )],
              ['Size', formatBytes(item.size)],
              ['Type', item.content_type],
              ['Stored', item.encrypted ? 'Encrypted, AES-256-GCM' : 'Plain bytes'],
              ['Owner', own ? `${item.owner} (you)` : item.owner],
              ['Added', formatInstant(item.created_at)],
            ]}
            />
          </Section>
          <Renditions item={item} />
        </div>
      </div>
    </Page>
  );
}
