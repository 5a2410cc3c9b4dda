/** `weir doctor` */
import { styleText } from 'node:util';
import { diagnose, type Check } from '@weir/server/doctor';
import { print, printJson, type Context } from '../context.ts';
import { Finished } from '../failure.ts';
import type { InstanceFlags } from '../flags.ts';
import { printable } from '../terminal/printable.ts';
import { loadFor } from './enter.ts';

export type DoctorFlags = InstanceFlags & Readonly<{ json?: boolean }>;

const colours = { good: 'green', weak: 'yellow', failed: 'red' } as const;

export async function doctor(this: Context, flags: DoctorFlags): Promise<void> {
  const { environment } = this;
  const { config, file } = loadFor(flags, environment);
  const checks = await diagnose({ config, dataFlag: flags.data, environment });
  const ok = checks.every(({ grade }) => grade !== 'failed');
  if (flags.json === true) printJson(this, { ok, config_file: file ?? null, checks });
  else for (const check of checks) print(this, lineOf(this, check));
  if (!ok) throw new Finished(1);
}

function lineOf({ process }: Context, { name, grade, message, next_step: nextStep }: Check): string {
  const mark = styleText(colours[grade], grade.padEnd(7), { stream: process.stdout });
  return `${mark} ${name.padEnd(13)} ${printable(message)}${nextStep === '' ? '' : `\n${' '.repeat(22)}→ ${printable(nextStep)}`}`;
}
