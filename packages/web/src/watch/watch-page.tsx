/** What someone with a link sees: the player and nothing else, until the right to watch ends. Works signed out. */
import * as content from '@weir/sdk/content';
import { RemoteError } from '@weir/sdk/remote-error';
import { useEffect, useState } from 'react';
import { api } from '../api.ts';
import { explain } from '../explain.ts';
import { ThemeToggle } from '../shell/theme-toggle.tsx';
import { Icon } from '../ui/icon.tsx';
import { Logo } from '../ui/logo.tsx';
import { Player } from '../ui/player.tsx';
import { Failure, Loading, Skeleton } from '../ui/states.tsx';
import { untilRefused } from './watch-right.ts';
import { readWatchLink, type WatchLink } from './watch-link.ts';

export function WatchPage() {
  const [link, setLink] = useState(() => readWatchLink(location.hash));
  useEffect(() => {
    document.title = 'Watch · Weir';
    const follow = (): void => setLink(readWatchLink(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return (
    <div className="flex min-h-dvh flex-col">
      <header className="flex items-center gap-2.5 px-4 py-3 sm:px-6">
        <Logo className="size-7" />
        <span className="mr-auto font-semibold tracking-tight">Weir</span>
        <ThemeToggle />
      </header>
      <main className="mx-auto flex w-full max-w-5xl flex-1 flex-col justify-center px-4 pb-16 sm:px-6">
        <h1 className="sr-only">Watch</h1>
        {link === null ? <Incomplete /> : <Watching key={`${link.cid} ${link.grant}`} link={link} />}
      </main>
    </div>
  );
}

type Stage =
  | Readonly<{ at: 'asking' }>
  | Readonly<{ at: 'playing'; contentType: string }>
  | Readonly<{ at: 'refused'; hasPlayed: boolean; reason: string }>
  | Readonly<{ at: 'unreachable'; error: unknown }>;

function Watching({ link }: Readonly<{ link: WatchLink }>) {
  const [stage, setStage] = useState<Stage>({ at: 'asking' });
  useEffect(() => {
    const end = new AbortController();
    void watch(link, setStage, end.signal);
    return () => end.abort();
  }, [link]);

  if (stage.at === 'asking') return <Loading><Skeleton className="aspect-video w-full rounded-2xl" /></Loading>;
  if (stage.at === 'unreachable') return <Failure error={stage.error} onRetry={() => location.reload()} />;
  if (stage.at === 'refused') return <Refused hasPlayed={stage.hasPlayed} reason={stage.reason} />;
  return <Player cid={link.cid} grant={link.grant} contentType={stage.contentType} title="Shared with you" />;
}

/** Shows the content while the right holds and takes it away when it does not. Never throws. */
async function watch({ cid, grant }: WatchLink, show: (stage: Stage) => void, signal: AbortSignal): Promise<void> {
  const ask = (during: AbortSignal) => content.check(api, cid, { grant, signal: during });
  try {
    // Before the player, so that it goes on with this reading instead of opening another: a link may be good for one.
    const { contentType } = await ask(signal);
    show({ at: 'playing', contentType });
  } catch (error) {
    if (!signal.aborted) show(isRefusal(error) ? { at: 'refused', hasPlayed: false, reason: explain(error) } : { at: 'unreachable', error });
    return;
  }
  const refusal = await untilRefused(ask, isRefusal, signal);
  if (!signal.aborted) show({ at: 'refused', hasPlayed: true, reason: explain(refusal) });
}

/** Only what speaks of the right ends the playing; being asked to ask less often does not. */
const isRefusal = (error: unknown): boolean => error instanceof RemoteError && [401, 403, 404, 410].includes(error.status);

function Refused({ hasPlayed, reason }: Readonly<{ hasPlayed: boolean; reason: string }>) {
  return (
    <div role="alert" className="card mx-auto max-w-lg px-6 py-12 text-center">
      <span className="mx-auto mb-4 grid size-14 place-items-center rounded-2xl bg-hover text-muted"><Icon name="lock" className="size-7" /></span>
      <h2 className="text-lg font-semibold">{hasPlayed ? 'The right to watch was withdrawn' : 'This link does not let you watch'}</h2>
      <p className="mt-2 text-sm text-muted">
        {hasPlayed ? 'Playback stopped because the link was revoked, has expired, or its rules changed.' : 'It was revoked, has expired, or was used as often as it allows.'}
        {' '}Ask who sent it for a new one.
      </p>
      <p className="mt-4 text-[0.8125rem] text-muted">The server says: {reason}</p>
    </div>
  );
}

function Incomplete() {
  return (
    <div className="card mx-auto max-w-lg px-6 py-12 text-center">
      <h2 className="text-lg font-semibold">This address is not a whole link</h2>
      <p className="mt-2 text-sm text-muted">A part of it was lost on the way. Copy all of it, up to the last character, and open it again.</p>
    </div>
  );
}
