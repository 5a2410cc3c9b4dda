import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseStrictJson } from '../src/strict-json.ts';
import { mutations } from './mutations.ts';
import { runs } from './runs.ts';

test('strict JSON reads what JSON prints', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 5 }), (text) => {
    const value: unknown = JSON.parse(text);
    expect(parseStrictJson(text)).toEqual(value);
    expect(parseStrictJson(JSON.stringify(value, null, 2))).toEqual(value);
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

test.each<[string, string | Uint8Array]>([
  ['half a character', '"\\ud800"'], ['the other half', '"a\\udfff"'], ['halves in the wrong order', '"\\udc00\\ud800"'], ['half a character in a name', '{"\\ud800":1}'], ['half a character deep inside', '[{"a":["\\udabc"]}]'],
  ['an overlong slash', Buffer.from([0x22, 0xc0, 0xaf, 0x22])], ['a surrogate in UTF-8 (CESU-8)', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])], ['a code point beyond the last', Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22])],
  ['a byte that no character has', Buffer.from([0x22, 0xff, 0x22])], ['a character that is cut off', Buffer.from([0x22, 0xe2, 0x82, 0x22])], ['a byte order mark', '\ufeff{}'], ['its bytes', Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])],
  ['UTF-16', Buffer.from('{"a":1}', 'utf16le')], ['a NUL behind it', '{}\0'], ['a raw control character', '"\u0001"'], ['a comment', '{}//'], ['NaN', 'NaN'], ['an infinite number', '-Infinity'], ['a hexadecimal number', '0x1'],
  ['a number with a leading zero', '01'], ['a trailing comma', '[1,]'], ['single quotes', "{'a':1}"], ['two values', '{}{}'],
])('RFC 7493 §2: %s is refused', (_, json) => { expect(parseStrictJson(json)).toBeUndefined(); });

test('RFC 7493 §2.1: whole characters are read, from text and from bytes', () => {
  for (const text of ['"\\ud83c\\udfac"', '"🎬"', '"\\u0000"', '"\ufffd"', '{"東":"京"}']) {
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
    expect(parseStrictJson(Buffer.from(text))).toEqual(JSON.parse(text));
    expect(parseStrictJson(Buffer.from(` ${text} `).subarray(1, -1))).toEqual(JSON.parse(text));
  }
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
