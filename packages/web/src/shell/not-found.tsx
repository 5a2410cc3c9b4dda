/** An address that leads nowhere. */
import { Link } from '@tanstack/react-router';
import { buttonClass } from '../ui/button.tsx';
import { Empty } from '../ui/states.tsx';

export function NotFound() {
  return (
    <main className="mx-auto max-w-xl">
      <h1 className="sr-only">Not found</h1>
      <Empty icon="search" title="There is nothing at this address">
        <p>It may have been deleted, or it belongs to someone else.</p>
        <Link to="/" className={buttonClass('primary', 'mt-5')}>Go home</Link>
      </Empty>
    </main>
  );
}
