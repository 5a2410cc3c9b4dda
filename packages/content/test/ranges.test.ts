/** Range headers, against the text of RFC 9110 and against any other text. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contentRange, parseRange, rangeApplies, unsatisfiedRange, type ByteRange } from '../src/ranges.ts';
import { runs } from './support.ts';

const size = 10_000;
const range = (start: number, end: number): ByteRange => ({ start, end });

// §14.1.2 gives the first nine for a representation of 10 000 bytes.
test.each<[string, ByteRange[]]>([
  ['bytes=0-499', [range(0, 500)]],
  ['bytes=500-999', [range(500, 1_000)]],
  ['bytes=-500', [range(9_500, 10_000)]],
  ['bytes=9500-', [range(9_500, 10_000)]],
  ['bytes=0-0,-1', [range(0, 1), range(9_999, 10_000)]],
  ['bytes= 0-999, 4500-5499, -1000', [range(0, 1_000), range(4_500, 5_500), range(9_000, 10_000)]],
  ['bytes=500-600,601-999', [range(500, 601), range(601, 1_000)]],
  ['bytes=0-', [range(0, 10_000)]],
  ['bytes=-99999', [range(0, 10_000)]],
  ['bytes=9999-123456789012345678901234567890', [range(9_999, 10_000)]],
  ['BYTES=1-2', [range(1, 3)]],
  ['bytes=1-2,,\t3-4,', [range(1, 3), range(3, 5)]],
  ['bytes=20000-,5-6', [range(5, 7)]],
  ['bytes=5000-5999,0-9', [range(5_000, 6_000), range(0, 10)]],
])('%s', (header, expected) => expect(parseRange(header, size)).toEqual(expected));

test.each([
  undefined, '', 'bytes', 'bytes=', 'bytes=,', 'bytes=-', 'bytes=5', 'bytes=5-4', 'bytes=a-b', 'bytes=1-2;3-4', 'bytes=0x1-2', 'bytes=+1-2', 'bytes=1--2', 'bytes=1-2-3',
  'bytes=1.5-2', 'bytes 1-2', 'items=0-4', 'bytes=1-2\n', 'bytes=٣-٤', 'bytes=0-4,2-6', 'bytes=0-,0-', 'bytes=99999999999999999999-99999999999999999998',
  `bytes=${Array.from({ length: 17 }, (_, i) => `${i * 2}-${i * 2}`).join(',')}`, `bytes=0-${'9'.repeat(1_000)}`,
])('%j is ignored', (header) => expect(parseRange(header, size)).toBeUndefined());

test('sixteen ranges are served', () => {
  expect(parseRange(`bytes=${Array.from({ length: 16 }, (_, i) => `${i * 2}-${i * 2}`).join(',')}`, size)).toHaveLength(16);
});

test.each([['bytes=10000-', size], ['bytes=10000-10001,20000-', size], ['bytes=-0', size], ['bytes=0-', 0], ['bytes=-5', 0]])('%s of %i bytes can not be satisfied', (header, of) => {
  expect(() => parseRange(header, of)).toThrow(expect.objectContaining({ code: 'content.range', facts: { size: of } }));
});

test('what is parsed lies within the content, is never empty and never twice', () => {
  const header = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.array(fc.tuple(fc.option(fc.nat(20_000)), fc.option(fc.nat(20_000))), { maxLength: 20 }).map((list) => `bytes=${list.map(([a, b]) => `${a ?? ''}-${b ?? ''}`).join(',')}`),
    fc.stringMatching(/^bytes=[0-9, -]{0,60}$/),
  );
  fc.assert(fc.property(header, fc.nat(20_000), (text, length) => {
    let ranges: readonly ByteRange[] | undefined;
    try { ranges = parseRange(text, length); } catch (error) { expect(error).toMatchObject({ code: 'content.range' }); return; }
    if (ranges === undefined) return;
    expect(ranges.length).toBeGreaterThan(0);
    expect(ranges.length).toBeLessThanOrEqual(16);
    for (const { start, end } of ranges) expect(0 <= start && start < end && end <= length).toBe(true);
    expect(ranges.reduce((sum, { start, end }) => sum + end - start, 0)).toBeLessThanOrEqual(length);
  }), { numRuns: runs(3_000) });
});

test('a range that is written is the range that is read', () => {
  fc.assert(fc.property(fc.nat(size - 1), fc.nat(size - 1), (a, b) => {
    const [first, last] = [Math.min(a, b), Math.max(a, b)];
    expect(parseRange(`bytes=${first}-${last}`, size)).toEqual([range(first, last + 1)]);
    expect(contentRange(range(first, last + 1), size)).toBe(`bytes ${first}-${last}/${size}`);
    expect(parseRange(`bytes=-${size - first}`, size)).toEqual([range(first, size)]);
  }), { numRuns: runs(300) });
  expect(unsatisfiedRange(size)).toBe('bytes */10000');
});

test('If-Range lets a range through only for the very same representation', () => {
  expect(rangeApplies(undefined, '"a"')).toBe(true);
  expect(rangeApplies('"a"', '"a"')).toBe(true);
  expect(rangeApplies(' "a" ', '"a"')).toBe(true);
  for (const other of ['"b"', 'W/"a"', 'a', '', 'Wed, 21 Oct 2015 07:28:00 GMT', '"a", "b"']) expect(rangeApplies(other, '"a"')).toBe(false);
  expect(rangeApplies('W/"a"', 'W/"a"')).toBe(false);
});
