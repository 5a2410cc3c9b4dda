/** Takes a way to sign in away; asks again when it is the last one. */
import { useMutation, useQueryClient, type QueryKey } from '@tanstack/react-query';
import { RemoteError } from '@weir/sdk/remote-error';
import { useState, type ReactNode } from 'react';
import { Confirm } from '../ui/dialog.tsx';
import { notify, notifyFailure } from '../ui/toast.tsx';

type Removal = Readonly<{ start: () => void; isPending: boolean; confirm: ReactNode }>;

/** `what` in a sentence: "passkey". `remove` is told whether the last way may go. */
export function useRemoval({ what, queryKey, remove }: Readonly<{ what: string; queryKey: QueryKey; remove: (last: boolean) => Promise<void> }>): Removal {
  const [asks, setAsks] = useState(false);
  const cache = useQueryClient();
  const removing = useMutation({
    mutationFn: remove,
    onSuccess: async () => {
      notify(`The ${what} is removed`);
      await cache.invalidateQueries({ queryKey });
    },
    onError: (error) => {
      if (error instanceof RemoteError && error.code === 'sign_in.last_way') setAsks(true);
      else notifyFailure(`The ${what} stays`, error);
    },
  });
  const confirm = (
    <Confirm
      open={asks} onClose={() => setAsks(false)} onConfirm={() => removing.mutate(true)} title="This is your last way to sign in" confirm="Remove it all the same"
      description="Without it you get in by a link from who runs this Weir, and by nothing else."
    />
  );
  return { start: () => removing.mutate(false), isPending: removing.isPending, confirm };
}
