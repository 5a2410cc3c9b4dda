/** An address means one thing, and a rule allows what it says and nothing beside it. */
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { compileRule, matches, parseOutbound } from '../../src/outbound/rules.ts';
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
])('%s does not allow %s', (rule, url) => {
  expect(allows(rule, url)).toBe(false);
});

test.each([
  '', '*', 'https://*', 'https://*.', 'https://*.org', 'https://*example.org', 'https://exa*mple.org', 'https://example.org/*/b', 'https://example.org/a?x=*', 'https://example.org/#a',
  'https://user@example.org', 'ftp://example.org', 'example.org', 'https://*.127.0.0.1:*', 'https://example.org:99999', 'https://a b/', 'https://*.*.example.org',
])('%s is no rule', (rule) => {
  expect(() => compileRule({ url: rule })).toThrow(expect.objectContaining({ code: 'config.invalid' }) as Error);
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
