/** Makes a link, and shows it the only time that it can be shown. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { LibraryItem } from '@weir/contracts/content';
import * as grants from '@weir/sdk/grants';
import { useState } from 'react';
import { api } from '../api.ts';
import { formatInstant } from '../format.ts';
import { grantsQuery } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { CopyBlock, CopyButton } from '../ui/copy.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Field } from '../ui/field.tsx';
import { LifetimeField } from '../ui/lifetime-field.tsx';
import { notifyFailure } from '../ui/toast.tsx';
import { watchAddress } from '../watch/watch-link.ts';

export function LinkDialog({ item, onClose }: Readonly<{ item: LibraryItem; onClose: () => void }>) {
  const [lifetime, setLifetime] = useState(86_400);
  const [uses, setUses] = useState('');
  const cache = useQueryClient();
  const count = uses.trim() === '' ? undefined : Number(uses);
  const usesAreWrong = count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= 1_000_000);
  const request = { cid: item.cid, expires_in: lifetime, ...(count === undefined ? {} : { uses: count }) };
  const create = useMutation({
    mutationFn: () => grants.create(api, request),
    onSuccess: () => cache.invalidateQueries({ queryKey: grantsQuery(item.cid).queryKey }),
    onError: (error) => notifyFailure('No link was made', error),
  });
  if (create.isSuccess) {
    const watch = watchAddress(location.origin, { cid: item.cid, grant: create.data.token });
    return (
      <Dialog open onClose={onClose} title="The link is ready" description={`It works until ${formatInstant(create.data.expires_at)}. Copy it now: it is not shown again.`}>
        <h3 className="mb-1.5 text-sm font-medium">To watch in a browser</h3>
        <CopyBlock text={watch} label="Watch link" />
        <h3 className="mt-4 mb-1.5 text-sm font-medium">The bytes, for players and downloads</h3>
        <CopyBlock text={create.data.url} label="Direct link" />
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={onClose}>Done</Button>
          <CopyButton text={watch} tone="primary">Copy watch link</CopyButton>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog open onClose={onClose} title="New link" description="Whoever has it can watch this, and nothing else. You can revoke it at any time.">
      <form onSubmit={(event) => { event.preventDefault(); create.mutate(); }}>
        <div className="grid gap-4 sm:grid-cols-2">
          <LifetimeField seconds={lifetime} onChange={setLifetime} />
          <Field label="How often" hint="Empty: any number of times" error={usesAreWrong ? 'A whole number from 1 on.' : undefined}>
            {(attributes) => <input {...attributes} className="input" inputMode="numeric" placeholder="Unlimited" value={uses} onChange={(event) => setUses(event.target.value)} />}
          </Field>
        </div>
        <div className="mt-5 flex items-center justify-end gap-2">
          <CurlPopover what="Make this link" request={{ method: 'POST', path: '/api/v1/grants', json: request }} />
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" type="submit" disabled={create.isPending || usesAreWrong}>Make link</Button>
        </div>
      </form>
    </Dialog>
  );
}
