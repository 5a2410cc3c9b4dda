/** An error in one sentence for a person. */
import { WeirError } from '@weir/contracts/errors';
import { RemoteError } from '@weir/sdk/remote-error';

export function explain(error: unknown): string {
  if (error instanceof RemoteError) {
    // Only a fault of the server needs to be found in its log.
    return error.status < 500 || error.requestId === null ? error.message : `${error.message} (request ${error.requestId})`;
  }
  if (error instanceof WeirError) return error.message;
  return 'Something failed in this page. Reload it; if it happens again, tell who runs this Weir.';
}
