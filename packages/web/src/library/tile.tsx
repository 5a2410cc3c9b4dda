/** The picture of an item: the image itself, a still of the video, or waves. */
import type { LibraryItem } from '@weir/contracts/content';
import * as content from '@weir/sdk/content';
import { useEffect, useRef, useState } from 'react';
import { api } from '../api.ts';
import { kindIcon, mediaKind } from '../media-kind.ts';
import { cx } from '../ui/class-names.ts';
import { Icon } from '../ui/icon.tsx';
import { useVideoFrame } from './video-frame.ts';
import { WaveArt } from './wave-art.tsx';

/** An image above this many bytes is not fetched for a small picture. */
const largestImage = 3_000_000;

export function Tile({ item, className }: Readonly<{ item: LibraryItem; className: string }>) {
  const box = useRef<HTMLDivElement>(null);
  const seen = useSeen(box);
  const kind = mediaKind(item.content_type);
  const frame = useVideoFrame(item.cid, seen && kind === 'video');
  const picture = kind === 'image' && seen && item.size <= largestImage ? content.url(api, item.cid) : frame;
  return (
    <div ref={box} className={cx('relative overflow-hidden bg-sunken', className)}>
      <WaveArt seed={item.cid} />
      {picture === null
        ? <Icon name={kindIcon[kind]} className="absolute inset-0 m-auto size-1/4 max-h-9 max-w-9 text-white opacity-90" />
        : <img src={picture} alt="" className="absolute inset-0 size-full object-cover" />}
    </div>
  );
}

function useSeen(box: React.RefObject<HTMLElement | null>): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (seen || box.current === null) return undefined;
    const observer = new IntersectionObserver((entries) => { if (entries.some(({ isIntersecting }) => isIntersecting)) setSeen(true); }, { rootMargin: '200px' });
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [seen, box]);
  return seen;
}
