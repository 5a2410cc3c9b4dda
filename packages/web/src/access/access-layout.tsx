/** The frame of the Access pages: one row of links to those that the caller may see. */
import { Link, Outlet, useLocation } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useAccessTabs } from './access-tabs.ts';

export function AccessLayout() {
  const tabs = useAccessTabs();
  const row = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  // On a narrow screen the row is wider than the page: the page that one is at stays in sight.
  useEffect(() => {
    row.current?.querySelector('[data-status=active]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [pathname, tabs.length]);
  return (
    <>
      <nav ref={row} aria-label="Access" className="-mx-4 mb-6 overflow-x-auto border-b border-line px-4 sm:mx-0 sm:px-0">
        <ul className="flex min-w-max gap-1">
          {tabs.map(({ to, label }) => (
            <li key={label}>
              <Link
                to={to}
                className="-mb-px block border-b-2 border-transparent px-3 py-2.5 text-sm font-medium text-muted -outline-offset-2 hover:text-ink data-[status=active]:border-accent data-[status=active]:text-accent-strong"
              >
                {label}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <Outlet />
    </>
  );
}
