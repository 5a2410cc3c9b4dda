/** `weir audit …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { ListFlags, VerifyFlags } from '../actions/audit.ts';
import { asService } from '../as-service.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { instanceFlags, jsonFlag } from '../flags.ts';
import { count, text } from '../parse.ts';

const optionalText = (brief: string, placeholder: string) => ({ kind: 'parsed', parse: text, brief, placeholder, optional: true }) as const;

const list = buildCommand<ListFlags, [], Context>({
  loader: asService(async () => (await import('../actions/audit.ts')).list),
  parameters: {
    flags: {
      limit: { kind: 'parsed', parse: count(1, 1_000), brief: 'How many events', placeholder: 'N', default: '50' },
      before: optionalText('Go on after this event', 'ID'), principal: optionalText('Only of this principal', 'NAME'),
      action: optionalText('Only this action, such as token.issue', 'ACTION'), object: optionalText('Only of this object', 'OBJECT'),
      json: jsonFlag, ...instanceFlags,
    },
  },
  docs: documented({ brief: 'List what was done and refused, newest first', examples: ['weir audit list', 'weir audit list --principal alice --limit 10', 'weir audit list --action token.issue --json'] }),
});

const verify = buildCommand<VerifyFlags, [], Context>({
  loader: asService(async () => (await import('../actions/audit.ts')).verify),
  parameters: { flags: { json: jsonFlag, ...instanceFlags } },
  docs: documented({
    brief: 'Check the chain of the audit log and its signed checkpoints',
    details: 'Exit code 1 names the first event that was changed, removed or reordered.', examples: ['weir audit verify'],
  }),
});

export const audit = buildRouteMap({ routes: { list, verify }, docs: { brief: 'Who did what (on the machine of the server)' } });
