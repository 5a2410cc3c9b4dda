/** `weir up` and `weir serve`. */
import { buildCommand } from '@stricli/core';
import type { ServeFlags, UpFlags } from '../actions/up.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { configFlag, dataFlag } from '../flags.ts';
import { address, port } from '../parse.ts';

const flags = {
  data: dataFlag, config: configFlag,
  port: { kind: 'parsed', parse: port, brief: 'The port, 4545 unless configured; 0 takes a free one', placeholder: 'N', optional: true },
  address: { kind: 'parsed', parse: address, brief: 'The address to listen on, 127.0.0.1 unless configured', placeholder: 'A', optional: true },
} as const;

const lifetime = 'Prints `ready URL` when it answers. Ends on Ctrl-C or SIGTERM, and when the process that started it ends;\nto keep it running, use a service manager. Started as root, it becomes the user weir before it serves.';

export const up = buildCommand<UpFlags, [], Context>({
  loader: async () => (await import('../actions/up.ts')).up,
  parameters: { flags: { ...flags, open: { kind: 'boolean', brief: 'Open a browser where there is a desktop', default: true } } },
  docs: documented({
    brief: 'Start everything on this machine', details: `Makes the data directory, keys and the first admin where there are none, and prints a sign-in link.\n${lifetime}`,
    examples: ['weir up', 'weir up --data ./media --port 8080', 'weir up --no-open'],
  }),
});

export const serve = buildCommand<ServeFlags, [], Context>({
  loader: async () => (await import('../actions/up.ts')).serve,
  parameters: { flags },
  docs: documented({ brief: 'Start a server under a service manager', details: lifetime, examples: ['weir serve --config /etc/weir/weir.toml'] }),
});
