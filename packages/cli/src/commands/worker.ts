/** `weir worker` and `weir worker join`. */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { JoinFlags, RunFlags } from '../actions/worker.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { count, pair, serverUrl, text } from '../parse.ts';

const name = { kind: 'parsed', parse: text, brief: 'The name of this worker; else that of the machine', placeholder: 'NAME', optional: true } as const;
const data = { kind: 'parsed', parse: text, brief: 'Where its key and its scratch space are (WEIR_HOME)', placeholder: 'DIR', optional: true } as const;

const ca = { kind: 'parsed', parse: text, brief: 'PEM file of the authority that signed the server’s certificate', placeholder: 'FILE', optional: true } as const;

const run = buildCommand<RunFlags, [], Context>({
  loader: async () => (await import('../actions/worker.ts')).run,
  parameters: {
    flags: {
      server: { kind: 'parsed', parse: serverUrl, brief: 'The server, with --key-file', placeholder: 'URL', optional: true }, name,
      keyFile: { kind: 'parsed', parse: text, brief: 'A key made with `weir admin user add NAME --role worker`', placeholder: 'FILE', optional: true },
      ca,
      slots: { kind: 'parsed', parse: count(1, 64), brief: 'How many jobs at once', placeholder: 'N', default: '1' }, data,
      label: { kind: 'parsed', parse: pair, brief: 'A label of this worker', placeholder: 'KEY=VALUE', variadic: true, optional: true },
    },
  },
  docs: documented({
    brief: 'Run jobs on this machine', details: 'The first Ctrl-C finishes what runs and takes nothing new; the second gives up what runs.\nIt ends when the process that started it ends; to keep it, use a service manager. Started as root, it becomes the user weir.',
    examples: ['weir worker', 'weir worker --name encoder-1 --slots 2', 'weir worker --server https://weir.example:4545 --name encoder-1 --key-file encoder-1.key'],
  }),
});

const join = buildCommand<JoinFlags, [string], Context>({
  loader: async () => (await import('../actions/worker.ts')).join,
  parameters: { positional: { kind: 'tuple', parameters: [{ brief: 'What `weir admin worker invite` printed, in quotes', placeholder: 'LINK', parse: text }] }, flags: { name, ca, data } },
  docs: documented({
    brief: 'Make this machine a worker', details: 'Its key is made here and never leaves; the certificate that the link names is pinned, or an authority has to vouch for it.',
    examples: ["weir worker join 'https://weir.example:4545#5f3a…:vK2…'"],
  }),
});

export const worker = buildRouteMap({
  routes: { run, join }, defaultCommand: 'run',
  docs: { brief: 'Run jobs on this machine', fullDescription: 'Run jobs on this machine. `weir worker` alone is `weir worker run`; `weir worker run --help` tells its flags.' },
});
