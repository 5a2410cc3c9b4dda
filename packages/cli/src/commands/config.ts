/** `weir config …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { CheckFlags, ImportFlags } from '../actions/config.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag } from '../flags.ts';
import { text } from '../parse.ts';

const printDefault = buildCommand<Record<never, never>, [], Context>({
  loader: async () => (await import('../actions/config.ts')).printDefault,
  parameters: {},
  docs: documented({ brief: 'Print a complete configuration file with every default', examples: ['weir config default > weir.toml'] }),
});
const schema = buildCommand<Record<never, never>, [], Context>({
  loader: async () => (await import('../actions/config.ts')).printSchema,
  parameters: {},
  docs: documented({ brief: 'Print the JSON Schema of the configuration, for editors', examples: ['weir config schema > weir.schema.json'] }),
});
const check = buildCommand<CheckFlags, [string?], Context>({
  loader: async () => (await import('../actions/config.ts')).check,
  parameters: {
    positional: { kind: 'tuple', parameters: [{ brief: 'The file; else WEIR_CONFIG, ./weir.toml, ~/.config/weir/weir.toml, /etc/weir/weir.toml', placeholder: 'FILE', parse: text, optional: true }] },
    flags: { json: jsonFlag },
  },
  docs: documented({ brief: 'Check a configuration file; what is wrong is named with line and column', examples: ['weir config check', 'weir config check /etc/weir/weir.toml'] }),
});
const importFrom = buildCommand<ImportFlags, [string], Context>({
  loader: async () => (await import('../actions/config.ts')).importFrom,
  parameters: {
    positional: { kind: 'tuple', parameters: [{ brief: 'The skit.toml of a StreamKit server', placeholder: 'FILE', parse: text }] },
    flags: { json: jsonFlag },
  },
  docs: documented({
    brief: 'Turn the configuration of a StreamKit server into one of Weir', details: 'The new file is on standard output; what was added, left out or is still to be decided is on standard error.',
    examples: ['weir config import skit.toml > weir.toml'],
  }),
});

export const config = buildRouteMap({ routes: { default: printDefault, schema, check, import: importFrom }, docs: { brief: 'The configuration' } });
