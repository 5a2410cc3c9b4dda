/** `weir admin worker …`: the fleet's machines, through the server. */
import { Invite } from '@weir/contracts/workers';
import { call, command, path } from '@weir/sdk/client';
import * as workers from '@weir/sdk/workers';
import { connect } from '../client/connection.ts';
import { note, print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { tableText } from '../terminal/table.ts';

export type WorkerFlags = ServerFlags & Readonly<{ quiet?: boolean; json?: boolean }>;

export async function invite(this: Context, flags: WorkerFlags): Promise<void> {
  const client = await connect(this, flags);
  const made = await call(client, { method: 'POST', path: '/api/v1/workers/invites', reply: Invite, signal: this.signal });
  if (flags.json === true) return printJson(this, made);
  if (flags.quiet === true) return print(this, made.link);
  print(this, `On the machine that shall run jobs:\n\n  weir worker join '${made.link}'\n  weir worker\n`);
  note(this, `The link works once, until ${made.expires_at}.`);
}

export async function list(this: Context, flags: WorkerFlags): Promise<void> {
  const reply = await workers.list(await connect(this, flags), { signal: this.signal });
  if (flags.json === true) return printJson(this, reply);
  if (flags.quiet === true) return reply.items.forEach(({ worker }) => print(this, worker));
  print(this, tableText(['NAME', 'STATE', 'JOBS', 'JAIL', 'FFMPEG', 'LAST SEEN'], reply.items.map((item) =>
    [item.worker, stateOf(item), `${item.active_jobs} of ${item.slots}`, item.capabilities.jail, item.capabilities.ffmpeg, item.last_seen_at])));
}

function stateOf({ connected, draining, quarantined }: Readonly<{ connected: boolean; draining: boolean; quarantined: boolean }>): string {
  if (quarantined) return 'quarantined';
  if (draining) return 'draining';
  return connected ? 'connected' : 'away';
}

export async function drain(this: Context, flags: WorkerFlags, name: string): Promise<void> {
  await change(this, flags, name, { draining: true });
  if (flags.quiet !== true) print(this, `${name} finishes what it runs and gets no further jobs. \`weir admin worker release ${name}\` takes that back.`);
}

export async function release(this: Context, flags: WorkerFlags, name: string): Promise<void> {
  await change(this, flags, name, { draining: false, quarantined: false });
  if (flags.quiet !== true) print(this, `${name} gets jobs again.`);
}

async function change(context: Context, flags: WorkerFlags, name: string, json: Readonly<Record<string, boolean>>): Promise<void> {
  await command(await connect(context, flags), { method: 'PATCH', path: path`/api/v1/workers/${name}`, json, signal: context.signal });
}
