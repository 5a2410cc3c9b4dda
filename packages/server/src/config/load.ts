/** Reads the configuration: flag over environment over file over default. What it refuses it names, with line and column. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { WeirError } from '@weir/contracts/errors';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';
import type { Warning } from '../app.ts';
import { withApiSection } from './api-section.ts';
import { Config } from './schema.ts';

type Tree = { [key: string]: unknown };
type Environment = Readonly<Record<string, string | undefined>>;
export type Loaded = Readonly<{ config: Config; file: string | undefined; warnings: readonly Warning[] }>;

const maxFileBytes = 1 << 20;

/** `--config`, else `WEIR_CONFIG`, else the first of the usual places that exists. A file named by hand must exist. */
export function findConfigFile(flag: string | undefined, environment: Environment): string | undefined {
  const named = flag ?? environment.WEIR_CONFIG;
  if (named !== undefined) {
    if (!existsSync(named)) throw new WeirError('config.invalid', `There is no configuration file ${named}. \`weir config default > ${named}\` writes one.`);
    return named;
  }
  return ['weir.toml', path.join(homedir(), '.config/weir/weir.toml'), '/etc/weir/weir.toml'].find((file) => existsSync(file));
}

/** `defaults` are those of the command that asks, below everything that the operator says. `tree` stands for a file, which is then not looked for. */
export function loadConfig(options: { file?: string | undefined; tree?: Tree; environment: Environment; flags?: Tree; defaults?: Tree }): Loaded {
  const file = options.tree === undefined ? findConfigFile(options.file, options.environment) : undefined;
  const text = file === undefined ? '' : readText(file);
  const written = withApiSection(options.tree ?? parseText(text, file ?? 'the configuration'), (path) => where(path, text, file));
  const fromOutside = withApiSection(fromEnvironment(options.environment), (path) => where(path, '', undefined));
  const tree = merge(merge(merge(options.defaults ?? {}, written), fromOutside), options.flags ?? {});
  const result = Config.safeParse(tree);
  if (!result.success) throw new WeirError('config.invalid', describe(result.error, text, file));
  const literal = valueAt(written, 'streaming_security', 'secret_key') !== undefined && valueAt(fromOutside, 'streaming_security', 'secret_key') === undefined;
  return { config: result.data, file, warnings: literal ? [secretWritten(file ?? 'the configuration')] : [] };
}

const valueAt = (tree: Tree, section: string, key: string): unknown => (isTree(tree[section]) ? tree[section][key] : undefined);

const secretWritten = (file: string): Warning => ({
  code: 'config.secret_key', message: `The secret key is written down in ${file}, where backups and version control find it.`,
  next_step: 'Set WEIR_STREAMING_SECURITY__SECRET_KEY, or WEIR_STREAMING_SECURITY__SECRET_KEY_FILE to a file that the server alone may read, and remove secret_key.',
});

/** What is wrong with a configuration that is not in a file yet, with line and column; undefined if nothing is. */
export function problemsOf(text: string, name: string): string | undefined {
  const result = Config.safeParse(withApiSection(parseText(text, name), (path) => where(path, text, name)));
  return result.success ? undefined : describe(result.error, text, name);
}

export function readText(file: string): string {
  const text = readFileSync(file, 'utf8');
  if (text.length > maxFileBytes) throw new WeirError('config.invalid', `${file} is larger than ${maxFileBytes} bytes.`);
  return text;
}

export function parseText(text: string, name: string): Tree {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const sentence = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '');
    throw new WeirError('config.invalid', `${name}:${error.line}:${error.column}: ${sentence}\n${withoutSecrets(error.codeblock)}`);
  }
}

/** The lines around a mistake may hold what nobody else should read. */
const withoutSecrets = (lines: string): string => lines.replaceAll(/^([^=\n]*(?:secret|password|token|url)[^=\n]*=).*$/gim, '$1 …');

/** `WEIR_SERVER__PORT=80` sets `[server] port`; `…_FILE` reads the value from a file. */
function fromEnvironment(environment: Environment): Tree {
  const tree: Tree = {};
  for (const [name, given] of Object.entries(environment)) {
    if (given === undefined || !/^WEIR_[A-Z0-9_]+__[A-Z0-9_]+$/.test(name)) continue;
    const fromFile = name.endsWith('_FILE');
    const keys = (fromFile ? name.slice(0, -'_FILE'.length) : name).slice('WEIR_'.length).toLowerCase().split('__');
    const text = fromFile ? readText(given).replace(/\r?\n$/, '') : given;
    let place = tree;
    for (const key of keys.slice(0, -1)) place = (place[key] ??= Object.create(null) as Tree) as Tree;
    const last = keys.at(-1);
    if (last !== undefined) place[last] = valueFor(keys, text);
  }
  return tree;
}

