/** `weir policy …`: who may use content of yours. */
import type { PolicyLevel } from '@weir/contracts/policies';
import * as policies from '@weir/sdk/policies';
import { connect } from '../client/connection.ts';
import { print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';

export type GetFlags = ServerFlags & Readonly<{ json?: boolean }>;
export type SetFlags = GetFlags & Readonly<{
  level: PolicyLevel; user?: readonly string[]; role?: readonly string[]; permission?: readonly string[]; network?: readonly string[];
  from?: string; until?: string; concurrent?: number;
}>;

type Policy = NonNullable<Awaited<ReturnType<typeof policies.get>>>;

export async function get(this: Context, flags: GetFlags, cid: string): Promise<void> {
  show(this, flags, await policies.get(await connect(this, flags), cid, { signal: this.signal }));
}

/** The whole policy is replaced: what is not named is not allowed. */
export async function set(this: Context, flags: SetFlags, cid: string): Promise<void> {
  const policy = await policies.set(await connect(this, flags), cid, {
    level: flags.level, allowed_users: [...flags.user ?? []], allowed_roles: [...flags.role ?? []], required_permissions: [...flags.permission ?? []],
    networks: [...flags.network ?? []], valid_from: flags.from, valid_until: flags.until, max_concurrent_per_principal: flags.concurrent,
  }, { signal: this.signal });
  show(this, flags, policy);
}

function show(context: Context, flags: GetFlags, policy: Policy | null): void {
  if (flags.json === true) return printJson(context, policy);
  if (policy === null) return print(context, 'No policy: only the owner may use it.');
  const lines: [string, string][] = [
    ['level', policy.level], ['users', policy.allowed_users.join(' ')], ['roles', policy.allowed_roles.join(' ')], ['permissions', policy.required_permissions.join(' ')],
    ['networks', policy.networks.join(' ')], ['from', policy.valid_from ?? ''], ['until', policy.valid_until ?? ''], ['concurrent', String(policy.max_concurrent_per_principal ?? '')],
  ];
  print(context, lines.filter(([, value]) => value !== '').map(([field, value]) => `${field.padEnd(12)} ${value}`).join('\n'));
}
