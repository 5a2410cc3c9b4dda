/** A page whose one thing could not be had. */
import { RemoteError } from '@weir/sdk/remote-error';
import { Page } from '../ui/page.tsx';
import { Failure } from '../ui/states.tsx';
import { Nothing } from './not-found.tsx';

export function PageFailure({ title, error, onRetry }: Readonly<{ title: string; error: unknown; onRetry: () => void }>) {
  const absent = error instanceof RemoteError && error.status === 404;
  return (
    <Page title={title}>
      {absent ? <div className="card"><Nothing /></div> : <Failure error={error} onRetry={onRetry} />}
    </Page>
  );
}
