/** What can be done with a thing of the library: make something of it, rename, download, delete. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { LibraryItem } from '@weir/contracts/content';
import * as content from '@weir/sdk/content';
import { useState } from 'react';
import { api } from '../api.ts';
import { useMay } from '../caller.ts';
import { recipesQuery } from '../queries.ts';
import { Button, IconButton, buttonClass } from '../ui/button.tsx';
import { CurlPopover } from '../ui/curl-popover.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Icon } from '../ui/icon.tsx';
import { Menu, type MenuAction } from '../ui/menu.tsx';
import { notify, notifyFailure } from '../ui/toast.tsx';
import { MakeDialog } from './make-dialog.tsx';
import { RenameDialog } from './rename-dialog.tsx';

type Open = Readonly<{ kind: 'rename' | 'delete' }> | Readonly<{ kind: 'make'; recipe: string }> | null;

export function AssetActions({ item, own }: Readonly<{ item: LibraryItem; own: boolean }>) {
  const may = useMay();
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [open, setOpen] = useState<Open>(null);
  const recipes = useQuery({ ...recipesQuery, enabled: may('submit_jobs') });
  const close = (): void => setOpen(null);
  const remove = useMutation({
    mutationFn: () => content.remove(api, item.cid),
    onSuccess: async () => {
      notify('Deleted', item.title);
      await navigate({ to: '/library' });
      cache.removeQueries({ queryKey: ['library-item', item.library_id] });
      await cache.invalidateQueries({ queryKey: ['library'] });
    },
    onError: (error) => notifyFailure('It was not deleted', error),
  });
  const recipe = open?.kind === 'make' ? recipes.data?.items.find((candidate) => candidate.recipe === open.recipe) : undefined;
  const more: readonly MenuAction[] = [
    ...(own && may('write_content') ? [{ key: 'rename', label: 'Rename…', icon: 'pencil' as const, onSelect: () => setOpen({ kind: 'rename' }) }] : []),
    ...(own && may('delete_content') ? [{ key: 'delete', label: 'Delete…', icon: 'trash' as const, danger: true, onSelect: () => setOpen({ kind: 'delete' }) }] : []),
  ];
  return (
    <>
      <CurlPopover what="Download this content" request={{ path: `/api/v1/content/${item.cid}`, output: item.title }} />
      <a href={content.url(api, item.cid)} download={item.title} className={buttonClass('plain')}><Icon name="download" />Download</a>
      {recipes.data !== undefined && recipes.data.items.length > 0 && (
        <Menu
          trigger={<Button tone="primary"><Icon name="sparkle" />Make…</Button>}
          actions={recipes.data.items.map(({ recipe: name, title, description }) => ({
            key: name, label: title, description, onSelect: () => setOpen({ kind: 'make', recipe: name }),
          }))}
        />
      )}
      {more.length > 0 && <Menu trigger={<IconButton label="More actions"><Icon name="more" /></IconButton>} actions={more} />}
      {recipe !== undefined && <MakeDialog key={recipe.recipe} item={item} recipe={recipe} onClose={close} />}
      {open?.kind === 'rename' && <RenameDialog item={item} onClose={close} />}
      <Confirm
        open={open?.kind === 'delete'} onClose={close} onConfirm={() => remove.mutate()} confirm="Delete"
        title={`Delete “${item.title}”?`} description="Its links stop working within a second, and the bytes are gone for good. What was made from it stays."
      />
    </>
  );
}
