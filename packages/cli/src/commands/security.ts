/** `weir admin security …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { ImportFlags } from '../actions/import-dffmpeg.ts';
import type { GenerateFlags, ReEncryptFlags } from '../actions/security.ts';
import { asService } from '../as-service.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { instanceFlags, jsonFlag, quietFlag, type InstanceFlags } from '../flags.ts';
import { text } from '../parse.ts';

type Plain = InstanceFlags & Readonly<{ json?: boolean }>;
const yes = (brief: string) => ({ kind: 'boolean', brief, optional: true, withNegated: false }) as const;

const generateKey = buildCommand<GenerateFlags, [string?], Context>({
  loader: asService(async () => (await import('../actions/security.ts')).generateKey),
  parameters: {
    positional: { kind: 'tuple', parameters: [{ brief: 'Its name: a-z, 0-9, "-", at most 32', placeholder: 'KEY', parse: text, optional: true }] },
    flags: { default: yes('Seal new values under it at once'), quiet: quietFlag, json: jsonFlag, ...instanceFlags },
  },
  docs: documented({
    brief: 'Add a master key to the key file', details: 'The key itself is never shown. A running server takes it up within a second.',
    examples: ['weir admin security generate-key', 'weir admin security generate-key autumn --default'],
  }),
});

const listKeys = buildCommand<Plain, [], Context>({
  loader: asService(async () => (await import('../actions/security.ts')).listKeys),
  parameters: { flags: { json: jsonFlag, ...instanceFlags } },
  docs: documented({ brief: 'List the master keys and how much each still opens', examples: ['weir admin security list-keys'] }),
});

const reEncrypt = buildCommand<ReEncryptFlags, [], Context>({
  loader: asService(async () => (await import('../actions/security.ts')).reEncrypt),
  parameters: {
    flags: {
      keyId: { kind: 'parsed', parse: text, brief: 'Make this master key the default first', placeholder: 'KEY', optional: true },
      decrypt: yes('Refused: nothing is ever stored in plain'), json: jsonFlag, ...instanceFlags,
    },
  },
  docs: documented({
    brief: 'Seal all stored keys under the default master key',
    details: 'Keys of principals, signing keys, keys of users and of contents; media itself is not rewritten. Goes on where it was interrupted,\nand works while the server runs.',
    examples: ['weir admin security re-encrypt', 'weir admin security re-encrypt --key-id autumn'],
  }),
});

const removeKey = buildCommand<Plain, [string], Context>({
  loader: asService(async () => (await import('../actions/security.ts')).removeKey),
  parameters: { positional: { kind: 'tuple', parameters: [{ brief: 'The master key', placeholder: 'KEY', parse: text }] }, flags: { json: jsonFlag, ...instanceFlags } },
  docs: documented({ brief: 'Remove a master key that opens nothing any more', examples: ['weir admin security remove-key master-1'] }),
});

const importDffmpeg = buildCommand<ImportFlags, [string], Context>({
  loader: asService(async () => (await import('../actions/import-dffmpeg.ts')).importDffmpeg),
  parameters: {
    positional: { kind: 'tuple', parameters: [{ brief: "The coordinator's SQLite database", placeholder: 'FILE', parse: text }] },
    flags: { keys: { kind: 'parsed', parse: text, brief: 'YAML file with its encryption_keys, mode 0600', placeholder: 'FILE', optional: true }, json: jsonFlag, ...instanceFlags },
  },
  docs: documented({
    brief: 'Take over the accounts of a DFFmpeg coordinator with their keys',
    details: 'Its clients and workers then sign as before. What can not be taken over is named with the reason, and the exit code is 1.',
    examples: ['weir admin security import-dffmpeg dffmpeg.sqlite --keys keys.yaml'],
  }),
});

export const security = buildRouteMap({ routes: { generateKey, listKeys, reEncrypt, removeKey, importDffmpeg }, docs: { brief: 'Master keys and what is sealed under them' } });
