/** Health for load balancers, and the state of things for the first page. */
import { Health, Status } from '@weir/contracts/status';
import { auditWarnings } from '../audit-warnings.ts';
import { route } from '../route.ts';

const up = Object.freeze({ status: 'ok' } as const);

export const routes = [
  route({ method: 'GET', path: '/healthz', action: 'health.read', reply: Health, summary: 'Answers 200 while the server takes requests' }, () => up),

  route({
    method: 'GET', path: '/api/v1/status', action: 'status.read', reply: Status, resource: () => ({ kind: 'own' }), summary: 'What runs, what waits, what needs attention',
  }, async ({ app, admission, principal }) => {
    const jobs = await app.data.read.selectFrom('job').select(['state', (row) => row.fn.countAll<number>().as('count')]).where('owner', '=', principal).groupBy('state').execute();
    const count = (...states: string[]): number => jobs.filter((row) => states.includes(row.state)).reduce((sum, row) => sum + Number(row.count), 0);
    const library = await app.data.read.selectFrom('holding').select((row) => row.fn.countAll<number>().as('count')).where('owner', '=', principal).where('deleted_at', 'is', null).executeTakeFirstOrThrow();
    const workers = app.coordinator === undefined ? [] : await app.coordinator.workers();
    return {
      version: app.version, instance: app.instanceId, principal,
      fleet: { available: app.coordinator !== undefined, reason: app.fleetProblem ?? null, workers: workers.filter((worker) => worker.connected).length },
      warnings: admission.identity.effective.has('manage_server') ? [...app.warnings, ...await auditWarnings(app.data.read, app.config.audit, app.clock())] : [],
      counts: { library: Number(library.count), jobs_running: count('assigned', 'running', 'verifying', 'canceling'), jobs_queued: count('queued'), jobs_failed: count('failed') },
    };
  }),
];
