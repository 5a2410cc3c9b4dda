/** `weir policy …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { GetFlags, SetFlags } from '../actions/policy.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag, listOf, serverFlags } from '../flags.ts';
import { count, instant } from '../parse.ts';
import { cid } from './content.ts';

const get = buildCommand<GetFlags, [string], Context>({
  loader: async () => (await import('../actions/policy.ts')).get,
  parameters: { positional: { kind: 'tuple', parameters: [cid] }, flags: { json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'Show who may use content of yours', examples: ['weir policy get bafk…'] }),
});

const time = (brief: string) => ({ kind: 'parsed', parse: (value: string) => instant(value), brief, placeholder: 'TIME', optional: true }) as const;

const set = buildCommand<SetFlags, [string], Context>({
  loader: async () => (await import('../actions/policy.ts')).set,
  parameters: {
    positional: { kind: 'tuple', parameters: [cid] },
    flags: {
      level: { kind: 'enum', values: ['public', 'protected', 'private', 'encrypted'], brief: 'public: everyone; protected: who is signed in; private: whom you name; encrypted: the same, and encrypted to the viewer' },
      user: listOf('Principals that may use it', 'NAME'), role: listOf('Roles that may use it', 'ROLE'), permission: listOf('Permissions that it needs besides', 'NAME'),
      network: listOf('Networks it may be used from', 'CIDR'), from: time('Not before'), until: time('Not after'),
      concurrent: { kind: 'parsed', parse: count(1, 1_000), brief: 'How often at once for each principal', placeholder: 'N', optional: true },
      json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({
    brief: 'Say who may use content of yours', details: 'The whole policy is replaced. Who loses the right is cut off within a second.',
    examples: ['weir policy set bafk… --level private --user alice,bob', 'weir policy set bafk… --level protected --until +7d', 'weir policy set bafk… --level public --network 192.0.2.0/24'],
  }),
});

export const policy = buildRouteMap({ routes: { get, set }, docs: { brief: 'Who may use content of yours' } });
