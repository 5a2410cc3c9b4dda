/** Links that let someone without an account watch: make, list, revoke at once. */
import { useQuery } from '@tanstack/react-query';
import type { LibraryItem } from '@weir/contracts/content';
import { useState } from 'react';
import { grantsQuery } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/page.tsx';
import { Failure, Loading, Skeleton } from '../ui/states.tsx';
import { LinkDialog } from './link-dialog.tsx';
import { LinkFamilies } from './link-families.tsx';

export function Links({ item }: Readonly<{ item: LibraryItem }>) {
  const [creating, setCreating] = useState(false);
  const list = useQuery(grantsQuery(item.cid));
  return (
    <Section title="Links" actions={<Button onClick={() => setCreating(true)}><Icon name="link" />New link</Button>}>
      {list.isPending && <Loading><Skeleton className="h-12 w-full rounded-xl" /></Loading>}
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {list.isSuccess && list.data.items.length === 0 && (
        <p className="text-sm text-muted">No links yet. A link lets someone watch without an account, until it expires or you revoke it; players stop within a second.</p>
      )}
      {list.isSuccess && list.data.items.length > 0 && <LinkFamilies links={list.data.items} />}
      {creating && <LinkDialog item={item} onClose={() => setCreating(false)} />}
    </Section>
  );
}
