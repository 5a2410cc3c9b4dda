/** Changes what a principal may: what it has open under what is taken ends within a second. */
import { useQueryClient } from '@tanstack/react-query';
import type { Principal } from '@weir/contracts/identity';
import * as principals from '@weir/sdk/principals';
import { useState } from 'react';
import { api } from '../../api.ts';
import { useCaller } from '../../caller.ts';
import { Button } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Section } from '../../ui/page.tsx';
import { principalQuery, principalsQuery, rolesQuery } from '../queries.ts';
import { useChange } from '../use-change.ts';
import { changeOf, draftOfPrincipal, errorsOf } from './principal-draft.ts';
import { PrincipalFields } from './principal-fields.tsx';

export function PrincipalRights({ principal }: Readonly<{ principal: Principal }>) {
  const { permissions } = useCaller();
  const cache = useQueryClient();
  const [draft, setDraft] = useState(() => draftOfPrincipal(principal));
  const errors = errorsOf(draft, new Set(Object.keys(permissions)));
  const change = changeOf(draft, principal);
  const save = useChange({
    run: () => principals.change(api, principal.principal, change), done: 'Rights saved', failed: 'The rights are as they were',
    onDone: (changed) => {
      cache.setQueryData(principalQuery(principal.principal).queryKey, changed);
      setDraft(draftOfPrincipal(changed));
    },
    refresh: [principalsQuery.queryKey, rolesQuery.queryKey, ['abilities'], ['permissions']],
  });
  const isIdle = Object.keys(change).length === 0 || Object.keys(errors).length > 0;
  return (
    <Section title="Rights" actions={<CurlPopover what="Save these rights" request={{ method: 'PATCH', path: `/api/v1/principals/${principal.principal}`, json: change }} />}>
      <form onSubmit={(event) => { event.preventDefault(); if (!isIdle) save.mutate(); }}>
        <PrincipalFields draft={draft} errors={errors} onChange={(changes) => setDraft({ ...draft, ...changes })} />
        <div className="mt-5 flex justify-end gap-2">
          <Button disabled={Object.keys(change).length === 0} onClick={() => setDraft(draftOfPrincipal(principal))}>Undo</Button>
          <Button tone="primary" type="submit" disabled={save.isPending || isIdle}>Save rights</Button>
        </div>
      </form>
    </Section>
  );
}
