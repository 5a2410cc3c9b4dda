/** `weir grant …`: links that let their holder read one content. */
import { WeirError } from '@weir/contracts/errors';
import type { GrantState } from '@weir/contracts/policies';
import * as grants from '@weir/sdk/grants';
import { connect } from '../client/connection.ts';
import { note, print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';

type Common = ServerFlags & Readonly<{ quiet?: boolean; json?: boolean }>;
export type CreateFlags = Common & Readonly<{ expires: number; uses?: number; for?: string; network?: readonly string[] }>;
export type NarrowFlags = Common & Readonly<{ expires?: number; uses?: number; for?: string; network?: readonly string[] }>;
export type ListFlags = Common & Readonly<{ cid?: string; state?: GrantState; parent?: string; limit: number }>;
export type RevokeFlags = Common & Readonly<{ cid?: string; all?: boolean }>;

export async function create(this: Context, flags: CreateFlags, cid: string): Promise<void> {
  const made = await grants.create(await connect(this, flags), {
    cid, expires_in: flags.expires, uses: flags.uses, principal: flags.for, networks: [...flags.network ?? []],
  }, { signal: this.signal });
  if (flags.json === true) return printJson(this, made);
  print(this, made.url);
  if (flags.quiet !== true) note(this, `Works until ${made.expires_at}. Take it back with: weir grant revoke ${made.grant_id}`);
}

/** The link comes by standard input: it is a secret, and what a command is called with is not. */
export async function narrow(this: Context, flags: NarrowFlags): Promise<void> {
  const made = await grants.narrow(await connect(this, flags), {
    grant: tokenOf(await firstLine(this)), expires_in: flags.expires, uses: flags.uses, principal: flags.for, networks: flags.network === undefined ? undefined : [...flags.network],
  }, { signal: this.signal });
  if (flags.json === true) return printJson(this, made);
  print(this, made.url);
  if (flags.quiet !== true) note(this, `Works until ${made.expires_at}, and no longer than the link that it comes of.`);
}

const longestLine = 16_384;

async function firstLine({ stdin }: Context): Promise<string> {
  let text = '';
  for await (const piece of stdin) {
    text += String(piece);
    if (text.includes('\n') || text.length > longestLine) break;
  }
  return text.split('\n')[0]?.trim() ?? '';
}

/** The token of a direct link (`?grant=`), of a watch link (`#…grant=`), or as it is. */
function tokenOf(line: string): string {
  const token = /[?&#]grant=([^&#\s]+)/.exec(line)?.[1] ?? line;
  if (!/^[A-Za-z0-9_.-]{1,8192}$/.test(token)) throw new WeirError('request.invalid', 'Send the link, or its token, on standard input: weir grant narrow < link.txt');
  return token;
}

export async function list(this: Context, flags: ListFlags): Promise<void> {
  const page = await grants.list(await connect(this, flags), { cid: flags.cid, state: flags.state, parent: flags.parent, limit: flags.limit, signal: this.signal });
  if (flags.json === true) return printJson(this, page);
  if (flags.quiet === true) return page.items.forEach((item) => print(this, item.grant_id));
  print(this, tableText(['GRANT', 'CID', 'FOR', 'USES LEFT', 'STATE', 'UNTIL'], page.items.map((item) =>
    [item.grant_id, item.cid, item.principal ?? 'anyone', String(item.uses_left ?? 'any'), item.state.replace('_', ' '), item.expires_at])));
}

export async function revoke(this: Context, flags: RevokeFlags, ...ids: readonly string[]): Promise<void> {
  if ([ids.length > 0, flags.cid !== undefined, flags.all === true].filter(Boolean).length !== 1) throw new WeirError('request.invalid', 'Name grants, or say --cid CID or --all.');
  const client = await connect(this, flags);
  if (ids.length === 0) {
    const { revoked } = await grants.revokeAll(client, { cid: flags.cid, signal: this.signal });
    if (flags.json === true) return printJson(this, { revoked });
    return print(this, `${revoked} revoked; who reads by them is cut off within a second`);
  }
  for (const id of ids) {
    await grants.revoke(client, id, { signal: this.signal });
    if (flags.quiet !== true && flags.json !== true) print(this, `${id} revoked; who reads by it is cut off within a second`);
  }
  if (flags.json === true) printJson(this, { revoked: ids });
}
