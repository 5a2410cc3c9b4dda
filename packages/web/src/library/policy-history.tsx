/** What a policy was before, and the way back to it. */
import { useMutation, useQuery } from '@tanstack/react-query';
import type { LibraryItem } from '@weir/contracts/content';
import type { Policy, PolicyChange } from '@weir/contracts/policies';
import * as policies from '@weir/sdk/policies';
import { api } from '../api.ts';
import { formatInstant, formatRelative } from '../format.ts';
import { policySentence } from '../policy-sentence.ts';
import { policyHistoryQuery } from '../queries.ts';
import { LevelBadge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { notifyFailure } from '../ui/toast.tsx';
import { useNow } from '../use-now.ts';

export function PolicyHistory({ item, ownerIsCaller, onRestored }: Readonly<{ item: LibraryItem; ownerIsCaller: boolean; onRestored: (policy: Policy | null) => Promise<void> }>) {
  const history = useQuery(policyHistoryQuery(item.cid));
  const nowMs = useNow(30_000);
  const changes = history.data?.items ?? [];
  const current = changes[0]?.version;
  const restore = useMutation({
    mutationFn: (version: number) => policies.revert(api, item.cid, version, { version: current }),
    onSuccess: ({ policy }) => onRestored(policy),
    onError: (error) => notifyFailure('The policy is as it was', error),
  });
  if (changes.length === 0) return null;
  const row = (version: number, policy: Policy | null, change: PolicyChange | undefined) => (
    <li key={version} className="flex flex-wrap items-center gap-x-3 gap-y-1.5 py-2.5">
      <div className="min-w-0 flex-1 basis-56">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-[0.8125rem] text-muted">
          <LevelBadge level={policy?.level ?? null} />
          {change === undefined ? 'what it began with' : <span title={formatInstant(change.at)}>{change.principal} · {formatRelative(change.at, nowMs)}</span>}
        </p>
        <p className="mt-1 text-sm">{policySentence(policy, item.owner, ownerIsCaller)}</p>
      </div>
      {version === current
        ? <span className="text-[0.8125rem] text-muted">now</span>
        : <Button disabled={restore.isPending} aria-label={`Restore version ${version}`} onClick={() => restore.mutate(version)}>Restore</Button>}
    </li>
  );
  const oldest = changes.at(-1);
  return (
    <details className="group mt-3">
      <summary className="-ml-1 inline-flex list-none items-center gap-1.5 rounded-lg px-1 py-1.5 text-sm font-medium text-muted hover:text-ink [&::-webkit-details-marker]:hidden">
        <Icon name="chevron" className="size-4 transition-transform group-open:rotate-90" />History
      </summary>
      <ul className="mt-1 divide-y divide-line">
        {changes.map((change) => row(change.version, change.after, change))}
        {oldest !== undefined && history.data?.next_cursor === null && row(oldest.version - 1, oldest.before, undefined)}
      </ul>
    </details>
  );
}
