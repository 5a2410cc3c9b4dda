/** `weir config …` */
import { defineRoles } from '@weir/security/roles';
import { checkBind } from '@weir/server/bind-gate';
import { importPipelineConfig } from '@weir/server/config/import-pipeline';
import { findConfigFile, loadConfig, readText } from '@weir/server/config/load';
import { configJsonSchema, defaultConfigText } from '@weir/server/config/print';
import { note, print, printJson, type Context } from '../context.ts';

export function printDefault(this: Context): void {
  print(this, defaultConfigText().trimEnd());
}

export function printSchema(this: Context): void {
  printJson(this, configJsonSchema());
}

export type CheckFlags = Readonly<{ json?: boolean }>;

export function check(this: Context, flags: CheckFlags, named?: string): void {
  const file = findConfigFile(named, this.environment);
  const { config, warnings } = loadConfig({ file, environment: this.environment });
  for (const { message, next_step: nextStep } of [...warnings, ...checkBind(config, defineRoles(config.permissions.roles))]) note(this, `${message} ${nextStep}`);
  if (flags.json === true) return printJson(this, { file: file ?? null, valid: true });
  print(this, file === undefined ? 'There is no configuration file; the defaults and the environment are good.' : `${file} is good.`);
}

export type ImportFlags = Readonly<{ json?: boolean }>;

/** The configuration on standard output, what became of each setting on standard error. */
export function importFrom(this: Context, flags: ImportFlags, file: string): void {
  const { text, notes } = importPipelineConfig(readText(file), file);
  if (flags.json === true) return printJson(this, { text, notes });
  for (const line of notes) note(this, line);
  print(this, text.trimEnd());
}
