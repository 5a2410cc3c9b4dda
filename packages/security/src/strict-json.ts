/** JSON from outside, read strictly (I-JSON, RFC 7493 §2): one value, no member twice, whole characters, no deep nesting. */
import { isUtf8 } from 'node:buffer';

const [quote, colon, backslash] = [0x22, 0x3a, 0x5c];

/** Members in `value` at any depth, or undefined where it nests deeper than `depth` or holds half a character (a lone surrogate). */
function countMembers(value: unknown, depth: number): number | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? 0 : undefined;
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === 0) return undefined;
  const names = Array.isArray(value) ? [] : Object.keys(value);
  if (!names.every((name) => name.isWellFormed())) return undefined;
  let count = names.length;
  for (const child of Object.values(value)) {
    const inside = countMembers(child, depth - 1);
    if (inside === undefined) return undefined;
    count += inside;
  }
  return count;
}

/** Members that valid JSON text writes: its colons outside strings. */
function countWrittenMembers(text: string): number {
  let count = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString && code === backslash) at += 1;
    else if (code === quote) inString = !inString;
    else if (code === colon && !inString) count += 1;
  }
  return count;
}

/**
 * The value of JSON (RFC 8259) in a text or in bytes of UTF-8, or undefined if it is not JSON, names a member twice (two readers could
 * then see two messages), holds what is no character (a store writes U+FFFD for all of those, and two names become one), or nests deeper
 * than `maxDepth`. The caller bounds the length.
 */
export function parseStrictJson(json: string | Uint8Array, maxDepth = 8): unknown {
  if (typeof json !== 'string' && !isUtf8(json)) return undefined;
  const text = typeof json === 'string' ? json : Buffer.from(json.buffer, json.byteOffset, json.length).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  // JSON.parse keeps the last of two equal members, so a repeated one was written but is not there.
  return countMembers(value, maxDepth) === countWrittenMembers(text) ? value : undefined;
}

/** `value` as an object with members, or undefined. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value as Record<string, unknown>;
}
