/**
 * Every action that the gatekeeper knows: the permission it needs and whose objects it reaches.
 * `access.csv` (docs/security) is the reviewed table of which role may do which; a test executes that table against the server.
 */
import type { Permission } from './roles.ts';

export type Action = Readonly<{
  /** Any one of these is needed; none: every signed-in principal may. */
  permissions: readonly Permission[];
  /** Also for callers who are not signed in. */
  anonymous?: true;
  /** With this permission the action reaches other principals' objects too. */
  all?: Permission;
  /** Content and streams: the policy of the object decides, also for callers who are not signed in. */
  policy?: true;
  /** A holder of `run_jobs` may do it to a job that it holds the lease of. */
  leased?: true;
  /** Changes rights, keys or policies: refused while the audit log can't be written. `reduces` marks those that only take away. */
  privileged?: 'grants' | 'reduces';
  /** Only for callers who proved within `stepUpWindowMs` who they are: by a passkey, a fresh sign-in, or by signing the request itself. */
  stepUp?: true;
}>;

/** How long a proof of who uses a session counts for the actions that ask for one. */
export const stepUpWindowMs = 600_000;

const of = (permission: Permission, rest: Omit<Action, 'permissions'> = {}): Action => ({ permissions: [permission], ...rest });

export const actions = {
  'health.read': { permissions: [], anonymous: true },
  'permissions.read_own': { permissions: [], anonymous: true },
  'status.read': of('use_account'),

  'content.read': of('read_content', { policy: true }),
  'content.read_any': of('read_any_content'),
  'content.write': of('write_content'),
  'content.delete': of('delete_content'),
  'library.read': of('read_content', { policy: true }),
  'library.write': of('write_content'),
  'policy.read': of('manage_policies', { all: 'access_all_objects' }),
  'policy.write': of('manage_policies', { privileged: 'grants' }),
  'grant.create': of('share_content', { privileged: 'grants' }),
  'grant.narrow': { permissions: [], anonymous: true, privileged: 'grants' },
  'grant.list': of('share_content', { all: 'access_all_objects' }),
  'grant.revoke': of('share_content', { all: 'access_all_objects', privileged: 'reduces' }),

  'login.open': { permissions: [], anonymous: true },
  'ticket.create': of('use_account'),
  'token.issue_own': of('use_account', { privileged: 'grants' }),
  'token.issue': of('issue_tokens', { privileged: 'grants', stepUp: true }),
  'token.list': { permissions: [], all: 'access_all_objects' },
  'token.revoke': { permissions: [], all: 'access_all_objects', privileged: 'reduces' },
  'login_session.list': of('use_account', { all: 'access_all_objects' }),
  'login_session.end': of('use_account', { all: 'access_all_objects', privileged: 'reduces' }),
  'login_session.prove': of('use_account'),
  'passkey.list': of('use_account'),
  'passkey.add': of('use_account', { privileged: 'grants', stepUp: true }),
  'passkey.rename': of('use_account'),
  'passkey.remove': of('use_account', { privileged: 'reduces', stepUp: true }),
  'identity.list': of('use_account'),
  'identity.link': of('use_account', { privileged: 'grants', stepUp: true }),
  'identity.unlink': of('use_account', { privileged: 'reduces', stepUp: true }),
  'user.list': of('manage_users'),
  'user.write': of('manage_users', { privileged: 'grants' }),
  'user.restrict': of('manage_users', { privileged: 'reduces' }),
  'key.list': of('manage_users'),
  'key.rotate': of('manage_users', { privileged: 'grants', stepUp: true }),
  'key.show': of('manage_users', { privileged: 'grants', stepUp: true }),
  'role.read': of('manage_users'),

  'job.submit': of('submit_jobs'),
  'job.submit_raw_arguments': of('raw_arguments'),
  'job.read': of('submit_jobs', { all: 'access_all_jobs', leased: true }),
  'job.cancel': of('submit_jobs', { all: 'access_all_jobs' }),
  'job.retry': of('submit_jobs', { all: 'access_all_jobs' }),
  'job.lease': of('run_jobs', { leased: true }),
  'job.report': of('run_jobs', { leased: true }),
  'worker.connect': of('run_jobs'),
  'worker.join': { permissions: [], anonymous: true },
  'worker.list': of('manage_workers'),
  'worker.manage': of('manage_workers'),
  'recipe.list': of('submit_jobs'),

  'audit.read': of('view_audit'),
  'metrics.read': of('view_metrics'),
  'config.read': of('manage_server'),
  'page.read': { permissions: [], anonymous: true },
} as const satisfies Record<string, Action>;

export type ActionName = keyof typeof actions;
