/** `weir grant …`: links that let their holder read one content. */
import * as grants from '@weir/sdk/grants';
import { connect } from '../client/connection.ts';
import { note, print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';

type Common = ServerFlags & Readonly<{ quiet?: boolean; json?: boolean }>;
export type CreateFlags = Common & Readonly<{ expires: number; uses?: number; for?: string; network?: readonly string[] }>;
export type ListFlags = Common & Readonly<{ cid?: string; limit: number }>;

export async function create(this: Context, flags: CreateFlags, cid: string): Promise<void> {
  const made = await grants.create(await connect(this, flags), {
    cid, expires_in: flags.expires, uses: flags.uses, principal: flags.for, networks: [...flags.network ?? []],
  }, { signal: this.signal });
  if (flags.json === true) return printJson(this, made);
  print(this, made.url);
  if (flags.quiet !== true) note(this, `Works until ${made.expires_at}. Take it back with: weir grant revoke ${made.grant_id}`);
}

export async function list(this: Context, flags: ListFlags): Promise<void> {
  const page = await grants.list(await connect(this, flags), { cid: flags.cid, limit: flags.limit, signal: this.signal });
  if (flags.json === true) return printJson(this, page);
  if (flags.quiet === true) return page.items.forEach((item) => print(this, item.grant_id));
  print(this, tableText(['GRANT', 'CID', 'FOR', 'USES LEFT', 'STATE', 'UNTIL'], page.items.map((item) =>
    [item.grant_id, item.cid, item.principal ?? 'anyone', String(item.uses_left ?? 'any'), item.revoked ? 'revoked' : 'valid', item.expires_at])));
}

export async function revoke(this: Context, flags: Common, ...ids: readonly string[]): Promise<void> {
  const client = await connect(this, flags);
  for (const id of ids) {
    await grants.revoke(client, id, { signal: this.signal });
    if (flags.quiet !== true && flags.json !== true) print(this, `${id} revoked; who reads by it is cut off within a second`);
  }
  if (flags.json === true) printJson(this, { revoked: ids });
}
