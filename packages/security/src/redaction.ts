/** Keeps secrets out of logs: registered values in any usual encoding, headers that carry proofs, query strings. */
import { Secret } from './secret.ts';
import { asRecord } from './strict-json.ts';

const mask = '[redacted]';
const maxSecrets = 1_000;
/** A shorter value would also be found in ordinary words. */
const shortestSecret = 6;
const maxTextLength = 16_384;
const maxDepth = 8;
const maxValues = 1_000;

const secretHeaders = ['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-dffmpeg-signature', 'signature'];
const secretMembers: ReadonlySet<string> = new Set(secretHeaders);
const headerLine = new RegExp(`(?<![\\w-])(${secretHeaders.join('|')})(["']?: ?)[^\\r\\n]+`, 'gi');
const bearer = /\b(bearer) [\w.~+/=-]+/gi;
const jsonWebToken = /(?<![\w-])eyJ[\w-]*\.[\w-]+\.[\w-]*/g;

/**
 * Masks what must not be logged. Values are registered when they become known to the process.
 * For pino: `hooks: { streamWrite: (line) => redactor.line(line) }`. There the line is finished, whatever serializers and child
 * loggers put into it; pino's formatters run before them and would not see all.
 */
export class Redactor {
  /** Forms to mask by the secret that they are forms of, in its own registered spelling. */
  readonly #forms = new Map<string, readonly string[]>();
  #pattern: RegExp | undefined;

