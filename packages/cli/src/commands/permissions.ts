/** `weir permissions` */
import { buildCommand } from '@stricli/core';
import type { PermissionsFlags } from '../actions/permissions.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag, quietFlag, serverFlags } from '../flags.ts';

export const permissions = buildCommand<PermissionsFlags, [], Context>({
  loader: async () => (await import('../actions/permissions.ts')).show, parameters: { flags: { quiet: quietFlag, json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'Show who you are to the server and what you may do', examples: ['weir permissions', 'weir permissions --json'] }),
});
