/** Items as pictures. */
import { Link } from '@tanstack/react-router';
import type { LibraryItem } from '@weir/contracts/content';
import { formatBytes, formatRelative } from '../format.ts';
import { kindName, mediaKind } from '../media-kind.ts';
import { LevelBadge } from '../ui/badge.tsx';
import { useNow } from '../use-now.ts';
import { Tile } from './tile.tsx';

export function ItemGrid({ items }: Readonly<{ items: readonly LibraryItem[] }>) {
  const nowMs = useNow();
  return (
    <ul className="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-3 xl:grid-cols-4">
      {items.map((item) => (
        <li key={item.library_id} className="card group relative overflow-hidden transition-[translate,box-shadow] duration-150 focus-within:shadow-float hover:-translate-y-0.5 hover:shadow-float">
          <Tile item={item} className="aspect-video" />
          <div className="p-3 sm:p-3.5">
            <Link
              to="/library/$libraryId" params={{ libraryId: item.library_id }} title={item.title}
              className="block truncate text-sm font-medium outline-none after:absolute after:inset-0 after:rounded-2xl focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent"
            >
              {item.title}
            </Link>
            <p className="mt-0.5 truncate text-[0.8125rem] text-muted">{formatBytes(item.size)} · {formatRelative(item.created_at, nowMs)}</p>
            <p className="mt-2.5 flex items-center justify-between gap-2">
              <LevelBadge level={item.level} />
              <span className="hidden text-xs text-muted sm:block">{kindName[mediaKind(item.content_type)]}</span>
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}
