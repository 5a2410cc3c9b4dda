/** Who may use a thing of the library: the sentence that says it, and the form that changes it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { LibraryItem } from '@weir/contracts/content';
import type { Policy, PolicyLevel } from '@weir/contracts/policies';
import * as policies from '@weir/sdk/policies';
import { useState } from 'react';
import { api } from '../api.ts';
import { useCaller } from '../caller.ts';
import { policySentence } from '../policy-sentence.ts';
import { libraryItemQuery, policyHistoryQuery, policyQuery } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/page.tsx';
import { Failure, Loading, Skeleton } from '../ui/states.tsx';
import { notify, notifyFailure } from '../ui/toast.tsx';
import { LevelChoice } from './level-choice.tsx';
import { PolicyConditions } from './policy-conditions.tsx';
import { PolicyHistory } from './policy-history.tsx';
import { draftOf, policyOf, type DraftErrors, type PolicyDraft } from './policy-draft.ts';

export function PolicySection({ item }: Readonly<{ item: LibraryItem }>) {
  const policy = useQuery(policyQuery(item));
  if (policy.isPending) return <Section title="Who may use it"><Loading><Skeleton className="h-28 w-full rounded-xl" /></Loading></Section>;
  if (policy.isError) return <Section title="Who may use it"><Failure error={policy.error} onRetry={() => { void policy.refetch(); }} /></Section>;
  return <PolicyForm key={policy.dataUpdatedAt} item={item} saved={policy.data} />;
}

function PolicyForm({ item, saved }: Readonly<{ item: LibraryItem; saved: Policy | null }>) {
  const { principal } = useCaller();
  const cache = useQueryClient();
  const [draft, setDraft] = useState(() => draftOf(saved));
  const change = (changes: Partial<PolicyDraft>): void => setDraft((before) => ({ ...before, ...changes }));
  const read = policyOf(draft);
  const errors: DraftErrors = 'errors' in read ? read.errors : {};
  const policy = 'policy' in read ? read.policy : null;
  const changed = JSON.stringify(draft) !== JSON.stringify(draftOf(saved));
  const ownerIsCaller = item.owner === principal;
  // The version that this form was filled with: a change that somebody made since is not written over.
  const version = cache.getQueryData(policyHistoryQuery(item.cid).queryKey)?.items[0]?.version;
  const stored = async (now: Policy | null): Promise<void> => {
    cache.setQueryData(policyQuery(item).queryKey, now);
    notify('Policy saved', policySentence(now, item.owner, ownerIsCaller));
    await Promise.all([libraryItemQuery(item.library_id).queryKey, ['library'], policyHistoryQuery(item.cid).queryKey].map((queryKey) => cache.invalidateQueries({ queryKey })));
  };
  const save = useMutation({
    mutationFn: (next: Policy) => policies.set(api, item.cid, next, { version }),
    onSuccess: stored,
    onError: async (error) => {
      notifyFailure('The policy is as it was', error);
      await cache.invalidateQueries({ queryKey: policyHistoryQuery(item.cid).queryKey });
    },
  });
  const spread = useMutation({
    mutationFn: () => policies.setAll(api, { filter: { renditions_of: item.cid }, policy: saved }),
    onSuccess: async ({ items }) => {
      notify(items.length === 0 ? 'Nothing was made from it yet' : `${items.length} made from it have this policy now`);
      await Promise.all([['library'], ['policy']].map((queryKey) => cache.invalidateQueries({ queryKey })));
    },
    onError: (error) => notifyFailure('None of them was changed', error),
  });
  return (
    <Section
      title="Who may use it"
      actions={policy !== null && <CurlPopover what="Set this policy" request={{ method: 'PUT', path: `/api/v1/policies/${item.cid}`, json: policy }} />}
    >
      <form onSubmit={(event) => { event.preventDefault(); if (policy !== null) save.mutate(policy); }}>
        <LevelChoice value={draft.level} onChange={(level: PolicyLevel) => change({ level })} />
        <PolicyConditions draft={draft} errors={errors} onChange={change} />
        <p aria-live="polite" className="mt-4 flex gap-2.5 rounded-xl bg-accent-soft px-3.5 py-3 text-sm text-accent-strong">
          <Icon name="shield" className="mt-0.5" />
          <span>{policy === null ? 'Correct the marked field to see what this policy means.' : policySentence(changed ? policy : saved, item.owner, ownerIsCaller)}</span>
        </p>
        {changed && (
          <div className="mt-4 flex justify-end gap-2">
            <Button onClick={() => setDraft(draftOf(saved))}>Discard</Button>
            <Button tone="primary" type="submit" disabled={policy === null || save.isPending}>Save policy</Button>
          </div>
        )}
        {!changed && (
          <div className="mt-2 flex justify-end">
            <Button tone="quiet" disabled={spread.isPending} onClick={() => spread.mutate()}>Apply to all made from it</Button>
          </div>
        )}
      </form>
      <PolicyHistory item={item} ownerIsCaller={ownerIsCaller} onRestored={stored} />
    </Section>
  );
}
