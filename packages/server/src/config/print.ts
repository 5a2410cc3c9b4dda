/** Prints the configuration: the commented default file, and its JSON Schema. */
import { stringify } from 'smol-toml';
import { z } from 'zod';
import { unwrap } from './load.ts';
import { Config } from './schema.ts';

/** A complete `weir.toml`: each setting with its sentence; those without a default commented out. */
export function defaultConfigText(): string {
  const lines = ['# Weir configuration. Every setting is shown with its default; the environment wins over this file:', '# WEIR_SERVER__PORT=8080 sets [server] port, WEIR_SERVER__PORT_FILE reads it from a file.', ''];
  const defaults: unknown = Config.parse({});
  section(Config, defaults, [], lines);
  return `${lines.join('\n').trimEnd()}\n`;
}

function section(schema: z.ZodType, value: unknown, path: readonly string[], lines: string[]): void {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject) || typeof value !== 'object' || value === null) return;
  const tables: [string, z.ZodType][] = [];
  const settings: string[] = [];
  for (const [key, field] of Object.entries(inner.shape)) {
    if (!(field instanceof z.ZodType)) continue;
    if (unwrap(field) instanceof z.ZodObject) { tables.push([key, field]); continue; }
    const given: unknown = Object.entries(value).find(([name]) => name === key)?.[1];
    const description = field.meta()?.description;
    if (description !== undefined) settings.push(`# ${description}`);
    const isTable = unwrap(field) instanceof z.ZodRecord;
    if (isTable) settings.push(`# [${[...path, key, 'NAME'].join('.')}]`);
    else settings.push(given === undefined ? `# ${key} = ` : stringify({ [key]: given }).trim());
  }
  if (settings.length > 0) lines.push(`[${path.join('.')}]`, ...settings, '');
  for (const [key, field] of tables) section(field, Object.entries(value).find(([name]) => name === key)?.[1], [...path, key], lines);
}

export const configJsonSchema = (): unknown => z.toJSONSchema(Config, { io: 'input', target: 'draft-2020-12' });
