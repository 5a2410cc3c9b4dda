/** `weir ticket` */
import { buildCommand } from '@stricli/core';
import type { TicketFlags } from '../actions/ticket.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag, quietFlag, serverFlags } from '../flags.ts';
import { text } from '../parse.ts';

export const ticket = buildCommand<TicketFlags, [string?], Context>({
  loader: async () => (await import('../actions/ticket.ts')).ticket,
  parameters: {
    positional: { kind: 'tuple', parameters: [{ brief: 'A content id, or job:ID; left out: your jobs', placeholder: 'OBJECT', parse: text, optional: true }] },
    flags: { quiet: quietFlag, json: jsonFlag, ...serverFlags },
  },
  docs: documented({
    brief: 'Make a one-time ticket for a player, event stream or page that can send no headers', details: 'It works once, within 30 seconds. A player that opens a content by it goes on by a cookie.',
    examples: ['weir ticket bafk…', 'curl -N "$WEIR_SERVER/api/v1/jobs/events?ticket=$(weir ticket --quiet)"'],
  }),
});
