/** `weir policy …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { GetFlags, HistoryFlags, SetFlags } from '../actions/policy.ts';
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

const set = buildCommand<SetFlags, string[], Context>({
  loader: async () => (await import('../actions/policy.ts')).set,
  parameters: {
    positional: { kind: 'array', minimum: 1, maximum: 1_000, parameter: cid },
    flags: {
      level: { kind: 'enum', values: ['public', 'protected', 'private', 'encrypted'], brief: 'public: everyone; protected: who is signed in; private: whom you name; encrypted: the same, and encrypted to the viewer' },
      user: listOf('Principals that may use it', 'NAME'), role: listOf('Roles that may use it', 'ROLE'), permission: listOf('Permissions that it needs besides', 'NAME'),
      network: listOf('Networks it may be used from', 'CIDR'), from: time('Not before'), until: time('Not after'),
      concurrent: { kind: 'parsed', parse: count(1, 1_000), brief: 'How often at once for each principal', placeholder: 'N', optional: true },
      renditions: { kind: 'boolean', brief: 'Of all that was made of it by jobs, in its place', optional: true, withNegated: false },
      json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({
    brief: 'Say who may use content of yours', details: 'The whole policy is replaced. Who loses the right is cut off within a second. Of several all are changed, or none.',
    examples: ['weir policy set bafk… --level private --user alice,bob', 'weir policy set bafk… --level protected --until +7d', 'weir policy set bafk… --level public --network 192.0.2.0/24', 'weir policy set bafk… --level protected --renditions'],
  }),
});

const clear = buildCommand<GetFlags, [string], Context>({
  loader: async () => (await import('../actions/policy.ts')).clear,
  parameters: { positional: { kind: 'tuple', parameters: [cid] }, flags: { json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'Leave content to yourself again', examples: ['weir policy clear bafk…'] }),
});

const history = buildCommand<HistoryFlags, [string], Context>({
  loader: async () => (await import('../actions/policy.ts')).history,
  parameters: {
    positional: { kind: 'tuple', parameters: [cid] },
    flags: { limit: { kind: 'parsed', parse: count(1, 500), brief: 'How many', placeholder: 'N', default: '50' }, json: jsonFlag, ...serverFlags },
  },
  docs: documented({ brief: 'Show who changed the policy, when, and how', examples: ['weir policy history bafk…'] }),
});

const version = { brief: 'The version of the history; 0 is what it began with', placeholder: 'VERSION', parse: count(0, 999_999_999) } as const;
const revert = buildCommand<GetFlags, [string, number], Context>({
  loader: async () => (await import('../actions/policy.ts')).revert,
  parameters: { positional: { kind: 'tuple', parameters: [cid, version] }, flags: { json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'Set the policy to what an earlier version said', examples: ['weir policy revert bafk… 3'] }),
});

export const policy = buildRouteMap({ routes: { get, set, clear, history, revert }, docs: { brief: 'Who may use content of yours' } });
