/** Pipeline text becomes plain values or is refused with a place; nothing else happens, whatever it holds. */
import { expect, test } from 'vitest';
import fc from 'fast-check';
import { parse as oracle } from 'yaml';
import { WeirError } from '@weir/contracts/errors';
import { parsePipelineText } from '../src/yaml.ts';

const runs = (count: number): number => Math.max(1, Math.round(count * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));

const pipeline = `
# a comment
name: clean-voice
nodes:
  - {id: in, kind: microphone, rate: 48_000, gain: -1.5e0}
  - id: denoise
    script: |
      *not an alias
      &not an anchor
    flags: [true, False, null, ~, 0x1f, "no"]
1: one
`;

test('a pipeline is read as the core schema says, with every key as text', () => {
  expect(parsePipelineText(pipeline)).toEqual({
    name: 'clean-voice',
    nodes: [
      { id: 'in', kind: 'microphone', rate: '48_000', gain: -1.5 },
      { id: 'denoise', script: '*not an alias\n&not an anchor\n', flags: [true, false, null, null, 31, 'no'] },
    ],
    1: 'one',
  });
  expect(parsePipelineText('')).toBeNull();
  expect(parsePipelineText('# nothing')).toBeNull();
});

test.each([
  ['an anchor', 'a: &x 1', 1, 4],
  ['an alias', 'a: 1\nb: *x', 2, 4],
  ['a tag', 'a: !!set {}', 1, 4],
  ['a directive', '%YAML 1.1\n---\na: 1', 1, 1],
  ['a merge key', 'a:\n  <<: {b: 1}', 2, 3],
  ['a repeated key', 'a: 1\nb: 2\na: 3', 3, 1],
  ['a repeated key in another spelling', '1: a\n"1": b', 2, 1],
  ['a key that is a list', '? [a]\n: b', 1, 3],
  ['a key that reaches for the prototype', 'a: {__proto__: {admin: true}}', 1, 5],
  ['a second document', 'a: 1\n---\nb: 2', 2, 1],
  ['a number beyond what is exact', 'a: 9007199254740993', 1, 4],
  ['infinity', 'a: .inf', 1, 4],
  ['a control character', 'a: \u0000', 1, 4],
  ['a tab as indentation', 'a:\n\tb: 1', 2, 1],
  ['an open bracket', 'a: [1, 2', 1, 9],
])('%s is refused with its place', (_, text, line, column) => {
  expect(refusal(text)).toMatchObject({ code: 'request.invalid', facts: { line, column } });
});

test('nothing that was read reaches the prototype', () => {
  const value = parsePipelineText('constructor: 1\ntoString: 2');
  expect(Object.entries(value ?? {})).toEqual([['constructor', 1], ['toString', 2]]);
});

test('the bounds on size, depth and number hold, and what is within them is read', () => {
  expect(refusal(`"${'x'.repeat(2 ** 20)}"`)).toMatchObject({ code: 'request.too_large' });
  expect(parsePipelineText(`[${'1,'.repeat(9_000)}]`)).toHaveLength(9_000);
  expect(refusal(`[${'1,'.repeat(10_001)}]`)).toMatchObject({ code: 'request.invalid' });
  expect(parsePipelineText('['.repeat(64) + ']'.repeat(64))).toBeInstanceOf(Array);
  expect(refusal('['.repeat(65) + ']'.repeat(65))).toMatchObject({ code: 'request.invalid' });
});

test.each([
  ['brackets', '['], ['braces', '{'], ['braces with keys', '{a: '], ['dashes', '- '], ['question marks', '? '], ['colons', ': '], ['quotes', '"'],
  ['commas', ','], ['comments', '#\n'], ['keys', 'a:\n'], ['lines', '\n'], ['spaces', ' '], ['returns', '\r'], ['one line of pairs', 'a: '],
  ['block scalars', '|\n'], ['flow pairs', '[a: '], ['document ends', '...\n'], ['document starts', '---\n'], ['bars', '- |\n a\n'],
])('a megabyte of %s is answered within seconds', (_, part) => {
  const started = performance.now();
  try { parsePipelineText(part.repeat(Math.floor(2 ** 20 / part.length))); } catch (error) { expect(error).toBeInstanceOf(WeirError); }
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('any JSON is read as JSON reads it', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 6 }), (text) => {
    fc.pre(!text.includes('__proto__') && !text.includes('"<<"') && !text.includes('\x7f'));
    let read;
    try { read = parsePipelineText(text); } catch (error) { if (/2\^53/.test(String(error))) return; throw error; }
    expect(read).toEqual(JSON.parse(text));
  }), { numRuns: runs(300) });
});

test('whatever the text, it is refused or read as the library alone would read it', () => {
  const piece = fc.constantFrom('a', 'b: ', '- ', '\n', '  ', '[', ']', '{', '}', ',', ': ', '? ', '"', "'", '|', '>', '#', '&a', '*a', '!t', '%', '---\n', '1', '~', '\\');
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.array(piece, { maxLength: 40 }).map((parts) => parts.join('')));
  fc.assert(fc.property(text, (input) => {
    let read;
    try { read = parsePipelineText(input); } catch (error) {
      expect(error).toBeInstanceOf(WeirError);
      return;
    }
    expect(read).toEqual(oracle(input, { schema: 'core', stringKeys: true, logLevel: 'silent' }));
  }), { numRuns: runs(3_000) });
});

function refusal(text: string): unknown {
  try { return parsePipelineText(text); } catch (error) { return error; }
}
