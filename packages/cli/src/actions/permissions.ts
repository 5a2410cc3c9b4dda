/** `weir permissions`: the caller's name, role and permissions, as the server sees them. */
import * as auth from '@weir/sdk/auth';
import { connect } from '../client/connection.ts';
import { print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { printableLine } from '../terminal/printable.ts';

export type PermissionsFlags = ServerFlags & Readonly<{ quiet?: boolean; json?: boolean }>;

export async function show(this: Context, flags: PermissionsFlags): Promise<void> {
  const own = await auth.permissions(await connect(this, flags), { signal: this.signal });
  if (flags.json === true) return printJson(this, own);
  const named = (wanted: boolean): string[] => Object.entries(own.permissions).filter(([, held]) => held === wanted).map(([name]) => printableLine(name));
  if (flags.quiet === true) return named(true).forEach((name) => print(this, name));
  print(this, [
    `principal  ${printableLine(own.principal ?? 'not signed in')}`, `role       ${printableLine(own.role)}`,
    `may        ${named(true).join(', ') || 'nothing'}`, `may not    ${named(false).join(', ') || 'nothing is refused'}`,
  ].join('\n'));
}
