/** Whose things a page shows: the caller's, or, for who may see all objects, somebody else's. */
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useCaller, useMay } from '../caller.ts';
import { Button } from '../ui/button.tsx';
import { PersonInput } from './person-input.tsx';

type OwnerPage = '/access/tokens' | '/access/grants' | '/access/sessions';

export function OwnerChoice({ page, owner }: Readonly<{ page: OwnerPage; owner: string }>) {
  const may = useMay();
  const { principal } = useCaller();
  const [name, setName] = useState(owner);
  const navigate = useNavigate();
  if (!may('access_all_objects')) return null;
  return (
    <form
      className="mb-4 flex items-center gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        void navigate({ to: page, search: { owner: name.trim() === '' || name.trim() === principal ? undefined : name.trim() } });
      }}
    >
      <label htmlFor="owner" className="text-sm text-muted">Of</label>
      <div className="w-52 min-w-0"><PersonInput id="owner" value={name} onChange={(event) => setName(event.target.value)} /></div>
      <Button type="submit">Show</Button>
    </form>
  );
}
