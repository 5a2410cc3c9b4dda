/** The caller's passkeys: add, rename, remove. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { Passkey } from '@weir/contracts/sign-in';
import * as passkeys from '@weir/sdk/passkeys';
import { useState } from 'react';
import { api } from '../api.ts';
import { formatRelative } from '../format.ts';
import { methodsQuery, passkeysQuery } from '../queries.ts';
import { askForNewPasskey } from '../sign-in/authenticator.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Field } from '../ui/field.tsx';
import { Icon } from '../ui/icon.tsx';
import { Section } from '../ui/page.tsx';
import { Failure, Loading, Skeleton } from '../ui/states.tsx';
import { notify, notifyFailure } from '../ui/toast.tsx';
import { useNow } from '../use-now.ts';
import { agentName } from './agent-name.ts';
import { useRemoval } from './use-removal.tsx';

export function Passkeys() {
  const [adding, setAdding] = useState(false);
  const [renaming, setRenaming] = useState<Passkey | null>(null);
  const list = useQuery(passkeysQuery);
  const methods = useQuery(methodsQuery);
  const canAdd = methods.data?.passkeys === true;
  return (
    <Section title="Passkeys" {...(canAdd ? { actions: <Button onClick={() => setAdding(true)}><Icon name="key" />Add a passkey</Button> } : {})}>
      {list.isPending && <Loading><Skeleton className="h-12 w-full rounded-xl" /></Loading>}
      {list.isError && <Failure error={list.error} onRetry={() => { void list.refetch(); }} />}
      {list.isSuccess && list.data.items.length === 0 && (
        <p className="text-sm text-muted">A passkey signs you in with your finger, face or PIN: no password, no link. {methods.isSuccess && !canAdd
          ? 'This page is open at an address; browsers keep passkeys for names, such as localhost, only.' : 'Keep one on two devices, and you are never locked out.'}</p>
      )}
      {list.isSuccess && list.data.items.length > 0 && (
        <ul className="divide-y divide-line">{list.data.items.map((passkey) => <PasskeyRow key={passkey.passkey_id} passkey={passkey} onRename={() => setRenaming(passkey)} />)}</ul>
      )}
      {adding && <NameDialog title="Add a passkey" action="Go on" name={agentName(navigator.userAgent)} onClose={() => setAdding(false)} save={addPasskey} done="Passkey added" />}
      {renaming !== null && (
        <NameDialog title="Rename the passkey" action="Rename" name={renaming.name} onClose={() => setRenaming(null)} done="Passkey renamed" save={(name) => passkeys.rename(api, renaming.passkey_id, name)} />
      )}
    </Section>
  );
}

const addPasskey = async (name: string): Promise<Passkey> => passkeys.add(api, { name, registration: await askForNewPasskey(await passkeys.challenge(api)) });

function PasskeyRow({ passkey, onRename }: Readonly<{ passkey: Passkey; onRename: () => void }>) {
  const nowMs = useNow();
  const removal = useRemoval({
    what: 'passkey', queryKey: passkeysQuery.queryKey, remove: (last) => passkeys.remove(api, passkey.passkey_id, { last }),
  });
  const used = passkey.last_used_at === null ? 'not used yet' : `used ${formatRelative(passkey.last_used_at, nowMs)}`;
  return (
    <li className="flex items-center gap-2 py-2.5">
      <Icon name="key" className="mr-1 text-accent" />
      <div className="min-w-0 flex-1">
        <p className="truncate text-sm font-medium">{passkey.name}</p>
        <p className="text-[0.8125rem] text-muted">{`for ${passkey.host} · added ${formatRelative(passkey.created_at, nowMs)} · ${used}`}</p>
      </div>
      <IconButton label={`Rename ${passkey.name}`} onClick={onRename}><Icon name="pencil" /></IconButton>
      <IconButton label={`Remove ${passkey.name}`} disabled={removal.isPending} onClick={removal.start}><Icon name="trash" /></IconButton>
      {removal.confirm}
    </li>
  );
}

type NameProps = Readonly<{ title: string; action: string; name: string; done: string; save: (name: string) => Promise<unknown>; onClose: () => void }>;

function NameDialog({ title, action, name: first, done, save, onClose }: NameProps) {
  const [name, setName] = useState(first);
  const cache = useQueryClient();
  const saving = useMutation({
    mutationFn: () => save(name.trim()),
    onSuccess: async () => {
      notify(done);
      onClose();
      await cache.invalidateQueries({ queryKey: passkeysQuery.queryKey });
    },
    onError: (error) => notifyFailure('Nothing was changed', error),
  });
  return (
    <Dialog open onClose={onClose} title={title}>
      <form onSubmit={(event) => { event.preventDefault(); saving.mutate(); }}>
        <Field label="Name" hint="So that you know which device it is on.">
          {(attributes) => <input {...attributes} className="input" value={name} maxLength={60} required onChange={(event) => setName(event.target.value)} />}
        </Field>
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" type="submit" disabled={saving.isPending || name.trim() === ''}>{action}</Button>
        </div>
      </form>
    </Dialog>
  );
}
