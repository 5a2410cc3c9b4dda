/** Cookies and blanks in headers: what only looks like a name or an end is a part of what it stands beside. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cookiesNamed, withoutBlanks } from '../src/header-fields.ts';
import { runs } from './runs.ts';

const name = '__Host-weir';

test.each<[string, string, readonly string[]]>([
  ['alone', `${name}=s`, ['s']], ['among others', `a=b; ${name}=s; c=d`, ['s']], ['without blanks', `a=b;${name}=s;c=d`, ['s']], ['with spaces and tabs', `a=b;\t ${name}=s \t; c=d`, ['s']],
  ['twice', `${name}=s; ${name}=t`, ['s', 't']], ['empty', `${name}=`, ['']], ['with equal signs in it', `${name}=a=b==`, ['a=b==']], ['with quotes, which are its own', `${name}="s"`, ['"s"']],
])('RFC 6265 §4.2.1: a cookie %s is found', (_, header, values) => { expect(cookiesNamed(header, name)).toEqual(values); });

test.each<[string, string]>([
  // Bytes that some readers strip as blanks: any host below may set these, because to a browser they have no prefix.
  ...['\u00a0', '\u0085', '\u000b', '\u000c', '\u001c', '\u001f', '\u2000', '\u2028', '\u3000', '\ufeff', '\r', '\n'].map((blank): [string, string] => [`behind ${JSON.stringify(blank)}`, `${blank}${name}=s`]),
  ['in another case', '__host-weir=s'], ['with more before it', `x${name}=s`], ['with more behind it', `${name}2=s`], ['with a blank before the sign', `${name} =s`], ['in quotes', `"${name}"=s`],
  ['without a value', name], ['as a value', `a=${name}=s`], ['nameless', `=${name}=s`], ['percent-encoded', '%5F%5FHost-weir=s'], ['behind a comma', `a=b, ${name}=s`], ['of the other prefix', '__Secure-weir=s'],
  ['behind an attribute', `$Version=1 ${name}=s`], ['of nothing', ''], ['of signs', '=;=;;=='],
])('RFC 6265bis §5.7: what only looks like a cookie with a prefix is another: %s', (_, header) => { expect(cookiesNamed(header, name)).toEqual([]); });

test('RFC 9110 §5.6.3: spaces and tabs go, every other character stays', () => {
  const part = fc.string({ unit: fc.constantFrom(' ', '\t', '\u00a0', '\u0085', '\ufeff', '\n', 'a', ','), maxLength: 12 });
  fc.assert(fc.property(part, (text) => {
    let expected = text;
    while (expected.startsWith(' ') || expected.startsWith('\t')) expected = expected.slice(1);
    while (expected.endsWith(' ') || expected.endsWith('\t')) expected = expected.slice(0, -1);
    expect(withoutBlanks(text)).toBe(expected);
  }), { numRuns: runs(1_000) });
  const begun = performance.now();
  expect(withoutBlanks(`a${' '.repeat(200_000)}b`)).toHaveLength(200_002);
  expect(performance.now() - begun).toBeLessThan(1_000);
});
