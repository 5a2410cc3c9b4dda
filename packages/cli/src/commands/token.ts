/** `weir token …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import { asService } from '../as-service.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { instanceFlags, jsonFlag, listOf, quietFlag, serverFlags } from '../flags.ts';
import { count, duration, text } from '../parse.ts';
import type { IssueFlags, ListFlags, RevokeFlags } from '../actions/token.ts';

const issue = buildCommand<IssueFlags, [], Context>({
  loader: asService(async () => (await import('../actions/token.ts')).issue),
  parameters: {
    flags: {
      principal: { kind: 'parsed', parse: text, brief: 'Whom the token is for', placeholder: 'NAME' },
      role: { kind: 'parsed', parse: text, brief: 'Narrow to this role; the role of a principal that is made', placeholder: 'ROLE', optional: true },
      permission: listOf('Narrow to these permissions', 'NAME'),
      expires: { kind: 'parsed', parse: duration, brief: 'How long it lasts', placeholder: '1h', default: '1h' },
      cid: { ...listOf('Contents that it opens beside what its principal may read', 'CID') },
      issuer: { kind: 'parsed', parse: text, brief: 'Who holds these contents and shares them', placeholder: 'NAME', optional: true },
      existing: { kind: 'boolean', brief: 'Refuse a principal that is absent, in place of making it', optional: true, withNegated: false },
      quiet: quietFlag, json: jsonFlag, ...instanceFlags,
    },
  },
  docs: documented({
    brief: 'Issue an access token, on the machine of the server',
    details: 'Who can read the data directory and the keys is the operator. A principal that is absent is made (role user, or --role);\nof a known one the token only narrows. Works while the server runs.',
    examples: ['weir token issue --principal alice', 'export WEIR_TOKEN=$(weir token issue --principal alice --expires 15m --quiet)', 'weir token issue --principal ci --permission read_content,submit_jobs'],
  }),
});

const list = buildCommand<ListFlags, [], Context>({
  loader: async () => (await import('../actions/token.ts')).list,
  parameters: {
    flags: {
      owner: { kind: 'parsed', parse: text, brief: 'Of this principal, not your own', placeholder: 'NAME', optional: true },
      limit: { kind: 'parsed', parse: count(1, 500), brief: 'How many', placeholder: 'N', default: '50' }, quiet: quietFlag, json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({ brief: 'List tokens, newest first', examples: ['weir token list', 'weir token list --owner alice'] }),
});

const revoke = buildCommand<RevokeFlags, string[], Context>({
  loader: async () => (await import('../actions/token.ts')).revoke,
  parameters: {
    positional: { kind: 'array', parameter: { brief: 'Ids of tokens', placeholder: 'TOKEN', parse: text } },
    flags: {
      principal: { kind: 'parsed', parse: text, brief: 'All tokens of this principal', placeholder: 'NAME', optional: true },
      session: { kind: 'parsed', parse: text, brief: 'This session with the tokens that came of it', placeholder: 'ID', optional: true },
      quiet: quietFlag, json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({
    brief: 'Revoke tokens everywhere, within a second', examples: ['weir token revoke 01JABCDEFGHJKMNPQRSTVWXYZ0', 'weir token revoke --principal alice'],
  }),
});

export const token = buildRouteMap({ routes: { issue, list, revoke }, docs: { brief: 'Access tokens' } });
