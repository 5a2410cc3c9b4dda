/** Subjects of other issuers that are this principal. Nothing where there is none. */
import { useQuery } from '@tanstack/react-query';
import type { ExternalSubject } from '@weir/contracts/identity';
import * as principals from '@weir/sdk/principals';
import { api } from '../../api.ts';
import { formatInstant } from '../../format.ts';
import { Button } from '../../ui/button.tsx';
import { Section } from '../../ui/page.tsx';
import { externalIdentitiesQuery } from '../queries.ts';
import { useChange } from '../use-change.ts';

export function ExternalIdentities({ name }: Readonly<{ name: string }>) {
  const list = useQuery(externalIdentitiesQuery(name));
  const unlink = useChange({
    run: (identity: ExternalSubject) => principals.unlinkIdentity(api, name, identity), done: 'Unlinked', failed: 'It is still linked', refresh: [externalIdentitiesQuery(name).queryKey],
  });
  const items = list.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Section title="Linked accounts">
      <ul className="divide-y divide-line">
        {items.map(({ issuer, subject, created_at: created, follows_role: follows }) => (
          <li key={`${issuer} ${subject}`} className="flex flex-wrap items-center gap-x-3 gap-y-1.5 py-2.5">
            <div className="min-w-0 flex-1 basis-48">
              <p className="text-sm font-medium break-words">{subject}</p>
              <p className="text-[0.8125rem] break-words text-muted">{`${issuer} · linked ${formatInstant(created)}${follows ? ' · its tokens give the role' : ''}`}</p>
            </div>
            <Button tone="withdraw" aria-label={`Unlink ${subject}`} disabled={unlink.isPending} onClick={() => unlink.mutate({ issuer, subject })}>Unlink</Button>
          </li>
        ))}
      </ul>
    </Section>
  );
}
