/** The addresses of the page. */
import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import { AccountPage } from './account/account-page.tsx';
import { HomePage } from './home/home-page.tsx';
import { JobPage } from './jobs/job-page.tsx';
import { JobsPage } from './jobs/jobs-page.tsx';
import { AssetPage } from './library/asset-page.tsx';
import { LibraryPage } from './library/library-page.tsx';
import { NotFound } from './shell/not-found.tsx';
import { Shell } from './shell/shell.tsx';
import { SignInPage } from './sign-in/sign-in-page.tsx';
import { SteppedUpPage } from './step-up/stepped-up-page.tsx';
import { WatchPage } from './watch/watch-page.tsx';

const root = createRootRoute({ notFoundComponent: NotFound });
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });

const routeTree = root.addChildren([
  createRoute({ getParentRoute: () => root, path: '/sign-in', component: SignInPage }),
  createRoute({ getParentRoute: () => root, path: '/stepped-up', component: SteppedUpPage }),
  createRoute({ getParentRoute: () => root, path: '/watch', component: WatchPage }),
  shell.addChildren([
    createRoute({ getParentRoute: () => shell, path: '/', component: HomePage }),
    createRoute({ getParentRoute: () => shell, path: '/account', component: AccountPage }),
    createRoute({ getParentRoute: () => shell, path: '/library', component: LibraryPage }),
    createRoute({ getParentRoute: () => shell, path: '/library/$libraryId', component: AssetPage }),
    createRoute({ getParentRoute: () => shell, path: '/jobs', component: JobsPage }),
    createRoute({ getParentRoute: () => shell, path: '/jobs/$jobId', component: JobPage }),
  ]),
]);

export const router = createRouter({ routeTree, scrollRestoration: true, defaultPreload: false });

declare module '@tanstack/react-router' {
  interface Register { router: typeof router }
}
