/**
 * Pipeline text to plain values. YAML 1.2, core schema, without what makes YAML surprising or dangerous: no anchors, aliases, tags,
 * directives or merge keys, no repeated key, one document. JSON is YAML, so it is read here as well.
 */
import { Composer, CST, isMap, isScalar, isSeq, Lexer, Parser, type ParsedNode } from 'yaml';
import { WeirError } from '@weir/contracts/errors';

const MAX_BYTES = 2 ** 20;
const MAX_DEPTH = 64;
const MAX_NODES = 10_000;
/** Words, marks, spaces and comments: bounds the work before nodes can be counted. */
const MAX_TOKENS = 200_000;

/** A list or record nests at most 64 deep; records are plain objects that hold only their own keys. */
export type PlainValue = string | number | boolean | null | readonly PlainValue[] | { readonly [key: string]: PlainValue };

const options = { version: '1.2', schema: 'core', merge: false, stringKeys: true, uniqueKeys: false, prettyErrors: false, logLevel: 'silent' } as const;

const refusedTokens: Readonly<Partial<Record<CST.TokenType, string>>> = {
  alias: 'aliases (*name)', anchor: 'anchors (&name)', tag: 'tags (!name)', 'directive-line': 'directives (%NAME)',
};
/** Control characters, which YAML forbids too; some of them are also signals inside the parser. */
const forbidden = /[^\P{Cc}\t\n\r\u0085]/u;

/**
 * Parses at most 1 MiB, 64 levels and 10 000 nodes; an empty text is null. A key is always text (`1: x` has the key "1"). Error:
 * `request.invalid`, with `line` and `column` (both from 1) in its facts.
 */
export function parsePipelineText(text: string): PlainValue {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new WeirError('request.too_large', `A pipeline is at most ${MAX_BYTES} bytes of text.`);
  refuseForbidden(text);
  const [document, second] = new Composer(options).compose(boundedTokens(text), true, text.length);
  const error = document?.errors[0];
  if (error !== undefined) throw invalid(text, error.pos[0], error.message);
  if (second !== undefined) throw invalid(text, second.range[0], 'A pipeline is one document; remove what follows "---" or "...".');
  return toPlain(document?.contents ?? null, { text, nodes: 0 }, 1);
}

function refuseForbidden(text: string): void {
  const at = text.search(forbidden);
  if (at >= 0) throw invalid(text, at, 'Control characters are not allowed; write them as "\\u0000" in double quotes.');
  if (!text.isWellFormed()) throw new WeirError('request.invalid', 'The text is not valid Unicode.');
}

/** The tokens of the text; refuses the constructs that are left out, and stops at the bounds before much was built. */
function* boundedTokens(text: string): Generator<CST.Token> {
  const parser = new Parser();
  let count = 0;
  let previous = '';
  for (const word of new Lexer().lex(text)) {
    const type = previous === CST.SCALAR ? 'scalar' : CST.tokenType(word);
    const construct = type === null ? undefined : refusedTokens[type];
    if (construct !== undefined) throw invalid(text, parser.offset, `Pipelines have no ${construct}; write the value out.`);
    count += 1;
    if (count > MAX_TOKENS) throw invalid(text, parser.offset, 'The pipeline has too many parts; split it.');
    previous = word;
    yield* parser.next(word);
    // The stack holds the document, its open lists and records, and the value being read.
    if (parser.stack.length > MAX_DEPTH + 2) throw tooDeep(text, parser.offset);
  }
  yield* parser.end();
}

interface Walk {
  readonly text: string;
  nodes: number;
}

function toPlain(node: ParsedNode | null, walk: Walk, depth: number): PlainValue {
  const at = node?.range[0] ?? 0;
  walk.nodes += 1;
  if (walk.nodes > MAX_NODES) throw invalid(walk.text, at, `A pipeline has at most ${MAX_NODES} values; split it.`);
  if (node === null) return null;
  if (isScalar(node)) return plainScalar(node.value, walk.text, at);
  if (depth > MAX_DEPTH) throw tooDeep(walk.text, at);
  if (isSeq(node)) return node.items.map((item) => toPlain(item, walk, depth + 1));
  if (isMap(node)) return plainRecord(node.items, walk, depth);
  throw invalid(walk.text, at, 'Pipelines have no aliases (*name); write the value out.');
}

type Entry = { readonly key: ParsedNode; readonly value: ParsedNode | null };

function plainRecord(entries: readonly Entry[], walk: Walk, depth: number): PlainValue {
  const values = new Map<string, PlainValue>();
  for (const { key, value } of entries) {
    const name = plainKey(key, walk.text);
    if (values.has(name)) throw invalid(walk.text, key.range[0], `The key ${shown(name)} is there twice.`);
    values.set(name, toPlain(value, walk, depth + 1));
  }
  return Object.fromEntries(values);
}

function plainKey(key: ParsedNode, text: string): string {
  const at = key.range[0];
  if (!isScalar(key)) throw invalid(text, at, 'A key is a word, not a list or a record.');
  const name = typeof key.value === 'string' ? key.value : '';
  if (name === '<<') throw invalid(text, at, 'Pipelines have no merge keys (<<); write the values out.');
  if (name === '__proto__') throw invalid(text, at, 'A key may not be named __proto__.');
  return name;
}

function plainScalar(value: unknown, text: string, at: number): PlainValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value !== 'number') throw invalid(text, at, 'A value is text, a number, true, false or null.');
  if (!Number.isFinite(value)) throw invalid(text, at, 'A number must be finite.');
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw invalid(text, at, 'An integer is at most 2^53 - 1; quote it to keep it as text.');
  return value;
}

const tooDeep = (text: string, at: number): WeirError => invalid(text, at, `A pipeline nests at most ${MAX_DEPTH} levels.`);

const shown = (name: string): string => JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);

function invalid(text: string, at: number, reason: string): WeirError {
  const before = text.slice(0, at).split(/\r\n|\n|\r/);
  const line = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  return new WeirError('request.invalid', `Line ${line}, column ${column}: ${reason}`, { facts: { line, column } });
}
