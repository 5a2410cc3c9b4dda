/** An address means one thing, and a rule allows what it says and nothing beside it. */
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { compileRule, literalOf, matches, parseOutbound } from '../../src/outbound/rules.ts';
import { mutations } from '../mutations.ts';
import { runs } from '../runs.ts';

const allows = (rule: string, url: string): boolean => {
  try {
    return matches(compileRule({ url: rule }), parseOutbound(url));
  } catch (error) {
    if (error instanceof WeirError && error.code === 'outbound.refused') return false;
    throw error;
  }
};

test.each([
  ['https://example.org', 'https://example.org/any/path?q#f'], ['https://example.org/*', 'https://EXAMPLE.org/'], ['https://example.org:443/a', 'https://example.org/a?x'],
  ['https://*.example.org', 'https://a.b.example.org/x'], ['https://example.org/a/*', 'https://example.org/a/b/../c'], ['http://[::1]:8080/', 'http://[0::1]:8080/'],
  ['http://127.0.0.1/', 'http://0x7f.1/'], ['https://xn--bcher-kva.example', 'https://xn--bcher-kva.example/'], ['https://example.org/a%20b', 'https://example.org/a%20b'],
  ['https://example.org:443', 'https://example.org'], ['https://example.org', 'https://example.org:443'], ['http://example.org:80', 'http://example.org'], ['https://example.org:8443', 'https://example.org:8443/x'],
  ['https://*.example.org:8443/a/*', 'https://b.example.org:8443/a/c'], ['https://*.a.b.example.org', 'https://c.a.b.example.org/'], ['https://*.example.org', 'https://a.example.org/x/y'],
  ['https://example.org', 'https://example.org/a%2Fb'], ['https://example.org/*', 'https://example.org/a%5Cb'], ['https://example.org/a*', 'https://example.org/abc'],
  ['https://example.org/a', 'https://example.org/a?x=@y'], ['https://example.org/a', 'https://example.org/a#@y'], ['https://example.org/@a', 'https://example.org/@a'],
])('%s allows %s', (rule, url) => {
  expect(allows(rule, url)).toBe(true);
});

test.each([
  ['https://example.org', 'http://example.org/'], ['https://example.org', 'https://example.org:8443/'], ['https://example.org', 'https://evilexample.org/'],
  ['https://example.org', 'https://example.org.evil/'], ['https://example.org', 'https://example.org./'], ['https://example.org', 'https://sub.example.org/'],
  ['https://*.example.org', 'https://example.org/'], ['https://*.example.org', 'https://evilexample.org/'], ['https://*.example.org', 'https://x.example.org.evil/'],
  ['https://example.org/a/*', 'https://example.org/a/../b'], ['https://example.org/a/*', 'https://example.org/a/%2e%2e/b'], ['https://example.org/a/*', 'https://example.org/a/..%2fb'],
  ['https://example.org/a/*', 'https://example.org/a/%252e%252e%252fb'], ['https://example.org/a/*', 'https://example.org/a/..%5cb'], ['https://example.org/a', 'https://example.org/a/'],
  ['https://example.org', 'https://example.org@evil/'], ['https://example.org', 'https://evil@example.org/'], ['https://example.org', 'https://evil#@example.org/'],
  ['https://example.org', 'https://evil?@example.org/'], ['https://example.org', 'https://evil\\@example.org/'], ['https://example.org', 'https:example.org'],
  ['https://example.org', 'https:///example.org'], ['https://example.org', '//example.org'], ['https://example.org', 'https://exam\tple.org/'], ['https://example.org', ' https://example.org/'],
  ['https://example.org', 'https://example.org/\n'], ['https://example.org', 'https://example。org/'], ['https://example.org', 'https://еxample.org/'], ['https://example.org', 'ftp://example.org/'],
  ['https://example.org', 'file:///etc/passwd'], ['https://example.org', 'data:,x'], ['https://example.org', 'blob:https://example.org/x'], ['https://example.org', 'ws://example.org/'],
  ['https://example.org', `https://example.org/${'a'.repeat(5_000)}`], ['https://example.org', ''],
  ['http://example.org', 'https://example.org/'], ['https://example.org:80', 'http://example.org/'], ['http://example.org:8080', 'http://example.org/'], ['https://*.example.org:8443', 'https://a.example.org/'],
  ['https://example.org/', 'https://example.org/a'], ['https://example.org/a', 'https://example.org/ab'], ['https://example.org/a/*', 'https://example.org/b/a/'], ['https://example.org/a/*', 'https://example.org/a/b%00'],
])('%s does not allow %s', (rule, url) => {
  expect(allows(rule, url)).toBe(false);
});

