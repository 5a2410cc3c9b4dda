/** An error in one sentence for a person. */
import { WeirError } from '@weir/contracts/errors';
import { RemoteError } from '@weir/sdk/remote-error';

export function explain(error: unknown): string {
  if (error instanceof RemoteError) {
    return error.requestId === null ? error.message : `${error.message} (request ${error.requestId})`;
  }
  if (error instanceof WeirError) return error.message;
  return 'Something failed in this page. Reload it; if it happens again, tell who runs this Weir.';
}
