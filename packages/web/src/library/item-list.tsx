/** Items as lines. */
import { Link } from '@tanstack/react-router';
import type { LibraryItem } from '@weir/contracts/content';
import { formatBytes, formatRelative } from '../format.ts';
import { kindName, mediaKind } from '../media-kind.ts';
import { LevelBadge } from '../ui/badge.tsx';
import { useNow } from '../use-now.ts';
import { Tile } from './tile.tsx';

export function ItemList({ items }: Readonly<{ items: readonly LibraryItem[] }>) {
  const nowMs = useNow();
  return (
    <ul className="card divide-y divide-line overflow-hidden">
      {items.map((item) => (
        <li key={item.library_id} className="relative flex items-center gap-3.5 px-3 py-2.5 hover:bg-hover sm:px-4">
          <Tile item={item} className="h-11 w-[4.9rem] shrink-0 rounded-lg" />
          <div className="min-w-0 flex-1">
            <Link to="/library/$libraryId" params={{ libraryId: item.library_id }} className="block truncate text-sm font-medium -outline-offset-2 after:absolute after:inset-0">{item.title}</Link>
            <p className="truncate text-[0.8125rem] text-muted">
              {kindName[mediaKind(item.content_type)]} · {formatBytes(item.size)} · {item.owner} · {formatRelative(item.created_at, nowMs)}
            </p>
          </div>
          <LevelBadge level={item.level} />
        </li>
      ))}
    </ul>
  );
}
