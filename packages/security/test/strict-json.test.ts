import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseStrictJson } from '../src/strict-json.ts';
import { mutations } from './mutations.ts';
import { runs } from './runs.ts';

test('strict JSON reads what JSON prints', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 5 }), (text) => {
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
    expect(parseStrictJson(JSON.stringify(JSON.parse(text), null, 2))).toEqual(JSON.parse(text));
  }), { numRuns: runs(500) });
});

test('a member that comes twice is refused wherever it stands and however it is spelt', () => {
  for (const text of ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"a":1,"a":2}}]', '{"a:b":1,"a:b":2}', '{"a":":","a":"::"}', '{"__proto__":1,"__proto__":2}']) {
    expect(parseStrictJson(text), text).toBeUndefined();
  }
  for (const text of ['{"a":{"a":1}}', '{"a":":","b":"\\":\\"","c":"\\\\"}', '[{"a":1},{"a":1}]', '{"__proto__":1}']) {
    expect(parseStrictJson(text), text).toEqual(JSON.parse(text));
  }
});

test('a duplicated member is refused in any object', () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 }), fc.nat(), (object, pick) => {
    const names = Object.keys(object);
    const again = JSON.stringify(names[pick % names.length]);
    expect(parseStrictJson(`${JSON.stringify(object).slice(0, -1)},${again}:0}`)).toBeUndefined();
  }), { numRuns: runs(300) });
});

test('deep nesting is refused, not followed', () => {
  expect(parseStrictJson('[[[1]]]', 3)).toEqual([[[1]]]);
  expect(parseStrictJson('[[[1]]]', 2)).toBeUndefined();
  expect(parseStrictJson('['.repeat(4_000) + ']'.repeat(4_000))).toBeUndefined();
});

test('rubbish is undefined', () => {
  for (const text of mutations(['{"a":[1,2,{"b":"c"}],"d":null}', '{"kid":"k","alg":"EdDSA"}'], runs(5_000))) {
    expect(() => parseStrictJson(text)).not.toThrow();
  }
});
