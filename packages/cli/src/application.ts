/** All commands, and what they have in common: how errors are told, how an interruption ends them, which exit codes there are. */
import { ArgumentScannerError, buildApplication, buildRouteMap, ExitCode, proposeCompletions, run, text_en, type ApplicationText } from '@stricli/core';
import manifest from '../package.json' with { type: 'json' };
import { admin } from './commands/admin.ts';
import { audit } from './commands/audit.ts';
import { completion, proposeName } from './commands/completion.ts';
import { config } from './commands/config.ts';
import { get, ls, rm, upload } from './commands/content.ts';
import { doctor } from './commands/doctor.ts';
import { explain } from './commands/explain.ts';
import { grant } from './commands/grant.ts';
import { jobs } from './commands/job.ts';
import { permissions } from './commands/permissions.ts';
import { policy } from './commands/policy.ts';
import { recipe } from './commands/recipe.ts';
import { ticket } from './commands/ticket.ts';
import { token } from './commands/token.ts';
import { serve, up } from './commands/up.ts';
import { worker } from './commands/worker.ts';
import type { Context, Environment } from './context.ts';
import { exitCodeOf, exitCodes, failureText } from './failure.ts';

const root = buildRouteMap({
  routes: { up, serve, worker, upload, get, ls, rm, policy, grant, explain, job: jobs, recipe, ticket, token, permissions, admin, audit, config, doctor, completion },
  docs: {
    brief: 'Weir: a media platform of your own',
    fullDescription: [
      'Weir: a media platform of your own', '', '  weir up                     start everything on this machine', '  weir upload talk.mp4        store a file', '  weir COMMAND --help         how a command is used', '',
      'Commands find the server and their credentials by --server and WEIR_SERVER, WEIR_TOKEN or WEIR_TOKEN_FILE (or a key: WEIR_KEY_FILE, WEIR_PRINCIPAL); on the machine of', 'the server they need neither. Exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 not found, 5 unreachable, 130 interrupted.',
    ].join('\n'),
  },
});

/** Runs one command; returns its exit code. */
export async function runCommandLine(inputs: readonly string[], { process, environment }: Readonly<{ process: NodeJS.Process; environment: Environment }>): Promise<number> {
  const streams: { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream; env: Environment; exitCode?: number | string | null } =
    { stdout: process.stdout, stderr: process.stderr, env: environment };
  const context: Context = { process: streams, stdin: process.stdin, environment, signal: interruption(process, inputs) };
  const application = buildApplication<Context>(root, {
    name: 'weir', versionInfo: { currentVersion: manifest.version }, determineExitCode: exitCodeOf, localization: { text: texts(environment) },
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true }, documentation: { useAliasInUsageLine: false },
  });
  if (inputs[0] === proposeName) {
    for (const { completion: word } of await proposeCompletions(application, inputs.slice(1), context)) process.stdout.write(`${word}\n`);
    return exitCodes.done;
  }
  await run(application, inputs, context);
  return meaning(Number(streams.exitCode ?? exitCodes.done));
}

/** The parser's own codes are negative: what was typed wrong is a usage error, the rest a failure. */
function meaning(code: number): number {
  if (code === ExitCode.UnknownCommand || code === ExitCode.InvalidArgument) return exitCodes.usage;
  return code < 0 ? exitCodes.failed : code;
}

function texts(environment: Environment): ApplicationText {
  const told = (error: unknown): string => failureText(error, environment);
  return {
    ...text_en,
    exceptionWhileParsingArguments: (error, colour) =>
      `weir: ${error instanceof ArgumentScannerError ? text_en.exceptionWhileParsingArguments.call({ formatException: messageOf }, error, colour) : messageOf(error)}\n      \`weir COMMAND --help\` shows how it is used.`,
    noCommandRegisteredForInput: ({ input, corrections }) =>
      `weir: there is no command \`${input.slice(0, 64)}\`${corrections.length === 0 ? '' : `; did you mean ${corrections.join(' or ')}?`}\n      \`weir --help\` lists them.`,
    exceptionWhileRunningCommand: told, exceptionWhileLoadingCommandFunction: told, exceptionWhileLoadingCommandContext: told, commandErrorResult: told,
  };
}
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const endsItself = ['up', 'serve', 'worker'];

/** Aborts on the first signal; the second ends the process. Long-running commands look after signals themselves. */
function interruption(process: NodeJS.Process, inputs: readonly string[]): AbortSignal {
  const interrupted = new AbortController();
  if (endsItself.includes(inputs[0] ?? '')) return interrupted.signal;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupted.signal.aborted) process.exit(exitCodes.interrupted);
      interrupted.abort();
    });
  }
  return interrupted.signal;
}