test.each([
  '', '*', 'https://*', 'https://*.', 'https://*.org', 'https://*example.org', 'https://exa*mple.org', 'https://example.org/*/b', 'https://example.org/a?x=*', 'https://example.org/#a',
  'https://user@example.org', 'ftp://example.org', 'example.org', 'https://*.127.0.0.1:*', 'https://example.org:99999', 'https://a b/', 'https://*.*.example.org',
  ' https://example.org', 'xhttps://example.org', 'HTTPS://example.org', 'https://example.org*', 'https://*.example.org*', 'https://*.example.org:x', 'https://*.example.org:', 'https://*.exa_mple.org',
  'https://*.example.org:80x', 'https://*.[::1]', 'https://example.org/a*b', 'https://example.org/**', 'https://example.org.', 'https://@example.org',
])('%s is no rule', (rule) => {
  expect(() => compileRule({ url: rule })).toThrow(expect.objectContaining({ code: 'config.invalid' }) as Error);
});

test('a path of any length up to the limit is an address, one more character is none', () => {
  const ofLength = (length: number): string => 'https://example.org/'.padEnd(length, 'a');
  expect(parseOutbound(ofLength(4_096)).pathname).toHaveLength(4_096 - 'https://example.org'.length);
  expect(() => parseOutbound(ofLength(4_097))).toThrow(expect.objectContaining({ code: 'outbound.refused' }) as Error);
});

test('an address is sent without its fragment, however its scheme and host are written', () => {
  expect([parseOutbound('HTTPS://Example.ORG:443/a?b=c#d').href, parseOutbound('http://example.org#').href]).toEqual(['https://example.org/a?b=c', 'http://example.org/']);
});

test.each([
  'https://@example.org/', 'https://:@example.org/', 'https://:password@example.org/', 'https://name@example.org?x', 'HTTPS://name:password@example.org', 'http://@example.org#a',
])('%s names somebody, and is no address for a request', (text) => {
  expect(() => parseOutbound(text)).toThrow(/name or password/);
});

test.each(['xhttps://example.org/', 'blob:https://example.org/', 'https://example.org./', 'https://./', 'https://a..', 'https://1.1.1.256/', 'https://[::1/', 'https://example.org:65536/', 'http://%00/'])('%s is no address for a request', (text) => {
  expect(() => parseOutbound(text)).toThrow(/not an http or https address/);
});

test('an address is told from a name however it was written', () => {
  for (const [text, literal] of [
    ['http://127.1/', '127.0.0.1'], ['http://0x7f000001/', '127.0.0.1'], ['http://[0:0::1]:80/', '::1'], ['http://[::FFFF:1.2.3.4]/', '::ffff:102:304'],
    ['http://example.org/', undefined], ['http://a1/', undefined], ['http://1.2.3.4.example/', undefined], ['http://1a/', undefined],
  ] as const) expect(literalOf(parseOutbound(text)), text).toBe(literal);
});

test('a rule that is none is named, with how one is written, however long it is', () => {
  const told = (url: string): string => { try { compileRule({ url }); } catch (error) { return String(error); } return ''; };
  expect(told('ftp://example.org')).toMatch(/"ftp:\/\/example.org" is no rule; write https:/);
  expect(told('https://example.org:99999')).toMatch(/"https:\/\/example.org:99999" is no rule; write https:/);
  expect(told(`ftp://${'a'.repeat(10_000)}`).length).toBeLessThan(500);
});

test('no spelling gets a rule to another host, port or scheme', () => {
  const rule = compileRule({ url: 'https://api.example.org/v1/*' });
  for (const text of mutations(['https://api.example.org/v1/x', 'https://evil.test/@api.example.org/v1/', 'http://api.example.org:80/v1/', '//[::1]\\@api.example.org/v1/'], runs(20_000))) {
    let url: URL;
    try {
      url = parseOutbound(text);
    } catch (error) {
      expect(error).toMatchObject({ code: 'outbound.refused' });
      continue;
    }
    if (matches(rule, url)) expect(new URL(text).origin + new URL(text).pathname).toMatch(/^https:\/\/api\.example\.org\/v1\//);
  }
});
