/** Adds a principal, and shows its key the only time that it can be shown. */
import { PrincipalId } from '@weir/contracts/identity';
import * as principals from '@weir/sdk/principals';
import { useState } from 'react';
import { api } from '../../api.ts';
import { useCaller } from '../../caller.ts';
import { wordsOf } from '../../words.ts';
import { Button } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Field } from '../../ui/field.tsx';
import { Segments } from '../../ui/segments.tsx';
import { principalsQuery, rolesQuery } from '../queries.ts';
import { useChange } from '../use-change.ts';
import { errorsOf, newDraft, skewOf } from './principal-draft.ts';
import { PrincipalFields } from './principal-fields.tsx';
import { KeyShown } from './key-shown.tsx';

type Kind = 'role' | 'service';

export function AddPrincipalDialog({ onClose }: Readonly<{ onClose: () => void }>) {
  const { permissions } = useCaller();
  const [name, setName] = useState('');
  const [kind, setKind] = useState<Kind>('role');
  const [draft, setDraft] = useState(newDraft);
  const errors = errorsOf(draft, new Set(Object.keys(permissions)));
  const skew = skewOf(draft);
  const isNameBad = name !== '' && !PrincipalId.safeParse(name).success;
  const request = {
    principal: name, role: draft.role, permissions: [...wordsOf(draft.permissions)], networks: [...wordsOf(draft.networks)],
    ...(kind === 'service' ? { kind } : {}), ...(skew === null ? {} : { max_skew_seconds: skew }),
  };
  const add = useChange({
    run: () => principals.create(api, request), failed: 'Nobody was added', refresh: [principalsQuery.queryKey, rolesQuery.queryKey],
  });
  if (add.isSuccess) return <KeyShown title={`${name} is added`} principal={name} secret={add.data.key ?? ''} onClose={onClose} />;
  const isBad = name === '' || isNameBad || Object.keys(errors).length > 0;
  return (
    <Dialog open onClose={onClose} title="Add a principal" description="Whoever or whatever acts here: a person, a program, a machine.">
      <form onSubmit={(event) => { event.preventDefault(); if (!isBad) add.mutate(); }}>
        <div className="mb-4 grid gap-4 sm:grid-cols-[minmax(0,1fr)_auto]">
          <Field label="Name" error={isNameBad ? 'Use a-z, 0-9, “.”, “_” and “-”, at most 64.' : undefined}>
            {(attributes) => <input {...attributes} className="input" autoComplete="off" autoCapitalize="none" spellCheck={false} maxLength={64} placeholder="alice" value={name} onChange={(event) => setName(event.target.value)} />}
          </Field>
          <div>
            <p aria-hidden="true" className="mb-1 text-sm font-medium">Kind</p>
            <Segments label="Kind" value={kind} onChange={setKind} options={[{ value: 'role', label: 'As the role says' }, { value: 'service', label: 'Service' }]} />
          </div>
        </div>
        {kind === 'service' && <p className="-mt-2 mb-4 text-[0.8125rem] text-muted">A program that signs its requests or has tokens. It can not sign in by a browser.</p>}
        <PrincipalFields draft={draft} errors={errors} onChange={(changes) => setDraft({ ...draft, ...changes })} />
        <div className="mt-5 flex items-center justify-end gap-2">
          <CurlPopover what="Add this principal" request={{ method: 'POST', path: '/api/v1/principals', json: request }} />
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" type="submit" disabled={add.isPending || isBad}>Add</Button>
        </div>
      </form>
    </Dialog>
  );
}
