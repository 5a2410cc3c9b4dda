/** The client of the page, and the cache of what it asked. */
import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { createClient } from '@weir/sdk/client';
import { RemoteError } from '@weir/sdk/remote-error';
import type { Caller } from './caller.ts';
import { fetchWithProof } from './step-up/proof.ts';

export const api = createClient({ baseUrl: location.origin, fetch: fetchWithProof });
/** For the proofs themselves. */
export const plainApi = createClient({ baseUrl: location.origin });

const anonymous: Caller = { principal: null, role: 'none', permissions: {} };

const tooMany = 429;

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: noticeSignedOut }),
  mutationCache: new MutationCache({ onError: noticeSignedOut }),
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      retry: (failures, error) => failures < 2 && (!(error instanceof RemoteError) || error.status >= 500 || error.status === tooMany),
      retryDelay: (failures, error) => (error instanceof RemoteError && error.status === tooMany ? 4_000 : 1_000 * 2 ** failures),
    },
  },
});

/** A session that ended elsewhere: everything that it had read is forgotten, and the shell shows the way to sign in. */
function noticeSignedOut(error: unknown): void {
  if (error instanceof RemoteError && error.status === 401) forgetSession();
}

export function forgetSession(): void {
  queryClient.removeQueries({ predicate: (query) => query.queryKey[0] !== 'permissions' });
  queryClient.setQueryData(['permissions'], anonymous);
}
