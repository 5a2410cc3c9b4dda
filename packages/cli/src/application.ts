/** All commands, and what they have in common: how errors are told, how an interruption ends them. */
import { buildApplication, buildRouteMap, run, text_en, type ApplicationText } from '@stricli/core';
import { token } from './commands/token.ts';
import type { Context } from './context.ts';
import { exitCodeOf, exitCodes, failureText } from './failure.ts';

const root = buildRouteMap({ routes: { token }, docs: { brief: 'x' } });

const text: ApplicationText = {
  ...text_en,
};
const application = buildApplication<Context>(root, { name: 'weir', scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true }, determineExitCode: exitCodeOf, localization: { text } });
export async function runCommandLine(inputs: readonly string[]): Promise<void> {
  const context: Context = { process, stdin: process.stdin, environment: process.env, signal: new AbortController().signal };
  await run(application, inputs, context);
}
