/** Shows a content in the page: plays it, shows it, or offers it for download. */
import * as content from '@weir/sdk/content';
import { useCallback, useEffect, useState } from 'react';
import { api } from '../api.ts';
import { explain } from '../explain.ts';
import { useVideoFrame } from '../library/video-frame.ts';
import { kindIcon, mediaKind } from '../media-kind.ts';
import { buttonClass } from './button.tsx';
import { Icon } from './icon.tsx';

type PlayerProps = Readonly<{ cid: string; contentType: string; title: string; grant?: string }>;

export function Player({ cid, contentType, title, grant }: PlayerProps) {
  const [problem, setProblem] = useState<string | null>(null);
  const address = content.url(api, cid, grant);
  const kind = mediaKind(contentType);
  // Many videos begin in black. Under a grant no still is taken: each reading of it may count.
  const poster = useVideoFrame(cid, kind === 'video' && grant === undefined);
  useEffect(() => setProblem(null), [address]);
  // An element that leaves the page keeps its connection until it is told to let go.
  const attach = useCallback((media: HTMLMediaElement | null) => {
    if (media === null) return undefined;
    media.src = address;
    return () => {
      media.pause();
      media.removeAttribute('src');
      media.load();
    };
  }, [address]);

  // A media element does not tell why it stopped; the server does when it is asked.
  const askWhy = (): void => {
    content.check(api, cid, { grant }).then(
      () => setProblem('This browser cannot play this format. Download it, or make an MP4 of it.'),
      (error: unknown) => setProblem(explain(error)),
    );
  };

  if (problem !== null) {
    return (
      <div role="alert" className="grid aspect-video place-items-center rounded-2xl border border-line bg-sunken p-6 text-center">
        <div>
          <Icon name="warning" className="mx-auto mb-2 size-7 text-muted" />
          <p className="max-w-sm text-sm">{problem}</p>
        </div>
      </div>
    );
  }
  if (kind === 'video') {
    return (
      <video
        key={address} ref={attach} poster={poster ?? undefined} aria-label={title} controls playsInline preload="metadata" onError={askWhy}
        className="aspect-video w-full rounded-2xl bg-black object-contain"
      />
    );
  }
  if (kind === 'audio') {
    return (
      <div className="flex flex-col items-center gap-6 rounded-2xl border border-line bg-sunken px-4 pt-10 pb-5">
        <Icon name="audio" className="size-14 text-accent" />
        <audio key={address} ref={attach} aria-label={title} controls preload="metadata" onError={askWhy} className="w-full" />
      </div>
    );
  }
  if (kind === 'image') {
    return <img src={address} alt={title} onError={askWhy} className="mx-auto max-h-[70dvh] rounded-2xl border border-line bg-sunken object-contain" />;
  }
  return (
    <div className="grid aspect-[2/1] place-items-center rounded-2xl border border-line bg-sunken">
      <div className="text-center">
        <Icon name={kindIcon[kind]} className="mx-auto mb-3 size-10 text-muted" />
        <a href={address} download={title} className={buttonClass('plain')}><Icon name="download" />Download</a>
      </div>
    </div>
  );
}
