/** `weir admin keys …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import { KeyPurpose } from '@weir/contracts/keys';
import type { KeyRotateFlags } from '../actions/keys.ts';
import { asService } from '../as-service.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag, serverFlags, type ServerFlags } from '../flags.ts';
import { oneOf } from '../parse.ts';

const list = buildCommand<ServerFlags & Readonly<{ json?: boolean }>, [], Context>({
  loader: asService(async () => (await import('../actions/keys.ts')).list),
  parameters: { flags: { json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'List the keys that sign, with their state', examples: ['weir admin keys list', 'weir admin keys list --json'] }),
});

const rotate = buildCommand<KeyRotateFlags, [KeyPurpose], Context>({
  loader: asService(async () => (await import('../actions/keys.ts')).rotate),
  parameters: {
    positional: { kind: 'tuple', parameters: [{ brief: `What the key signs: ${KeyPurpose.options.join(', ')}`, placeholder: 'PURPOSE', parse: oneOf(KeyPurpose.options) }] },
    flags: {
      compromised: { kind: 'boolean', brief: 'A key was stolen: everything signed so far for this purpose is void at once', optional: true, withNegated: false },
      json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({
    brief: 'Sign with a new key from now on',
    details: 'What the old key signed holds until it ends; no restart is needed. Works on the database of this machine, whether a server runs or not,\nor with --server (WEIR_SERVER) through that server.',
    examples: ['weir admin keys rotate access', 'weir admin keys rotate access --compromised'],
  }),
});

export const keys = buildRouteMap({ routes: { list, rotate }, docs: { brief: 'Keys that sign tokens, assignments and audit checkpoints' } });
