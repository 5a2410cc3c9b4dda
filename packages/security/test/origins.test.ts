import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { compileHosts } from '../src/hosts.ts';
import { compileOrigins, cookieCounts, originAllowed, proxyCounts } from '../src/origins.ts';
import { mutations } from './mutations.ts';
import { runs } from './runs.ts';

const refused = expect.objectContaining({ code: 'config.invalid' });

test('an exact origin matches itself, its default port written or not', () => {
  const rules = compileOrigins(['https://app.example.com', 'http://localhost:3000', 'HTTPS://Shop.Example.com:443/']);
  for (const origin of ['https://app.example.com', 'http://localhost:3000', 'https://shop.example.com']) expect(rules.allows(origin), origin).toBe(true);
  for (const origin of ['http://app.example.com', 'https://app.example.com:8443', 'https://app.example.com.evil.com', 'https://evilapp.example.com', 'https://app.example.com/', 'https://app.example.com:443',
    'HTTPS://app.example.com', 'https://app.example.com.', 'https://user@app.example.com', 'http://localhost', 'null', '', 'file://', 'ftp://app.example.com', '*', `https://${'a'.repeat(400)}.com`]) {
    expect(rules.allows(origin), origin).toBe(false);
  }
});

test('a wildcard stands for whole labels under its own scheme and port', () => {
  const rules = compileOrigins(['https://*.example.com']);
  for (const origin of ['https://a.example.com', 'https://a.b.example.com']) expect(rules.allows(origin), origin).toBe(true);
  for (const origin of ['https://example.com', 'https://evilexample.com', 'http://a.example.com', 'ftp://a.example.com', 'https://a.example.com:8443', 'https://.example.com', 'https://a..example.com', 'https://{.example.com', 'https://a.example.com.evil.com']) {
    expect(rules.allows(origin), origin).toBe(false);
  }
  const ports = compileOrigins(['http://localhost:*', 'http://127.0.0.1:*', 'http://[::1]:*']);
  for (const origin of ['http://localhost', 'http://localhost:5173', 'http://127.0.0.1:80', 'http://127.0.0.1:8080', 'http://[::1]:9']) expect(ports.allows(origin), origin).toBe(origin !== 'http://127.0.0.1:80');
  expect(ports.allows('https://localhost:5173')).toBe(false);
  expect(ports.allows('http://localhost.evil.com:80')).toBe(false);
});

test('patterns that say less or more than an origin stop the start', () => {
  for (const pattern of ['*', '*.example.com', 'example.com', 'null', '', 'https://', 'https://*', 'https://*.*', 'https://a.*.com', 'https://a*.com', 'https://a.com/path', 'https://a.com?x', 'https://a.com#x',
    'https://u:p@a.com', 'ftp://a.com', 'javascript:alert(1)', 'https://a.com:99999', 'https://a.com:*:*', 'http://*:80']) {
    expect(() => compileOrigins([pattern]), pattern).toThrow(refused);
  }
  expect(() => compileOrigins(Array<string>(201).fill('https://a.com'))).toThrow(refused);
  for (const text of mutations(['https://*.example.com:*', 'http://localhost:*', 'https://app.example.com:8443'], runs(3_000))) {
    try { compileOrigins([text]).allows(text); } catch (error) { expect(error).toBeInstanceOf(WeirError); }
  }
});

test('no origin that is not under the pattern matches it', () => {
  const rules = compileOrigins(['https://*.example.com', 'http://localhost:*']);
  fc.assert(fc.property(fc.webUrl({ validSchemes: ['http', 'https'] }), fc.string(), (url, text) => {
    for (const origin of [new URL(url).origin, text, `https://${text}.example.com`, `https://${text}example.com`, `http://localhost${text}`]) {
      if (rules.allows(origin)) expect(origin).toMatch(/^https:\/\/([a-z0-9_-]+\.)+example\.com$|^http:\/\/localhost(:\d+)?$/);
    }
  }), { numRuns: runs(150) });
});

test('evidence that is no cookie may come without an origin, or from a listed one', () => {
  const own = compileOrigins(['https://weir.example.com']);
  const listed = compileOrigins(['https://app.example.com']);
  expect(originAllowed(undefined, own, listed)).toBe(true);
  expect(originAllowed('https://app.example.com', own, listed)).toBe(true);
  expect(originAllowed('https://evil.com', own, listed)).toBe(false);
  expect(originAllowed('null', own, listed)).toBe(false);
  expect(originAllowed('https://weir.example.com')).toBe(false);
});

test('a cookie counts for our own pages only; without a word of the browser it may only read', () => {
  const own = compileOrigins(['https://weir.example.com']);
  const mine = 'https://weir.example.com';
  const evil = 'https://evil.com';
  const table: readonly (readonly [origin: string | undefined, fetchSite: string | undefined, reads: boolean, acts: boolean])[] = [
    [mine, 'same-origin', true, true], [mine, undefined, true, true], [undefined, 'same-origin', true, true],
    [undefined, 'none', true, false], [undefined, undefined, true, false],
    [undefined, 'cross-site', false, false], [undefined, 'same-site', false, false], [undefined, 'rubbish', false, false], [mine, 'cross-site', false, false],
    [evil, undefined, false, false], [evil, 'same-origin', false, false], [evil, 'none', false, false], ['null', undefined, false, false], ['', undefined, false, false],
  ];
  for (const [origin, fetchSite, reads, acts] of table) {
    const says = `${origin} ${fetchSite}`;
    for (const method of ['GET', 'HEAD']) expect(cookieCounts({ method, origin, fetchSite, opensSocket: false }, own), says).toBe(reads);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'get', 'TRACE']) expect(cookieCounts({ method, origin, fetchSite, opensSocket: false }, own), says).toBe(acts);
    expect(cookieCounts({ method: 'GET', origin, fetchSite, opensSocket: true }, own), says).toBe(acts);
  }
});