  /**
   * Masks `secret` from now on: as it is, as JSON, URL-encoded, in hex, and in base64 and base64url also within longer text.
   * False if it is shorter than 6 bytes or 1 000 are registered already: then the caller must not log what may hold it.
   */
  register(secret: string | Uint8Array | Secret): boolean {
    const bytes = bytesOf(secret);
    const id = bytes.toString('latin1');
    if (bytes.length < shortestSecret) return false;
    if (this.#forms.has(id)) return true;
    if (this.#forms.size >= maxSecrets) return false;
    this.#forms.set(id, formsOf(bytes));
    this.#pattern = undefined;
    return true;
  }

  forget(secret: string | Uint8Array | Secret): void {
    if (this.#forms.delete(bytesOf(secret).toString('latin1'))) this.#pattern = undefined;
  }

  /** `text` with registered values masked and nothing else changed. */
  values(text: string): string {
    if (this.#forms.size === 0) return text;
    this.#pattern ??= anyOf([...this.#forms.values()].flat());
    return text.replace(this.#pattern, mask);
  }

  /** `text` without registered values, header lines with proofs, bearer tokens, and what URLs say behind their path; at most 16 Ki characters. */
  text(text: string): string {
    // Values first: a cut through the middle of one would leave its beginning.
    const masked = this.values(text);
    const bounded = masked.length > maxTextLength ? `${masked.slice(0, maxTextLength)}… (${masked.length - maxTextLength} more)` : masked;
    return stripUrls(bounded.replace(headerLine, `$1$2${mask}`).replace(bearer, `$1 ${mask}`).replace(jsonWebToken, mask));
  }

  /** A copy of `object` fit for a log: every text in it redacted, at most 8 levels and 1 000 values. */
  object(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return this.#members(object, { depth: 0, left: maxValues });
  }

  /** A finished line of a JSON log, its members redacted as those of an object; as text where it is no JSON object. */
  line(line: string): string {
    let members: unknown;
    try {
      members = JSON.parse(line);
    } catch {
      return this.text(line);
    }
    const record = asRecord(members);
    return record === undefined ? this.text(line) : `${JSON.stringify(this.object(record))}\n`;
  }

  #members(object: object, at: Position): Record<string, unknown> {
    return Object.fromEntries(Object.entries(object).map(([name, value]) => [
      this.values(name), secretMembers.has(name.toLowerCase()) ? mask : this.#value(value, at),
    ]));
  }

  #value(value: unknown, at: Position): unknown {
    at.left -= 1;
    if (at.left < 0 || at.depth > maxDepth) return '[cut]';
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'bigint' || typeof value === 'symbol') return this.text(String(value));
    if (typeof value === 'function') return '[function]';
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Secret) return mask;
    if (value instanceof Date) return Number.isNaN(value.valueOf()) ? 'Invalid Date' : value.toISOString();
    if (value instanceof URL) return this.text(value.href);
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    const inside = { depth: at.depth + 1, left: at.left };
    const copy = this.#container(value, inside);
    at.left = inside.left;
    return copy;
  }

  #container(value: object, at: Position): unknown {
    if (Array.isArray(value) || value instanceof Set) return takeFirst(value, at.left).map((item) => this.#value(item, at));
    if (value instanceof Map) return takeFirst(value, at.left).map(([name, item]) => [this.#value(name, at), this.#value(item, at)]);
    if (value instanceof Error) return this.#members({ ...Object.fromEntries(Object.entries(value)), type: value.name, message: value.message, stack: value.stack, cause: value.cause }, at);
    return this.#members(value, at);
  }
}

/** How deep, and how many values may still be copied. */
type Position = { depth: number; left: number };

function takeFirst<T>(items: Iterable<T>, count: number): T[] {
  const taken: T[] = [];
  for (const item of items) {
    if (taken.length >= Math.max(count, 0)) break;
    taken.push(item);
  }
  return taken;
}

function bytesOf(secret: string | Uint8Array | Secret): Buffer {
  if (secret instanceof Secret) return secret.reveal();
  return Buffer.from(secret);
}

function formsOf(bytes: Buffer): readonly string[] {
  const text = bytes.toString();
  const isText = Buffer.from(text).equals(bytes);
  const hex = bytes.toString('hex');
  const encoded = isText ? encodeURIComponent(text) : percentEncoded(bytes);
  const base64 = base64Within(bytes);
  return [
    ...(isText ? [text, JSON.stringify(text).slice(1, -1)] : []),
    encoded, encoded.replaceAll('%20', '+'), lowerPercent(encoded),
    hex, hex.toUpperCase(),
    ...base64, ...base64.map((core) => core.replaceAll('+', '-').replaceAll('/', '_')), ...base64.map(encodeURIComponent),
  ];
}

/** Base64 of `bytes`, and what base64 of any text that holds them must hold: per alignment, the characters that they alone decide. */
function base64Within(bytes: Buffer): string[] {
  const whole = bytes.toString('base64').replace(/=+$/, '');
  const cores = [0, 1, 2].map((shift) => {
    const characters = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    return characters.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
  });
  return [whole, ...cores];
}

const percentEncoded = (bytes: Buffer): string => [...bytes].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
const lowerPercent = (encoded: string): string => encoded.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());

/** Longest first, so that no form is left with a tail that a longer one would have masked. */
function anyOf(forms: readonly string[]): RegExp {
  const distinct = [...new Set(forms)].toSorted((a, b) => b.length - a.length);
  return new RegExp(distinct.map(escaped).join('|'), 'g');
}

const escaped = (literal: string): string => literal.replaceAll(/[$()*+./?[\\\]^{|}-]/g, '\\$&');

/** URLs without name, password, query and fragment; a query behind a bare path as well. */
function stripUrls(text: string): string {
  if (!/[?#@]/.test(text)) return text;
  return text.replaceAll(/[^\s"'<>]+/g, (word) => {
    const schemeAt = word.indexOf('://');
    if (schemeAt === -1) return word.includes('/') || word.includes('=') ? cutAt(word, word.indexOf('?')) : word;
    const hostAt = schemeAt + 3;
    const pathAt = hostAt + word.slice(hostAt).search(/[/?#]|$/);
    const nameEnd = word.lastIndexOf('@', pathAt);
    const plain = nameEnd > hostAt ? `${word.slice(0, hostAt)}${word.slice(nameEnd + 1)}` : word;
    return cutAt(plain, plain.search(/[?#]/));
  });
}

const cutAt = (word: string, at: number): string => (at === -1 ? word : `${word.slice(0, at + 1)}${mask}`);
