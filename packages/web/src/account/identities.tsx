/** What the caller is at other providers: link, unlink. */
import { useMutation, useQuery } from '@tanstack/react-query';
import type { LinkedIdentity } from '@weir/contracts/sign-in';
import * as identities from '@weir/sdk/identities';
import { api } from '../api.ts';
import { formatRelative } from '../format.ts';
import { identitiesQuery, methodsQuery } from '../queries.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/page.tsx';
import { Failure } from '../ui/states.tsx';
import { notifyFailure } from '../ui/toast.tsx';
import { useNow } from '../use-now.ts';
import { useRemoval } from './use-removal.tsx';

/** Nothing where there is nothing to link and nothing linked. */
export function Identities() {
  const list = useQuery(identitiesQuery);
  const methods = useQuery(methodsQuery);
  const link = useMutation({
    mutationFn: (provider: string) => identities.link(api, provider),
    onSuccess: ({ location: place }) => location.assign(place),
    onError: (error) => notifyFailure('Nothing was linked', error),
  });
  const linked = list.data?.items ?? [];
  const others = (methods.data?.providers ?? []).filter(({ name }) => !linked.some(({ provider }) => provider === name));
  if (!list.isError && linked.length === 0 && others.length === 0) return null;
  return (
    <Section title="Linked accounts">
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {linked.length === 0 && list.isSuccess && <p className="mb-3 text-sm text-muted">Link an account that you have elsewhere, and sign in with it. What you may do here stays the same.</p>}
      <ul className="divide-y divide-line">{linked.map((identity) => <IdentityRow key={`${identity.issuer} ${identity.subject}`} identity={identity} />)}</ul>
      {others.length > 0 && (
        <div className="mt-2 flex flex-wrap gap-2">
          {others.map(({ name }) => <Button key={name} disabled={link.isPending} onClick={() => link.mutate(name)}><Icon name="link" />Link {name}</Button>)}
        </div>
      )}
    </Section>
  );
}

function IdentityRow({ identity }: Readonly<{ identity: LinkedIdentity }>) {
  const nowMs = useNow();
  const name = identity.provider ?? new URL(identity.issuer).host;
  const removal = useRemoval({ what: 'link', queryKey: identitiesQuery.queryKey, remove: (last) => identities.unlink(api, identity, { last }) });
  return (
    <li className="flex items-center gap-2 py-2.5">
      <Icon name="globe" className="mr-1 text-accent" />
      <div className="min-w-0 flex-1">
        <p className="truncate text-sm font-medium">{name}</p>
        <p className="text-[0.8125rem] break-words text-muted">{`${identity.subject} · linked ${formatRelative(identity.created_at, nowMs)}`}</p>
      </div>
      <IconButton label={`Unlink ${name}`} disabled={removal.isPending} onClick={removal.start}><Icon name="trash" /></IconButton>
      {removal.confirm}
    </li>
  );
}
