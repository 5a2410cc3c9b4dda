/** The addresses of the page. All but the first page and signing in are loaded when somebody goes there. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { AccessIndex } from './access/access-index.tsx';
import { AuditAddress, OwnerAddress, PrincipalsAddress, RolesAddress, SimulatorAddress } from './access/addresses.ts';
import { HomePage } from './home/home-page.tsx';
import { NotFound } from './shell/not-found.tsx';
import { BrokenPage } from './shell/page-failure.tsx';
import { Shell } from './shell/shell.tsx';
import { SignInPage } from './sign-in/sign-in-page.tsx';

const root = createRootRoute({ notFoundComponent: NotFound });
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });

const access = createRoute({ getParentRoute: () => shell, path: '/access', component: lazyRouteComponent(() => import('./access/access-layout.tsx'), 'AccessLayout') });

const accessPages = [
  createRoute({ getParentRoute: () => access, path: '/', component: AccessIndex }),
  createRoute({
    getParentRoute: () => access, path: '/principals', validateSearch: PrincipalsAddress.parse, component: lazyRouteComponent(() => import('./access/principals/principals-page.tsx'), 'PrincipalsPage'),
  }),
  createRoute({ getParentRoute: () => access, path: '/principals/$name', component: lazyRouteComponent(() => import('./access/principals/principal-page.tsx'), 'PrincipalPage') }),
  createRoute({ getParentRoute: () => access, path: '/roles', validateSearch: RolesAddress.parse, component: lazyRouteComponent(() => import('./access/roles/roles-page.tsx'), 'RolesPage') }),
  createRoute({ getParentRoute: () => access, path: '/tokens', validateSearch: OwnerAddress.parse, component: lazyRouteComponent(() => import('./access/tokens/tokens-page.tsx'), 'TokensPage') }),
  createRoute({ getParentRoute: () => access, path: '/grants', validateSearch: OwnerAddress.parse, component: lazyRouteComponent(() => import('./access/grants/grants-page.tsx'), 'GrantsPage') }),
  createRoute({ getParentRoute: () => access, path: '/sessions', validateSearch: OwnerAddress.parse, component: lazyRouteComponent(() => import('./access/sessions/sessions-page.tsx'), 'SessionsPage') }),
  createRoute({ getParentRoute: () => access, path: '/networks', component: lazyRouteComponent(() => import('./access/networks/networks-page.tsx'), 'NetworksPage') }),
  createRoute({
    getParentRoute: () => access, path: '/simulator', validateSearch: SimulatorAddress.parse, component: lazyRouteComponent(() => import('./access/simulator/simulator-page.tsx'), 'SimulatorPage'),
  }),
  createRoute({ getParentRoute: () => access, path: '/audit', validateSearch: AuditAddress.parse, component: lazyRouteComponent(() => import('./access/audit/audit-page.tsx'), 'AuditPage') }),
  createRoute({ getParentRoute: () => access, path: '/keys', component: lazyRouteComponent(() => import('./access/keys/keys-page.tsx'), 'KeysPage') }),
];

const routeTree = root.addChildren([
  createRoute({ getParentRoute: () => root, path: '/sign-in', component: SignInPage }),
  createRoute({ getParentRoute: () => root, path: '/stepped-up', component: lazyRouteComponent(() => import('./step-up/stepped-up-page.tsx'), 'SteppedUpPage') }),
  createRoute({ getParentRoute: () => root, path: '/watch', component: lazyRouteComponent(() => import('./watch/watch-page.tsx'), 'WatchPage') }),
  shell.addChildren([
    createRoute({ getParentRoute: () => shell, path: '/', component: HomePage }),
    createRoute({ getParentRoute: () => shell, path: '/account', component: lazyRouteComponent(() => import('./account/account-page.tsx'), 'AccountPage') }),
    createRoute({ getParentRoute: () => shell, path: '/library', component: lazyRouteComponent(() => import('./library/library-page.tsx'), 'LibraryPage') }),
    createRoute({ getParentRoute: () => shell, path: '/library/$libraryId', component: lazyRouteComponent(() => import('./library/asset-page.tsx'), 'AssetPage') }),
    createRoute({ getParentRoute: () => shell, path: '/jobs', component: lazyRouteComponent(() => import('./jobs/jobs-page.tsx'), 'JobsPage') }),
    createRoute({ getParentRoute: () => shell, path: '/jobs/$jobId', component: lazyRouteComponent(() => import('./jobs/job-page.tsx'), 'JobPage') }),
    access.addChildren(accessPages),
  ]),
]);

export const router = createRouter({ routeTree, scrollRestoration: true, defaultPreload: false, defaultErrorComponent: BrokenPage });

declare module '@tanstack/react-router' {
  interface Register { router: typeof router }
}
