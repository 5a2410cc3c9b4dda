/** `weir recipe list` */
import * as recipes from '@weir/sdk/recipes';
import { connect } from '../client/connection.ts';
import { print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { printableLine } from '../terminal/printable.ts';

export type ListFlags = ServerFlags & Readonly<{ quiet?: boolean; json?: boolean }>;

export async function list(this: Context, flags: ListFlags): Promise<void> {
  const page = await recipes.list(await connect(this, flags), { signal: this.signal });
  if (flags.json === true) return printJson(this, page);
  if (flags.quiet === true) return page.items.forEach(({ recipe }) => print(this, recipe));
  print(this, page.items.map((item) => [`${printableLine(item.recipe)}: ${printableLine(item.description)}`, ...parameterLines(item.parameters)].join('\n')).join('\n\n'));
}

/** One line for each parameter of the JSON Schema: its name, bounds or choices, default, and what it is. */
function parameterLines(schema: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(recordOf(schema['properties'])).map(([name, value]) => {
    const field = recordOf(value);
    const choices = Array.isArray(field['enum']) ? field['enum'].join('|') : field['minimum'] === undefined ? '' : `${textOf(field['minimum'])}..${textOf(field['maximum'])}`;
    const parts = [choices, field['default'] === undefined ? '' : `default ${textOf(field['default'])}`].filter((part) => part !== '').join(', ');
    return `  -p ${printableLine(name)}=…  ${parts === '' ? '' : `(${printableLine(parts)}) `}${printableLine(textOf(field['description']))}`.trimEnd();
  });
}

const textOf = (value: unknown): string => (['string', 'number', 'boolean'].includes(typeof value) ? `${value as string | number | boolean}` : '');
export const recordOf = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null ? { ...value } : {});
