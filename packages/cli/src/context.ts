/** What every command gets beside its flags: where it writes, its environment, and the signal that ends it. */
import type { CommandContext } from '@stricli/core';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Context extends CommandContext {
  readonly process: { readonly stdout: NodeJS.WriteStream; readonly stderr: NodeJS.WriteStream; readonly env: Readonly<Partial<Record<string, string>>>; exitCode?: number | string | null };
  readonly stdin: NodeJS.ReadStream;
  readonly environment: Environment;
  /** Aborted by Ctrl-C, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal;
}

/** A line on standard output: what the command was asked for, and nothing else. */
export function print({ process }: Context, line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A line on standard error: what a person wants to know beside the answer. */
export function note({ process }: Context, line: string): void {
  process.stderr.write(`${line}\n`);
}

/** `--json`: the same fields as the API sends, indented for people, stable for programs. */
export function printJson(context: Context, value: unknown): void {
  print(context, JSON.stringify(value, undefined, 2));
}
