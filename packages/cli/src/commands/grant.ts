/** `weir grant …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { CreateFlags, ListFlags, NarrowFlags, RevokeFlags } from '../actions/grant.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag, listOf, quietFlag, serverFlags } from '../flags.ts';
import { count, duration, text } from '../parse.ts';
import { cid } from './content.ts';

const create = buildCommand<CreateFlags, [string], Context>({
  loader: async () => (await import('../actions/grant.ts')).create,
  parameters: {
    positional: { kind: 'tuple', parameters: [cid] },
    flags: {
      expires: { kind: 'parsed', parse: duration, brief: 'How long it works', placeholder: '1h', default: '1h' },
      uses: { kind: 'parsed', parse: count(1, 1_000_000), brief: 'How often it may be opened', placeholder: 'N', optional: true },
      for: { kind: 'parsed', parse: text, brief: 'Only for this principal', placeholder: 'PRINCIPAL', optional: true },
      network: listOf('Only from these networks', 'CIDR'), quiet: quietFlag, json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({ brief: 'Make a link that lets its holder read one content of yours', examples: ['weir grant create bafk… --expires 1h', 'weir grant create bafk… --uses 1 --for alice'] }),
});

const narrow = buildCommand<NarrowFlags, [], Context>({
  loader: async () => (await import('../actions/grant.ts')).narrow,
  parameters: {
    flags: {
      expires: { kind: 'parsed', parse: duration, brief: 'How long it works', placeholder: '1h', optional: true },
      uses: { kind: 'parsed', parse: count(1, 1_000_000), brief: 'How often it may be opened', placeholder: 'N', optional: true },
      for: { kind: 'parsed', parse: text, brief: 'Only for this principal', placeholder: 'PRINCIPAL', optional: true },
      network: listOf('Only from these networks', 'CIDR'), quiet: quietFlag, json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({
    brief: 'Make a narrower link of one that you have',
    details: 'The link, or its token, comes by standard input. What you do not say stays as it is there; the new one ends when that one does.',
    examples: ['weir grant narrow --uses 1 < link.txt', 'weir grant create bafk… --quiet | weir grant narrow --expires 5m --for alice'],
  }),
});

const list = buildCommand<ListFlags, [], Context>({
  loader: async () => (await import('../actions/grant.ts')).list,
  parameters: {
    flags: {
      cid: { kind: 'parsed', parse: text, brief: 'Only to this content', placeholder: 'CID', optional: true },
      state: { kind: 'enum', values: ['live', 'expired', 'revoked', 'used_up'], brief: 'Only those in this state', optional: true },
      parent: { kind: 'parsed', parse: text, brief: 'Only those narrowed from this one', placeholder: 'GRANT', optional: true },
      limit: { kind: 'parsed', parse: count(1, 500), brief: 'How many', placeholder: 'N', default: '50' }, quiet: quietFlag, json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({ brief: 'List the links that you made, newest first', examples: ['weir grant list', 'weir grant list --cid bafk…'] }),
});

const revoke = buildCommand<RevokeFlags, string[], Context>({
  loader: async () => (await import('../actions/grant.ts')).revoke,
  parameters: {
    positional: { kind: 'array', parameter: { brief: 'The grant', placeholder: 'GRANT', parse: text } },
    flags: {
      cid: { kind: 'parsed', parse: text, brief: 'Every link to this content', placeholder: 'CID', optional: true },
      all: { kind: 'boolean', brief: 'Every link that you gave', optional: true, withNegated: false }, quiet: quietFlag, json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({ brief: 'Take links back, and those narrowed from them; who reads by them is cut off within a second', examples: ['weir grant revoke 01J…', 'weir grant revoke --cid bafk…', 'weir grant revoke --all'] }),
});

export const grant = buildRouteMap({ routes: { create, narrow, list, revoke }, docs: { brief: 'Links to content of yours' } });
