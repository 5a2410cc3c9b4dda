/**
 * ffmpeg's filtergraph language: read with its own rules of quoting at both levels, checked against the allowlist, and written anew in one
 * plain form, so that ffmpeg reads exactly what was checked here (ffmpeg-filters, "Notes on filtergraph escaping").
 */
import { filters, type Filter } from './arguments/filters.ts';
import { printable, refuseValue } from './arguments/refusal.ts';

export type FilterArgument = Readonly<{ key: string | null; value: string }>;
export type FilterNode = Readonly<{ inputs: readonly string[]; name: string; arguments: readonly FilterArgument[]; outputs: readonly string[] }>;
/** Chains joined by `;`, each a list of filters joined by `,`. */
export type FilterGraph = readonly (readonly FilterNode[])[];

const maxLength = 8_192, maxFilters = 128, maxLabels = 64, maxArguments = 64;

/** The graph in canonical form. Refuses unknown filters, keys and values, and whatever ffmpeg and we might read differently. */
export function vetFilterGraph(text: string): string {
  const graph = parseFilterGraph(text);
  for (const node of graph.flat()) vetNode(node);
  return renderFilterGraph(graph);
}

function vetNode(node: FilterNode): void {
  const filter = filters.get(node.name);
  if (!filter) return refuseValue(`the filter "${printable(node.name)}" is not allowed`);
  node.arguments.forEach((argument, index) => vetArgument(node.name, filter, argument, index));
}

/** A value without a key stands for the key of its position, and ffmpeg allows none after the first named one. */
function vetArgument(name: string, filter: Filter, { key, value }: FilterArgument, index: number): void {
  const meant = key ?? filter.order[index];
  if (meant === undefined) return refuseValue(`the filter ${name} takes at most ${filter.order.length} values without a key here`);
  const check = filter.keys.get(meant);
  if (!check) return refuseValue(`the key "${printable(meant)}" of the filter ${name} is not allowed`);
  if (value === '') return refuseValue(`the key ${meant} of the filter ${name} has no value`);
  check(value);
}

/** Parses a graph. Throws `ValueRefused` for what is not one. */
export function parseFilterGraph(text: string): FilterGraph {
  if (text.length > maxLength) refuseValue(`a filtergraph of at most ${maxLength} characters is needed`);
  if (/[^\x20-\x7e]/.test(text)) refuseValue('a filtergraph of printable ASCII characters is needed');
  const reader = new Reader(text);
  const graph: FilterNode[][] = [[]];
  for (let filterCount = 0; ; filterCount += 1) {
    if (filterCount >= maxFilters) refuseValue(`at most ${maxFilters} filters`);
    graph.at(-1)?.push(readNode(reader));
    reader.skipBlanks();
    if (reader.atEnd) return graph;
    const separator = reader.take();
    if (separator === ';') graph.push([]);
    else if (separator !== ',') refuseValue(`"${separator}" is not expected in a filtergraph after a filter`);
  }
}

function readNode(reader: Reader): FilterNode {
  const inputs = readLabels(reader);
  const name = reader.token('=,;[');
  if (!/^[a-z0-9_]{1,30}$/.test(name)) refuseValue(`a filter's name is expected, not "${printable(name)}"`);
  const hasArguments = reader.peek() === '=';
  if (hasArguments) reader.take();
  const parsed = hasArguments ? parseFilterArguments(reader.token('[],;')) : [];
  return { inputs, name, arguments: parsed, outputs: readLabels(reader) };
}

function readLabels(reader: Reader): string[] {
  const labels: string[] = [];
  for (reader.skipBlanks(); reader.peek() === '['; reader.skipBlanks()) {
    reader.take();
    const label = reader.token(']');
    if (!/^[A-Za-z0-9_]{1,32}(:[A-Za-z0-9]{1,8}){0,3}$/.test(label)) refuseValue(`"${printable(label)}" is not a label`);
    if (reader.atEnd) refuseValue('a label is not closed with "]"');
    reader.take();
    labels.push(label);
    if (labels.length > maxLabels) refuseValue(`at most ${maxLabels} labels beside a filter`);
  }
  return labels;
}

/** Second level: `value:value:key=value`, each unescaped once more. */
export function parseFilterArguments(text: string): FilterArgument[] {
  const reader = new Reader(text);
  const found: FilterArgument[] = [];
  while (!reader.atEnd) {
    const key = reader.key();
    if (key === null && found.some((argument) => argument.key !== null)) refuseValue('a value without a key follows one with a key');
    found.push({ key, value: reader.token(':') });
    if (found.length > maxArguments) refuseValue(`at most ${maxArguments} values for a filter`);
    if (!reader.atEnd) reader.take();
  }
  return found;
}

/** One plain spelling for each graph: every special character behind one backslash per level, no quotes. */
export function renderFilterGraph(graph: FilterGraph): string {
  return graph.map((chain) => chain.map(renderNode).join(',')).join(';');
}

function renderNode(node: FilterNode): string {
  const labels = (names: readonly string[]) => names.map((name) => `[${name}]`).join('');
  const values = node.arguments.map(({ key, value }) => (key === null ? '' : `${key}=`) + escapeWith(value, /[\\':]/g)).join(':');
  return `${labels(node.inputs)}${node.name}${values === '' ? '' : `=${escapeWith(values, /[\\'[\],;]/g)}`}${labels(node.outputs)}`;
}

/** Blanks at the ends would be trimmed, so they are escaped too. */
function escapeWith(text: string, special: RegExp): string {
  return text.replace(special, '\\$&').replace(/^ | $/g, '\\ ');
}

/** A position in a text, moved by ffmpeg's rules (`av_get_token`, `av_opt_get_key_value` of libavutil). */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  peek(): string {
    return this.#text.charAt(this.#at);
  }

  take(): string {
    this.#at += 1;
    return this.#text.charAt(this.#at - 1);
  }

  skipBlanks(): void {
    while (this.peek() === ' ') this.#at += 1;
  }

  /** Up to an unquoted terminator: `\x` gives x, `'…'` gives its inside literally; unquoted blanks at the ends vanish. */
  token(terminators: string): string {
    this.skipBlanks();
    let text = '', kept = 0;
    while (!this.atEnd && !terminators.includes(this.peek())) {
      const character = this.take();
      if (character === '\\' && !this.atEnd) text += this.take();
      else if (character === "'") text += this.#quoted();
      else {
        text += character;
        if (character === ' ') continue;
      }
      kept = text.length;
    }
    return text.slice(0, kept);
  }

  #quoted(): string {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) return refuseValue("a quote ' is not closed");
    const inside = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return inside;
  }

  /** The key of `key=`, or null and no movement when a plain value comes next. */
  key(): string | null {
    const match = /^ *([A-Za-z0-9_/.-]+) *=/.exec(this.#text.slice(this.#at));
    if (match?.[1] === undefined) return null;
    this.#at += match[0].length;
    return match[1];
  }
}
