/** Taking from a principal: disable it, end what it has open, delete it. */
import { useNavigate } from '@tanstack/react-router';
import type { Principal } from '@weir/contracts/identity';
import * as principals from '@weir/sdk/principals';
import { useState, type ReactNode } from 'react';
import { api } from '../../api.ts';
import { Button } from '../../ui/button.tsx';
import { CurlPopover } from '../../ui/curl-popover.tsx';
import { Confirm, Dialog } from '../../ui/dialog.tsx';
import { Field } from '../../ui/field.tsx';
import { Section } from '../../ui/page.tsx';
import { principalsQuery, rolesQuery } from '../queries.ts';
import { useChange } from '../use-change.ts';

export function PrincipalEnd({ principal: { principal: name, disabled } }: Readonly<{ principal: Principal }>) {
  const [asks, setAsks] = useState<'end' | 'delete' | null>(null);
  const toggle = useChange({
    run: () => principals.change(api, name, { disabled: !disabled }), done: disabled ? `${name} is admitted again` : `${name} is disabled`, failed: 'Nothing changed',
    refresh: [principalsQuery.queryKey, rolesQuery.queryKey, ['abilities']],
  });
  const end = useChange({ run: () => principals.endEverything(api, name), done: 'Its tokens and sessions have ended', failed: 'It still has what it had', refresh: [['tokens', name], ['sessions', name]] });
  const path = `/api/v1/principals/${name}`;
  return (
    <Section title="End" className="lg:col-span-2">
      <ul className="divide-y divide-line">
        <Choice text={disabled ? 'It is refused everywhere. What it holds is still there.' : 'Refuse it everywhere. What it has open ends within a second; what it holds stays.'}>
          <CurlPopover what={disabled ? 'Enable it' : 'Disable it'} request={{ method: 'PATCH', path, json: { disabled: !disabled } }} />
          <Button tone={disabled ? 'plain' : 'withdraw'} disabled={toggle.isPending} onClick={() => toggle.mutate()}>{disabled ? 'Enable' : 'Disable'}</Button>
        </Choice>
        <Choice text="End all its sessions and tokens, and what runs under them. It may come back with its key, a passkey or a new link.">
          <CurlPopover what="End everything" request={{ method: 'POST', path: `${path}/end-everything` }} />
          <Button tone="withdraw" disabled={end.isPending} onClick={() => setAsks('end')}>End everything</Button>
        </Choice>
        <Choice text="Delete it with its keys, passkeys and sessions. What it holds stays, owned by its name.">
          <CurlPopover what="Delete it" request={{ method: 'DELETE', path }} />
          <Button tone="withdraw" onClick={() => setAsks('delete')}>Delete…</Button>
        </Choice>
      </ul>
      <Confirm
        open={asks === 'end'} onClose={() => setAsks(null)} onConfirm={() => end.mutate()} title={`End everything of ${name}?`} confirm="End everything"
        description="Whoever uses these sessions and tokens is cut off within a second."
      />
      {asks === 'delete' && <DeleteDialog name={name} onClose={() => setAsks(null)} />}
    </Section>
  );
}

function Choice({ text, children }: Readonly<{ text: string; children: ReactNode }>) {
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 py-3 first:pt-0 last:pb-0">
      <p className="min-w-0 flex-1 basis-60 text-sm text-muted">{text}</p>
      <div className="flex items-center gap-1">{children}</div>
    </li>
  );
}

function DeleteDialog({ name, onClose }: Readonly<{ name: string; onClose: () => void }>) {
  const [typed, setTyped] = useState('');
  const navigate = useNavigate();
  const remove = useChange({
    run: () => principals.remove(api, name), done: `${name} is deleted`, failed: `${name} is still there`, refresh: [],
    onDone: () => { void navigate({ to: '/access/principals' }); },
  });
  return (
    <Dialog open onClose={onClose} title={`Delete ${name}?`} description="Content under a key of its own can then be read by nobody, and this can not be undone.">
      <form onSubmit={(event) => { event.preventDefault(); if (typed === name) remove.mutate(); }}>
        <Field label={`Type “${name}” to delete it`}>
          {(attributes) => <input {...attributes} className="input" autoComplete="off" autoCapitalize="none" spellCheck={false} value={typed} onChange={(event) => setTyped(event.target.value)} />}
        </Field>
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={onClose}>Keep it</Button>
          <Button tone="danger" type="submit" disabled={typed !== name || remove.isPending}>Delete {name}</Button>
        </div>
      </form>
    </Dialog>
  );
}
