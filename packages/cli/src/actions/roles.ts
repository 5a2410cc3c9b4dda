/** `weir admin role …`: the roles as the server has them. */
import * as access from '@weir/sdk/access';
import { connect } from '../client/connection.ts';
import { print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';

export type RoleFlags = ServerFlags & Readonly<{ json?: boolean }>;

const allowlists = ['allowed_samples', 'allowed_nodes', 'allowed_plugins', 'allowed_assets'] as const;

export async function list(this: Context, flags: RoleFlags): Promise<void> {
  const roles = await access.roles(await connect(this, flags), { signal: this.signal });
  if (flags.json === true) return printJson(this, roles);
  print(this, tableText(['ROLE', 'HAVE IT', 'PERMISSIONS', 'ALLOWLISTS'], roles.items.map((role) => [
    role.role, String(role.principals), role.permissions.toSorted().join(' '),
    allowlists.filter((name) => role[name].length > 0).map((name) => `${name}=${role[name].join(',')}`).join(' '),
  ])));
}
