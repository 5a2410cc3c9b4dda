/** Gives a thing of the library another title. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { LibraryItem } from '@weir/contracts/content';
import * as library from '@weir/sdk/library';
import { useState } from 'react';
import { api } from '../api.ts';
import { libraryItemQuery } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Field } from '../ui/field.tsx';
import { notifyFailure } from '../ui/toast.tsx';

export function RenameDialog({ item, onClose }: Readonly<{ item: LibraryItem; onClose: () => void }>) {
  const [title, setTitle] = useState(item.title);
  const cache = useQueryClient();
  const rename = useMutation({
    mutationFn: () => library.rename(api, item.library_id, title.trim()),
    onSuccess: async (renamed) => {
      cache.setQueryData(libraryItemQuery(item.library_id).queryKey, renamed);
      onClose();
      await cache.invalidateQueries({ queryKey: ['library'] });
    },
    onError: (error) => notifyFailure('It keeps its title', error),
  });
  return (
    <Dialog open onClose={onClose} title="Rename">
      <form onSubmit={(event) => { event.preventDefault(); rename.mutate(); }}>
        <Field label="Title">
          {(attributes) => <input {...attributes} className="input" value={title} maxLength={200} required onChange={(event) => setTitle(event.target.value)} />}
        </Field>
        <div className="mt-5 flex items-center justify-end gap-2">
          <CurlPopover what="Rename" request={{ method: 'PATCH', path: `/api/v1/library/${item.library_id}`, json: { title: title.trim() } }} />
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" type="submit" disabled={rename.isPending || title.trim() === ''}>Rename</Button>
        </div>
      </form>
    </Dialog>
  );
}
