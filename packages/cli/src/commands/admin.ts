/** `weir admin …`: principals on the server's machine, workers and roles through the server. */
import { buildCommand, buildRouteMap } from '@stricli/core';
import { asService } from '../as-service.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { instanceFlags, jsonFlag, listOf, quietFlag, serverFlags, type InstanceFlags } from '../flags.ts';
import { count, durationOrZero, oneOf, text } from '../parse.ts';
import { keys } from './keys.ts';
import { security } from './security.ts';
import type { AddFlags, LinkFlags, RotateFlags, ScopeFlags, ShowFlags } from '../actions/user.ts';
import type { IdentityFlags } from '../actions/user-identities.ts';
import type { RoleFlags } from '../actions/roles.ts';
import type { WorkerFlags } from '../actions/workers.ts';

type Plain = InstanceFlags & Readonly<{ json?: boolean }>;
const name = { kind: 'tuple', parameters: [{ brief: 'The principal', placeholder: 'NAME', parse: text }] } as const;
const cidrs = listOf('Networks it may come from; without one, everywhere', 'CIDR');

const maxSkew = { kind: 'parsed', parse: count(1, 300), brief: 'How far the clock of its signatures may be off, in seconds (30)', placeholder: 'SECONDS' } as const;
const keyFile = { kind: 'parsed', parse: text, brief: 'Take over the key in this file (- for standard input), which the other side has', placeholder: 'FILE', optional: true } as const;

const add = buildCommand<AddFlags, [string], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).add),
  parameters: {
    positional: name,
    flags: {
      role: { kind: 'parsed', parse: text, brief: 'none, viewer, client, worker, user, operator, admin, or one of your own', placeholder: 'ROLE' },
      allowedCidrs: cidrs, permission: listOf('Permissions beside those of the role', 'NAME'),
      kind: { kind: 'parsed', parse: oneOf(['user', 'service'] as const), brief: 'service: a program, which never signs in by a browser', placeholder: 'KIND', optional: true },
      maxSkew: { ...maxSkew, optional: true }, keyFile, quiet: quietFlag, json: jsonFlag, ...instanceFlags,
    },
  },
  docs: documented({
    brief: 'Add a principal with a request-signing key, which is shown this once',
    details: 'With --quiet the key alone is on standard output; the warning goes to standard error.',
    examples: ['weir admin user add alice --role user', 'weir admin user add encoder-1 --role worker --allowed-cidrs 192.0.2.0/24 --quiet > encoder-1.key'],
  }),
});

const list = buildCommand<Plain, [], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).list),
  parameters: { flags: { json: jsonFlag, ...instanceFlags } },
  docs: documented({ brief: 'List all principals', examples: ['weir admin user list', 'weir admin user list --json'] }),
});

const show = buildCommand<ShowFlags, [string], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).show),
  parameters: { positional: name, flags: { showKey: { kind: 'boolean', brief: 'Also its request-signing key; the audit log tells that it was shown', optional: true, withNegated: false }, json: jsonFlag, ...serverFlags } },
  docs: documented({
    brief: 'Show a principal',
    details: 'From the database of this machine, or with --server (WEIR_SERVER) through that server, which shows a key only to a request that is signed (--key-file, --as).',
    examples: ['weir admin user show alice', 'weir admin user show encoder-1 --show-key'],
  }),
});

const rotateKey = buildCommand<RotateFlags, [string], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).rotateKey),
  parameters: {
    positional: name,
    flags: { overlap: { kind: 'parsed', parse: durationOrZero, brief: 'How long the old key still works', placeholder: '1h', default: '0' }, keyFile, quiet: quietFlag, json: jsonFlag, ...instanceFlags },
  },
  docs: documented({ brief: 'Give a principal a new request-signing key', examples: ['weir admin user rotate-key encoder-1 --overlap 1h'] }),
});

const setScope = buildCommand<ScopeFlags, [string], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).setScope),
  parameters: { positional: name, flags: { allowedCidrs: cidrs, json: jsonFlag, ...instanceFlags } },
  docs: documented({ brief: 'Say from which networks a principal may come', examples: ['weir admin user set-scope encoder-1 --allowed-cidrs 192.0.2.0/24,2001:db8::/32', 'weir admin user set-scope encoder-1'] }),
});

