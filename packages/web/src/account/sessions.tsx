/** The browsers that the caller is signed in with: this one, others; each ended at once. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { LoginSession as SessionSchema } from '@weir/contracts/identity';
import * as auth from '@weir/sdk/auth';
import { useState } from 'react';
import type { output } from 'zod';
import { api, forgetSession } from '../api.ts';
import { formatRelative } from '../format.ts';
import { sessionsQuery } from '../queries.ts';
import { Badge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Section } from '../ui/page.tsx';
import { Failure, Loading, Skeleton } from '../ui/states.tsx';
import { notify, notifyFailure } from '../ui/toast.tsx';
import { useNow } from '../use-now.ts';
import { agentName } from './agent-name.ts';

type Session = output<typeof SessionSchema>;
const methodText: Readonly<Record<Session['method'], string>> = { link: 'by a link', passkey: 'by a passkey', oidc: 'at a provider' };

export function Sessions() {
  const [leaving, setLeaving] = useState(false);
  const cache = useQueryClient();
  const list = useQuery(sessionsQuery);
  const refresh = () => cache.invalidateQueries({ queryKey: sessionsQuery.queryKey });
  const endOthers = useMutation({
    mutationFn: () => auth.endOtherSessions(api),
    onSuccess: async () => { notify('Signed out everywhere else'); await refresh(); },
    onError: (error) => notifyFailure('The others are still signed in', error),
  });
  const leave = useMutation({
    mutationFn: () => auth.logoutEverywhere(api), onSuccess: () => forgetSession(), onError: (error) => notifyFailure('You are still signed in', error),
  });
  const others = list.data?.items.filter(({ current }) => !current).length ?? 0;
  return (
    <Section title="Where you are signed in">
      {list.isPending && <Loading><Skeleton className="h-12 w-full rounded-xl" /></Loading>}
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {list.isSuccess && <ul className="divide-y divide-line">{list.data.items.map((session) => <SessionRow key={session.session_id} session={session} onEnded={refresh} />)}</ul>}
      <div className="mt-3 flex flex-wrap gap-2 border-t border-line pt-4">
        {others > 0 && <Button disabled={endOthers.isPending} onClick={() => endOthers.mutate()}>Sign out the others</Button>}
        <Button tone="withdraw" disabled={leave.isPending} onClick={() => setLeaving(true)}>Sign out everywhere</Button>
      </div>
      <Confirm
        open={leaving} onClose={() => setLeaving(false)} onConfirm={() => leave.mutate()} title="Sign out everywhere?" confirm="Sign out everywhere"
        description="All your sessions end, this one too, and all tokens that were issued for you."
      />
    </Section>
  );
}

function SessionRow({ session, onEnded }: Readonly<{ session: Session; onEnded: () => Promise<void> }>) {
  const nowMs = useNow();
  const end = useMutation({ mutationFn: () => auth.endSession(api, session.session_id), onSuccess: onEnded, onError: (error) => notifyFailure('It is still signed in', error) });
  const name = agentName(session.agent);
  return (
    <li className="flex items-center gap-3 py-2.5">
      <div className="min-w-0 flex-1">
        <p className="truncate text-sm font-medium">{name}</p>
        <p className="text-[0.8125rem] text-muted">{`signed in ${methodText[session.method]} ${formatRelative(session.created_at, nowMs)}`}</p>
      </div>
      {session.current
        ? <Badge tone="accent">This browser</Badge>
        : <Button tone="withdraw" aria-label={`End the session of ${name}`} disabled={end.isPending} onClick={() => end.mutate()}>End</Button>}
    </li>
  );
}