test('the server answers to its own names, whatever their case, final dot or port', () => {
  const rules = compileHosts(['media.example.com', '127.0.0.1', '[::1]', 'pinned.example.com:8443', 'one.localhost']);
  for (const host of ['media.example.com', 'MEDIA.example.com', 'media.example.com.', 'media.example.com.:80', 'media.example.com:4545', '127.0.0.1:4545', '[::1]:4545', '[::1]', 'pinned.example.com:8443', 'one.localhost:4545']) {
    expect(rules.allows(host), host).toBe(true);
  }
  for (const host of [undefined, '', 'evil.com', 'media.example.com.evil.com', 'a.media.example.com', 'media.example.com..', 'media.example.com:', 'media.example.com:99999', 'media.example.com:80:80', 'media.example.com/x', 'u@media.example.com',
    'media.example.com ', 'media.example.com,evil.com', 'pinned.example.com', 'pinned.example.com:80', '::1', '[::1', 'x/workers?', 'localhost', 'a'.repeat(300)]) {
    expect(rules.allows(host), String(host)).toBe(false);
  }
  for (const name of ['', 'a b', 'http://a', '*', '*.example.com', 'a/b']) expect(() => compileHosts([name]), name).toThrow(refused);
  for (const text of mutations(['media.example.com:443', '[::1]:80'], runs(3_000))) expect(() => rules.allows(text)).not.toThrow();
});

test('an origin has one spelling: IPv6, international names, final dots and letters of either case', () => {
  const rules = compileOrigins(['https://bücher.example', 'http://[2001:DB8::1]:8080', 'https://*.straße.example', 'https://Dotted.example.']);
  for (const origin of ['https://xn--bcher-kva.example', 'http://[2001:db8::1]:8080', 'https://shop.xn--strae-oqa.example', 'https://dotted.example.']) expect(rules.allows(origin), origin).toBe(true);
  for (const origin of [
    // No browser sends these: what looks the same is not the same.
    'https://bücher.example', 'https://XN--BCHER-KVA.example', 'https://xn--bcher-kva.example.', 'http://[2001:db8:0::1]:8080', 'http://[2001:DB8::1]:8080', 'http://2001:db8::1:8080', 'https://dotted.example',
    'https://xn--strae-oqa.example', 'https://strasse.example', 'https://bucher.example', 'https://xn--bcher-kva.example:443', 'https://xn--bcher-kva.example\0', ' https://xn--bcher-kva.example',
  ]) expect(rules.allows(origin), origin).toBe(false);
});

test('what a proxy says counts for programs, and for our own pages as a cookie would', () => {
  const own = compileOrigins(['https://weir.example.com']);
  const mine = 'https://weir.example.com';
  const counts = (method: string, origin?: string, fetchSite?: string): boolean => proxyCounts({ method, origin, fetchSite, opensSocket: false }, own);
  expect([counts('POST'), counts('GET'), counts('POST', mine), counts('POST', mine, 'same-origin'), counts('POST', undefined, 'same-origin'), counts('GET', undefined, 'none')]).toEqual(Array(6).fill(true));
  expect([counts('POST', 'https://evil.com'), counts('GET', 'https://evil.com'), counts('POST', undefined, 'cross-site'), counts('GET', undefined, 'cross-site'), counts('POST', undefined, 'none'), counts('POST', mine, 'cross-site')])
    .toEqual(Array(6).fill(false));
});

test('origins and hosts are bounded: their number, their length, and what a message repeats of them', () => {
  const padded = (length: number): string => `https://${'a.'.repeat(150)}`.slice(0, length - '.example.com'.length).replace(/\.$/, 'a').concat('.example.com');
  const rules = compileOrigins(['https://*.example.com']);
  expect([padded(300).length, padded(301).length]).toEqual([300, 301]);
  expect([rules.allows(padded(300)), rules.allows(padded(301))]).toEqual([true, false]);
  expect(compileOrigins([padded(300)]).allows(padded(300))).toBe(true);
  expect(() => compileOrigins([padded(301)])).toThrow(refused);
  expect(compileOrigins(Array<string>(200).fill('https://a.com')).allows('https://a.com')).toBe(true);
  expect([rules.allows(`https://${'a'.repeat(63)}.example.com`), rules.allows(`https://${'a'.repeat(64)}.example.com`), rules.allows('https://a{.example.com')]).toEqual([true, false, false]);
  const host = (length: number): string => 'h'.repeat(length);
  expect([compileHosts([host(262)]).allows(host(262)), compileHosts([host(262)]).allows(host(263))]).toEqual([true, false]);
  expect(() => compileHosts([host(263)])).toThrow(refused);
  expect(compileHosts(Array<string>(200).fill('a.test')).allows('a.test:65535')).toBe(true);
  expect(() => compileHosts(Array<string>(201).fill('a.test'))).toThrow(refused);
  for (const compile of [() => compileHosts([`${'x'.repeat(5_000)} `]), () => compileOrigins(['x'.repeat(5_000)])]) expect(compile).toThrow(expect.objectContaining({ message: expect.stringMatching(/^"x{80}" is no [^]{10,100}$/) }));
});

test('a host is judged alike each time that it comes', () => {
  const rules = compileHosts(['media.example.com']);
  for (let time = 0; time < 3; time += 1) {
    expect([rules.allows('media.example.com'), rules.allows('evil.com'), rules.allows(undefined), rules.allows('media.example.com:65536')]).toEqual([true, false, false, false]);
  }
  for (let port = 1; port < 1_500; port += 1) expect([rules.allows(`media.example.com:${port}`), rules.allows(`evil.com:${port}`)]).toEqual([true, false]);
});
