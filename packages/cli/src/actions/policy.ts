/** `weir policy …`: who may use content of yours. */
import { WeirError } from '@weir/contracts/errors';
import type { PolicyLevel } from '@weir/contracts/policies';
import * as policies from '@weir/sdk/policies';
import { connect } from '../client/connection.ts';
import { print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';

export type GetFlags = ServerFlags & Readonly<{ json?: boolean }>;
export type HistoryFlags = GetFlags & Readonly<{ limit: number }>;
export type SetFlags = GetFlags & Readonly<{
  renditions?: boolean;
  level: PolicyLevel; user?: readonly string[]; role?: readonly string[]; permission?: readonly string[]; network?: readonly string[];
  from?: string; until?: string; concurrent?: number;
}>;

type Policy = NonNullable<Awaited<ReturnType<typeof policies.get>>>;

export async function get(this: Context, flags: GetFlags, cid: string): Promise<void> {
  show(this, flags, await policies.get(await connect(this, flags), cid, { signal: this.signal }));
}

/** The whole policy is replaced: what is not named is not allowed. */
export async function set(this: Context, flags: SetFlags, ...cids: readonly string[]): Promise<void> {
  const client = await connect(this, flags);
  const options = { signal: this.signal };
  const policy = {
    level: flags.level, allowed_users: [...flags.user ?? []], allowed_roles: [...flags.role ?? []], required_permissions: [...flags.permission ?? []],
    networks: [...flags.network ?? []], valid_from: flags.from, valid_until: flags.until, max_concurrent_per_principal: flags.concurrent,
  };
  const [cid = ''] = cids;
  if (cids.length === 1 && flags.renditions !== true) return show(this, flags, await policies.set(client, cid, policy, options));
  if (flags.renditions === true && cids.length > 1) throw new WeirError('request.invalid', 'Name one content with --renditions.');
  const { items } = await policies.setAll(client, { policy, ...(flags.renditions === true ? { filter: { renditions_of: cid } } : { cids: [...cids] }) }, options);
  if (flags.json === true) return printJson(this, { items });
  for (const item of items) print(this, item.cid);
}

export async function clear(this: Context, flags: GetFlags, cid: string): Promise<void> {
  await policies.clear(await connect(this, flags), cid, { signal: this.signal });
  show(this, flags, null);
}

export async function history(this: Context, flags: HistoryFlags, cid: string): Promise<void> {
  const page = await policies.history(await connect(this, flags), cid, { limit: flags.limit, signal: this.signal });
  if (flags.json === true) return printJson(this, page);
  print(this, tableText(['VERSION', 'AT', 'WHO', 'BEFORE', 'AFTER'], page.items.map((item) => [String(item.version), item.at, item.principal, short(item.before), short(item.after)])));
}

export async function revert(this: Context, flags: GetFlags, cid: string, version: number): Promise<void> {
  show(this, flags, (await policies.revert(await connect(this, flags), cid, version, { signal: this.signal })).policy);
}

/** The level, and how many conditions there are beside it. */
function short(policy: Policy | null): string {
  if (policy === null) return 'owner only';
  const { level, ...conditions } = policy;
  const more = Object.values(conditions).filter((value) => value !== undefined && !(Array.isArray(value) && value.length === 0)).length;
  return more === 0 ? level : `${level} +${more}`;
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
