/** Which bytes of a representation a request asks for: `Range` and `If-Range` of RFC 9110, §14.2 and §13.1.5. */
import { WeirError } from '@weir/contracts/errors';

/** The bytes [start, end); never empty. */
export interface ByteRange { readonly start: number; readonly end: number }

const maxHeaderLength = 1_000;
const maxRanges = 16;

/**
 * The ranges of a GET for `size` bytes, in the order asked for, clipped to the size; undefined means the whole representation.
 * A header that is absent, malformed, of another unit, longer than 1 000 characters or asks for more than 16 ranges or for bytes
 * twice over is ignored, as §14.2 allows; one that asks only for bytes that do not exist is `content.range` with the size as a fact.
 */
export function parseRange(header: string | undefined, size: number): readonly ByteRange[] | undefined {
  if (header === undefined || header.length > maxHeaderLength) return undefined;
  const list = /^bytes=(.*)$/i.exec(header)?.[1];
  if (list === undefined) return undefined;
  // §5.6.1: a recipient must accept a few empty list elements.
  const items = list.split(',').map((item) => item.replace(/^[ \t]+|[ \t]+$/g, '')).filter((item) => item !== '');
  if (items.length === 0 || items.length > maxRanges) return undefined;
  const asked = items.map((item) => parseItem(item, size));
  if (asked.includes('malformed')) return undefined;
  const ranges = asked.filter((range) => typeof range === 'object');
  if (ranges.length === 0) throw new WeirError('content.range', undefined, { facts: { size } });
  // Overlapping ranges are a way to have a server send many times what it stores (§17.15).
  return overlap(ranges) ? undefined : ranges;
}

/**
 * Whether the `Range` header counts: there is no `If-Range`, or it is the strong entity tag of the present representation.
 * Dates never match: our representations are named by what they are, not by when they came.
 */
export function rangeApplies(ifRange: string | undefined, etag: string): boolean {
  return ifRange === undefined || (ifRange.trim() === etag && !etag.startsWith('W/'));
}

/** Value of `Content-Range` for one range of `size` bytes (§14.4). */
export const contentRange = ({ start, end }: ByteRange, size: number): string => `bytes ${start}-${end - 1}/${size}`;

/** Value of `Content-Range` in a 416 answer. */
export const unsatisfiedRange = (size: number): string => `bytes */${size}`;

function parseItem(item: string, size: number): ByteRange | 'malformed' | 'unsatisfiable' {
  const match = /^(\d*)-(\d*)$/.exec(item);
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (first === '' && last === '') return 'malformed';
  // Digits beyond what a number holds exactly are clipped to the size like every other large position.
  const range = first === ''
    ? { start: Math.max(0, size - Number(last)), end: size }
    : { start: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1) };
  if (first !== '' && last !== '' && isLess(last, first)) return 'malformed';
  return range.start < range.end ? range : 'unsatisfiable';
}

/** Compares decimal digits of any length. */
const isLess = (a: string, b: string): boolean => BigInt(a) < BigInt(b);

function overlap(ranges: readonly ByteRange[]): boolean {
  const ordered = ranges.toSorted((a, b) => a.start - b.start);
  return ordered.some((range, i) => range.start < (ordered[i - 1]?.end ?? 0));
}
