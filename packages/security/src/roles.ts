/** Permissions, the built-in roles, and what a role may do: `roles.get(name)` answers with the permissions it holds now. */
import { WeirError } from '@weir/contracts/errors';
import { compileNames, type NameRules } from './globs.ts';

/** Permissions of the pipeline API (seed 002), in its own words. */
export const pipelinePermissions = [
  'create_sessions', 'destroy_sessions', 'modify_sessions', 'tune_nodes', 'list_sessions', 'list_nodes', 'list_samples', 'read_samples',
  'write_samples', 'delete_samples', 'access_all_sessions', 'load_plugins', 'delete_plugins', 'upload_assets', 'delete_assets',
] as const;

/** Permissions of the rest of the platform. The `access_all_…` ones turn "own objects" into "any object". */
export const platformPermissions = [
  'use_account', 'read_content', 'read_any_content', 'write_content', 'delete_content', 'manage_policies', 'share_content', 'issue_tokens',
  'manage_users', 'submit_jobs', 'raw_arguments', 'run_jobs', 'manage_workers', 'publish_streams', 'view_streams', 'manage_streams',
  'use_credentials', 'manage_credentials', 'view_audit', 'view_metrics', 'manage_server', 'use_mcp',
  'access_all_jobs', 'access_all_streams', 'access_all_objects',
] as const;

export const permissions = [...pipelinePermissions, ...platformPermissions] as const;
export type Permission = (typeof permissions)[number];

export const allowlists = ['allowed_samples', 'allowed_nodes', 'allowed_plugins', 'allowed_assets'] as const;
export type Allowlist = (typeof allowlists)[number];

export type Role = Readonly<{
  name: string;
  permissions: ReadonlySet<string>;
  /** Which samples, node kinds, plugins and assets its permissions reach. */
  allowed: Readonly<Record<Allowlist, NameRules>>;
}>;

const ownContent = ['read_content', 'write_content', 'delete_content', 'manage_policies', 'share_content', 'submit_jobs'] as const;
const ownPipelines = ['create_sessions', 'destroy_sessions', 'modify_sessions', 'tune_nodes', 'list_sessions', 'list_nodes', 'upload_assets', 'delete_assets'] as const;
const ownStreams = ['publish_streams', 'view_streams', 'manage_streams'] as const;

type Patterns = Readonly<Partial<Record<Allowlist, readonly string[] | undefined>>>;
const compileAllowed = (patterns: Patterns, base?: Role): Role['allowed'] => {
  const compiled = (list: Allowlist): NameRules => {
    const given = patterns[list];
    return given === undefined && base !== undefined ? base.allowed[list] : compileNames(given ?? []);
  };
  return {
    allowed_samples: compiled('allowed_samples'), allowed_nodes: compiled('allowed_nodes'),
    allowed_plugins: compiled('allowed_plugins'), allowed_assets: compiled('allowed_assets'),
  };
};
const role = (name: string, held: readonly Permission[], allowed: Patterns = {}): Role =>
  ({ name, permissions: new Set(held), allowed: compileAllowed(allowed) });

const all = ['*'];
export const builtinRoles: ReadonlyMap<string, Role> = new Map([
  role('none', []),
  role('viewer', ['use_account', 'read_content', 'view_streams', 'list_sessions', 'list_nodes', 'list_samples', 'read_samples'],
    { allowed_samples: all, allowed_nodes: all, allowed_assets: all }),
  role('client', ['use_account', ...ownContent, 'view_streams']),
  role('worker', ['run_jobs']),
  role('user', ['use_account', ...ownContent, ...ownPipelines, ...ownStreams, 'use_mcp'],
    { allowed_nodes: ['audio::*', 'core::passthrough', 'core::text_chunker'] }),
  role('operator', [
    'use_account', ...ownContent, ...ownPipelines, ...ownStreams, 'list_samples', 'read_samples', 'write_samples', 'delete_samples',
    'access_all_jobs', 'access_all_streams', 'manage_workers', 'use_credentials', 'view_metrics', 'use_mcp',
  ], { allowed_samples: all, allowed_nodes: ['audio::*', 'core::*'], allowed_assets: all }),
  role('admin', permissions.filter((permission) => permission !== 'run_jobs'),
    { allowed_samples: all, allowed_nodes: all, allowed_plugins: all, allowed_assets: all }),
].map((entry) => [entry.name, entry]));

/** What `[permissions.roles.NAME]` may say: booleans by permission, allowlists, and another role to start from. */
export type RoleDefinition = Readonly<{ inherits?: string | undefined }> & Readonly<Partial<Record<Permission, boolean | undefined>>> & Patterns;

/**
 * The built-in roles with the operator's own. A defined role holds exactly what it says, also when it redefines a built-in one:
 * what is omitted is refused, unless `inherits` names a role to start from. Throws `config.invalid` for an unknown or circular one,
 * for a bad pattern, and when nobody could manage principals; the fact `role` is the definition to look at.
 */
export function defineRoles(definitions: Readonly<Record<string, RoleDefinition>>): ReadonlyMap<string, Role> {
  const roles = new Map(builtinRoles);
  const resolve = (name: string, path: readonly string[]): Role => {
    const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
    if (definition === undefined || path.includes(name)) {
      const builtin = builtinRoles.get(name);
      if (builtin === undefined || (path.includes(name) && path.at(-1) !== name)) {
        const at = path.at(-1) ?? name;
        throw new WeirError('config.invalid', `[permissions.roles.${at}] inherits "${name}", which is not a role or leads back to itself.`, { facts: { role: at } });
      }
      return builtin;
    }
    const base = definition.inherits === undefined ? undefined : resolve(definition.inherits, [...path, name]);
    const held = new Set(base?.permissions);
    for (const permission of permissions) {
      const given = definition[permission];
      if (given === true) held.add(permission);
      if (given === false) held.delete(permission);
    }
    return { name, permissions: held, allowed: compileAllowed(definition, base) };
  };
  for (const name of Object.keys(definitions)) roles.set(name, resolve(name, []));
  if (![...roles.values()].some((entry) => entry.permissions.has('manage_users'))) {
    throw new WeirError('config.invalid', 'No role holds manage_users, so nobody could manage principals. A role holds only what is written: add inherits = "admin" under [permissions.roles.admin].', { facts: { role: 'admin' } });
  }
  return roles;
}
