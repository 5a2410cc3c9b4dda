/** `weir token …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import { asService } from '../as-service.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { instanceFlags, jsonFlag, listOf, quietFlag } from '../flags.ts';
import { duration, text } from '../parse.ts';
import type { IssueFlags } from '../actions/token.ts';

const issue = buildCommand<IssueFlags, [], Context>({
  loader: asService(async () => (await import('../actions/token.ts')).issue),
  parameters: {
    flags: {
      principal: { kind: 'parsed', parse: text, brief: 'Whom the token is for', placeholder: 'NAME' },
      role: { kind: 'parsed', parse: text, brief: 'Narrow to this role; the role of a principal that is made', placeholder: 'ROLE', optional: true },
      permission: listOf('Narrow to these permissions', 'NAME'),
      expires: { kind: 'parsed', parse: duration, brief: 'How long it lasts', placeholder: '1h', default: '1h' },
      quiet: quietFlag, json: jsonFlag, ...instanceFlags,
    },
  },
  docs: documented({
    brief: 'Issue an access token, on the machine of the server',
    details: 'Who can read the data directory and the keys is the operator. A principal that is absent is made (role user, or --role);\nof a known one the token only narrows. Works while the server runs.',
    examples: ['weir token issue --principal alice', 'export WEIR_TOKEN=$(weir token issue --principal alice --expires 15m --quiet)', 'weir token issue --principal ci --permission read_content,submit_jobs'],
  }),
});

export const token = buildRouteMap({ routes: { issue }, docs: { brief: 'Access tokens' } });
