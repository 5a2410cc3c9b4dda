/** `weir explain`: why somebody may or may not do something, what they can do, who may read a content. */
import { WeirError } from '@weir/contracts/errors';
import * as access from '@weir/sdk/access';
import { connect } from '../client/connection.ts';
import { print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';

export type ExplainFlags = ServerFlags & Readonly<{ role?: string; object?: string; owner?: string; address?: string; at?: string; json?: boolean }>;

/** `weir explain WHO ACTION [OBJECT]`, `weir explain WHO`, `weir explain --object CID`; with `--role`, WHO is left out. */
export async function explain(this: Context, flags: ExplainFlags, ...words: readonly string[]): Promise<void> {
  const [principal, action, object] = flags.role === undefined ? words : [undefined, ...words];
  const who = flags.role === undefined ? { principal } : { role: flags.role };
  if (action !== undefined) return explainOne(this, flags, { ...who, action, object: object ?? flags.object, address: flags.address, at: flags.at });
  if (principal !== undefined || flags.role !== undefined) return explainAll(this, flags, who);
  if (flags.object === undefined) throw new WeirError('request.invalid', 'Say who: weir explain alice content.read bafk…, weir explain alice, or weir explain --object bafk…');
  return showReaders(this, flags, flags.object);
}

async function explainOne(context: Context, flags: ExplainFlags, request: Parameters<typeof access.explain>[1]): Promise<void> {
  const found = await access.explain(await connect(context, flags), request, { signal: context.signal });
  if (flags.json === true) return printJson(context, found);
  for (const { held, about, why } of found.steps) print(context, `${held ? 'yes' : 'no '}  ${about === null ? '' : `${about}: `}${why}`);
  print(context, found.allowed ? `allowed (${found.reason})` : `refused (${found.reason}); the answer is ${found.code ?? ''}`);
}

async function explainAll(context: Context, flags: ExplainFlags, who: Parameters<typeof access.abilities>[1]): Promise<void> {
  const { items } = await access.abilities(await connect(context, flags), who, { signal: context.signal });
  if (flags.json === true) return printJson(context, { items });
  print(context, tableText(['ACTION', 'MAY', 'WHOSE', 'NEEDS'], items.map((item) => [item.action, item.allowed ? 'yes' : 'no', item.allowed ? item.reach : '', item.permissions.join(' ')])));
}

async function showReaders(context: Context, flags: ExplainFlags, cid: string): Promise<void> {
  const found = await access.readers(await connect(context, flags), cid, { owner: flags.owner, signal: context.signal });
  if (flags.json === true) return printJson(context, found);
  const lines: [string, string][] = [
    ['owner', found.owner], ['level', found.level ?? 'none (owner only)'], ['everyone', found.everyone ? 'yes' : found.everyone_signed_in ? 'who is signed in' : ''],
    ['users', found.users.join(' ')], ['roles', found.roles.map(({ role, principals }) => `${role} (${principals})`).join(' ')],
    ['needs', found.required_permissions.join(' ')], ['links', String(found.live_grants)], ['bound by', found.bound_by.join(' ')],
  ];
  print(context, lines.filter(([, value]) => value !== '').map(([field, value]) => `${field.padEnd(9)} ${value}`).join('\n'));
}
