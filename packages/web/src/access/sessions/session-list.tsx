/** The browsers that somebody is signed in with, each ended at once. */
import { useQuery } from '@tanstack/react-query';
import * as auth from '@weir/sdk/auth';
import { agentName } from '../../account/agent-name.ts';
import { api } from '../../api.ts';
import { formatInstant, formatRelative } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { useNow } from '../../use-now.ts';
import { Asked } from '../asked.tsx';
import { sessionsOfQuery } from '../queries.ts';
import { useChange } from '../use-change.ts';

const methodText = { link: 'by a link', passkey: 'by a passkey', oidc: 'at a provider' } as const;

export function SessionList({ owner }: Readonly<{ owner: string }>) {
  const query = useQuery(sessionsOfQuery(owner));
  const nowMs = useNow();
  const end = useChange({ run: (id: string) => auth.endSession(api, id), done: 'The session has ended', failed: 'It is still signed in', refresh: [['sessions'], ['permissions']] });
  return (
    <Asked query={query} height="h-16">
      {({ items }) => (items.length === 0 ? <p className="text-sm text-muted">{owner} is signed in nowhere.</p> : (
        <ul className="divide-y divide-line">
          {items.map((session) => (
            <li key={session.session_id} className="flex flex-wrap items-center gap-x-3 gap-y-1.5 py-2.5">
              <div className="min-w-0 flex-1 basis-48">
                <p className="truncate text-sm font-medium">{agentName(session.agent)}</p>
                <p className="text-[0.8125rem] text-muted">
                  {`signed in ${methodText[session.method]} ${formatRelative(session.created_at, nowMs)} · used ${formatRelative(session.last_used_at, nowMs)} · `}
                  <span title={formatInstant(session.expires_at)}>{`ends ${formatRelative(session.expires_at, nowMs)}`}</span>
                </p>
              </div>
              {session.current && <Badge tone="accent">This browser</Badge>}
              <Button tone="withdraw" aria-label={`End the session of ${agentName(session.agent)}`} disabled={end.isPending} onClick={() => end.mutate(session.session_id)}>End</Button>
            </li>
          ))}
        </ul>
      ))}
    </Asked>
  );
}
