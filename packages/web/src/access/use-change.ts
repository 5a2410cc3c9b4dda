/** A change that a page makes on the server: what is said when it worked or failed, and what has to be read again. */
import { useMutation, useQueryClient, type QueryKey, type UseMutationResult } from '@tanstack/react-query';
import { notify, notifyFailure } from '../ui/toast.tsx';

type Change<T, A> = Readonly<{
  run: (argument: A) => Promise<T>;
  /** Nothing is said when it is left out, as where the page itself shows it. */
  done?: string | ((result: T) => string);
  failed: string;
  refresh: readonly QueryKey[];
  onDone?: (result: T) => void;
}>;

export function useChange<T, A = void>({ run, done, failed, refresh, onDone }: Change<T, A>): UseMutationResult<T, Error, A> {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: async (result) => {
      if (done !== undefined) notify(typeof done === 'string' ? done : done(result));
      onDone?.(result);
      await Promise.all(refresh.map((queryKey) => cache.invalidateQueries({ queryKey })));
    },
    onError: (error) => notifyFailure(failed, error),
  });
}