const disable = buildCommand<Plain, [string], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).disable),
  parameters: { positional: name, flags: { json: jsonFlag, ...instanceFlags } },
  docs: documented({ brief: 'Refuse a principal; what it has open ends within a second', examples: ['weir admin user disable alice'] }),
});
const enable = buildCommand<Plain, [string], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).enable),
  parameters: { positional: name, flags: { json: jsonFlag, ...instanceFlags } },
  docs: documented({ brief: 'Admit a disabled principal again', examples: ['weir admin user enable alice'] }),
});
const setSkew = buildCommand<Plain, [string, number], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).setSkew),
  parameters: {
    positional: { kind: 'tuple', parameters: [...name.parameters, { brief: 'Seconds, 1 to 300', placeholder: 'SECONDS', parse: count(1, 300) }] }, flags: { json: jsonFlag, ...instanceFlags },
  },
  docs: documented({
    brief: 'Say how far the clock of its signatures may be off', details: 'More than 30 is for old peers; it needs TLS, or networks that the principal is bound to.', examples: ['weir admin user set-skew encoder-1 120'],
  }),
});
const endAll = buildCommand<Plain, [string], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).endAll),
  parameters: { positional: name, flags: { json: jsonFlag, ...instanceFlags } },
  docs: documented({ brief: 'End all tokens and sessions of a principal, and what runs under them', examples: ['weir admin user end-everything alice'] }),
});
const remove = buildCommand<Plain, [string], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).remove),
  parameters: { positional: name, flags: { json: jsonFlag, ...instanceFlags } },
  docs: documented({ brief: 'Delete a principal with its keys and sessions', examples: ['weir admin user delete alice'] }),
});
const link = buildCommand<LinkFlags, [string], Context>({
  loader: asService(async () => (await import('../actions/user.ts')).link),
  parameters: { positional: name, flags: { quiet: quietFlag, json: jsonFlag, ...instanceFlags } },
  docs: documented({ brief: 'Make a one-time sign-in link, good for ten minutes', examples: ['weir admin user link alice'] }),
});

const identityFlags = {
  issuer: { kind: 'parsed', parse: text, brief: 'The issuer, as `iss` of its tokens says', placeholder: 'URL' },
  subject: { kind: 'parsed', parse: text, brief: 'The subject, as `sub` says', placeholder: 'SUBJECT' },
  json: jsonFlag, ...instanceFlags,
} as const;
const linkIdentity = buildCommand<IdentityFlags, [string], Context>({
  loader: asService(async () => (await import('../actions/user-identities.ts')).link),
  parameters: { positional: name, flags: identityFlags },
  docs: documented({ brief: 'Say that a subject of another issuer is this principal', examples: ['weir admin user link-identity alice --issuer https://login.example.org --subject 4711'] }),
});
const unlinkIdentity = buildCommand<IdentityFlags, [string], Context>({
  loader: asService(async () => (await import('../actions/user-identities.ts')).unlink),
  parameters: { positional: name, flags: identityFlags },
  docs: documented({ brief: 'Refuse that subject again', examples: ['weir admin user unlink-identity alice --issuer https://login.example.org --subject 4711'] }),
});

const user = buildRouteMap({
  routes: { add, list, show, rotateKey, setScope, disable, enable, delete: remove, link, setSkew, endEverything: endAll, linkIdentity, unlinkIdentity }, docs: { brief: 'Principals: people, clients, workers (on the machine of the server)' },
});

const invite = buildCommand<WorkerFlags, [], Context>({
  loader: async () => (await import('../actions/workers.ts')).invite,
  parameters: { flags: { quiet: quietFlag, json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'Make a link with which one machine joins as a worker, once, within ten minutes', examples: ['weir admin worker invite'] }),
});
const workerList = buildCommand<WorkerFlags, [], Context>({
  loader: async () => (await import('../actions/workers.ts')).list,
  parameters: { flags: { quiet: quietFlag, json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'List the workers with their load', examples: ['weir admin worker list'] }),
});
const workerName = { kind: 'tuple', parameters: [{ brief: 'The worker', placeholder: 'NAME', parse: text }] } as const;
const drain = buildCommand<WorkerFlags, [string], Context>({
  loader: async () => (await import('../actions/workers.ts')).drain,
  parameters: { positional: workerName, flags: { quiet: quietFlag, json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'Give a worker no further jobs', examples: ['weir admin worker drain encoder-1'] }),
});
const release = buildCommand<WorkerFlags, [string], Context>({
  loader: async () => (await import('../actions/workers.ts')).release,
  parameters: { positional: workerName, flags: { quiet: quietFlag, json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'Give a drained or quarantined worker jobs again', examples: ['weir admin worker release encoder-1'] }),
});
const worker = buildRouteMap({ routes: { invite, list: workerList, drain, release }, docs: { brief: 'Machines that run jobs' } });

const roleList = buildCommand<RoleFlags, [], Context>({
  loader: async () => (await import('../actions/roles.ts')).list,
  parameters: { flags: { json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'List the roles with their permissions and allowlists, and how many have them', examples: ['weir admin role list', 'weir admin role list --json'] }),
});
const role = buildRouteMap({ routes: { list: roleList }, docs: { brief: 'Roles, which the configuration defines' } });

export const admin = buildRouteMap({ routes: { user, role, worker, keys, security }, docs: { brief: 'Principals, roles, workers and keys' } });
