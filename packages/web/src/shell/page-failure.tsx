/** A page whose one thing could not be had, and one that could not itself be shown. */
import { RemoteError } from '@weir/sdk/remote-error';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
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

/** Instead of a page that failed while it was loaded or drawn. After an update the parts of pages have new names, and the old ones are gone. */
export function BrokenPage() {
  return (
    <Page title="Not shown">
      <div role="alert" className="card flex flex-wrap items-center gap-3 p-4">
        <p className="min-w-0 flex-1 basis-60 text-sm">This page could not be shown: Weir was updated meanwhile, the network is gone, or the page has a fault. Load it anew.</p>
        <Button onClick={() => location.reload()}><Icon name="retry" />Load anew</Button>
      </div>
    </Page>
  );
}
