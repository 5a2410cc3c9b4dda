/** Values of flags: each is read as it is written, or refused; nothing else comes through. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as parse from '../src/parse.ts';
import { runs } from './support/runs.ts';

test('durations', () => {
  expect([parse.duration('90'), parse.duration('90s'), parse.duration('15m'), parse.duration('1h'), parse.duration('7d'), parse.duration('2w')])
    .toEqual([90, 90, 900, 3_600, 604_800, 1_209_600]);
  expect(parse.durationOrZero('0')).toBe(0);
  for (const bad of ['', '0', '-1', '1y', '1.5h', '1 h', '53w', '999999999']) expect(() => parse.duration(bad), bad).toThrow();
});

test('ranges', () => {
  expect(parse.byteRange('0-999')).toEqual({ start: 0, end: 999 });
  expect(parse.byteRange('5-')).toEqual({ start: 5, end: undefined });
  for (const bad of ['', '-', '-5', '9-1', '1-2-3', 'a-b']) expect(() => parse.byteRange(bad), bad).toThrow();
});

test('times', () => {
  expect(parse.instant('2030-01-31')).toBe('2030-01-31T00:00:00.000Z');
  expect(parse.instant('2030-01-31T12:00:00+01:00')).toBe('2030-01-31T11:00:00.000Z');
  expect(parse.instant('+2h', 0)).toBe('1970-01-01T02:00:00.000Z');
  for (const bad of ['', 'tomorrow', '12', '+', '2030-13-01']) expect(() => parse.instant(bad), bad).toThrow();
});

test('servers', () => {
  expect(parse.serverUrl('https://weir.example:4545/library')).toBe('https://weir.example:4545');
  for (const bad of ['weir.example', 'ftp://weir.example', 'https://alice:secret@weir.example', '']) expect(() => parse.serverUrl(bad), bad).toThrow();
});

test('pairs keep every = of their value', () => {
  fc.assert(fc.property(fc.stringMatching(/^[a-z]{1,20}$/), fc.string({ maxLength: 100 }), (key, value) => {
    expect(parse.pair(`${key}=${value}`)).toEqual([key, value]);
  }), { numRuns: runs(1_000) });
});

test('any text is either read within its bounds or refused with an error, never anything else', () => {
  fc.assert(fc.property(fc.string({ maxLength: 2_000 }), (value) => {
    for (const [read, isWithin] of [
      [parse.duration, (seconds: unknown) => Number.isInteger(seconds) && Number(seconds) >= 1 && Number(seconds) <= 31_536_000],
      [parse.port, (port: unknown) => Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 65_535],
      [parse.serverUrl, (url: unknown) => URL.parse(String(url))?.origin === url], [parse.address, (address: unknown) => address === value],
      [(text: string) => parse.instant(text), (at: unknown) => !Number.isNaN(Date.parse(String(at)))],
    ] as const) {
      let result: unknown;
      try {
        result = read(value);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        continue;
      }
      expect(isWithin(result)).toBe(true);
    }
  }), { numRuns: runs(5_000) });
});