/** A setting that is text is taken as it stands; any other is read as a TOML value, a list also as `a,b`. */
function valueFor(keys: readonly string[], text: string): unknown {
  const schema = schemaAt(Config, keys);
  if (schema === undefined || accepts(schema, text)) return text;
  if (accepts(schema, []) && !text.startsWith('[')) return text.split(',').map((item) => item.trim()).filter((item) => item !== '');
  try {
    return parse(`value = ${text}`).value;
  } catch {
    return text; // the schema will refuse it, naming the setting
  }
}
const accepts = (schema: z.ZodType, value: unknown): boolean => schema.safeParse(value).success;

function schemaAt(schema: z.ZodType, keys: readonly string[]): z.ZodType | undefined {
  const [key, ...rest] = keys;
  const inner = unwrap(schema);
  if (key === undefined) return inner;
  if (inner instanceof z.ZodObject) {
    const next: unknown = inner.shape[key];
    return next instanceof z.ZodType ? schemaAt(next, rest) : undefined;
  }
  if (inner instanceof z.ZodRecord && inner.valueType instanceof z.ZodType) return schemaAt(inner.valueType, rest);
  return undefined;
}
export function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    const inner: unknown = schema.unwrap();
    return inner instanceof z.ZodType ? unwrap(inner) : schema;
  }
  return schema;
}

function merge(base: Tree, over: Tree): Tree {
  const merged: Tree = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = merged[key];
    merged[key] = isTree(value) && isTree(below) ? merge(below, value) : value;
  }
  return merged;
}
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

function describe(error: z.ZodError, text: string, file: string | undefined): string {
  return error.issues.map((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => {
        const near = nearest(key, knownKeys(path));
        return `${where([...path, key], text, file)}unknown setting "${key}"${path.length === 0 ? '' : ` in [${path.join('.')}]`}${near === undefined ? '' : `. Did you mean "${near}"?`}`;
      }).join('\n');
    }
    return `${where(path, text, file)}[${path.slice(0, -1).join('.')}] ${path.at(-1) ?? ''}: ${issue.message}`;
  }).join('\n');
}

function knownKeys(path: readonly string[]): string[] {
  const schema = schemaAt(Config, path);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** `file:line:column: ` of a setting, or where it came from when the file does not hold it. */
function where(path: readonly string[], text: string, file: string | undefined): string {
  const at = locate(text, path);
  if (at === undefined || file === undefined) return `WEIR_${path.map((key) => key.toUpperCase()).join('__')}: `;
  return `${file}:${at.line}:${at.column}: `;
}

/** Finds the line of a key, or of the longest part of its path that has one: tables, dotted keys and inline tables. */
export function locate(text: string, path: readonly string[]): { line: number; column: number } | undefined {
  let table: string[] = [];
  let best: { line: number; column: number; depth: number } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*\[\[?\s*([^\]]+?)\s*\]\]?/.exec(line);
    const key = header === null ? /^\s*([A-Za-z0-9_."'-]+?)\s*=/.exec(line) : null;
    if (header?.[1] !== undefined) table = splitKey(header[1]);
    const full = key?.[1] === undefined ? table : [...table, ...splitKey(key[1])];
    if (header === null && key === null) continue;
    if (full.length > path.length || !full.every((part, depth) => part === path[depth])) continue;
    if (best === undefined || full.length > best.depth) {
      const inline = full.length < path.length ? line.indexOf(path.at(-1) ?? '') : -1;
      best = { line: index + 1, column: (inline >= 0 ? inline : line.search(/\S/)) + 1, depth: full.length };
    }
  }
  return best;
}
const splitKey = (key: string): string[] => key.split('.').map((part) => part.trim().replace(/^["']|["']$/g, ''));

function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known.map((candidate) => ({ candidate, distance: editDistance(word, candidate) })).sort((a, b) => a.distance - b.distance);
  const [first] = ranked;
  return first !== undefined && first.distance <= Math.max(2, Math.floor(word.length / 3)) ? first.candidate : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
