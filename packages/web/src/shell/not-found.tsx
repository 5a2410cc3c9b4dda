/** An address that leads nowhere. */
import { Link } from '@tanstack/react-router';
import { buttonClass } from '../ui/button.tsx';
import { Empty } from '../ui/states.tsx';

export function NotFound() {
  return (
    <main className="grid min-h-dvh place-items-center">
      <h1 className="sr-only">Not found</h1>
      <Nothing />
    </main>
  );
}

/** The same within a page that was found for something that was not. */
export function Nothing() {
  return (
    <Empty icon="search" title="There is nothing at this address">
      <p>It may have been deleted, or it belongs to someone else.</p>
      <Link to="/" className={buttonClass('primary', 'mt-5')}>Go home</Link>
    </Empty>
  );
}
