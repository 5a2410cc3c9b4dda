import { WeirError } from '@weir/contracts/errors';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileNames, compilePaths } from '../src/globs.ts';
import { mutations } from './mutations.ts';
import { runs } from './runs.ts';

const refused = expect.objectContaining({ code: 'config.invalid' });

/** The obvious model of a run: try everything. */
function obvious<P, T>(pattern: readonly P[], things: readonly T[], isRun: (item: P) => boolean, fits: (item: P, thing: T) => boolean): boolean {
  const [item, ...rest] = pattern;
  if (item === undefined) return things.length === 0;
  if (isRun(item)) return obvious(rest, things, isRun, fits) || (things.length > 0 && obvious(pattern, things.slice(1), isRun, fits));
  const [thing, ...others] = things;
  return thing !== undefined && fits(item, thing) && obvious(rest, others, isRun, fits);
}
const obviousName = (pattern: string, name: string): boolean =>
  obvious([...pattern], [...name], (item) => item === '*', (item, character) => item === '?' || item === character);
function obviousPath(pattern: string, path: string): boolean {
  const bare = (text: string): string => text.replace(/^\.\//, '');
  const segments = bare(pattern).split('/');
  return obvious(segments.at(-1) === '**' ? [...segments, '*'] : segments, bare(path).split('/'), (item) => item === '**', obviousName);
}

const few = (unit: readonly string[], maxLength: number) => fc.array(fc.constantFrom(...unit), { maxLength }).map((parts) => parts.join(''));

test('names match as the obvious model says', () => {
  fc.assert(fc.property(few(['a', 'b', ':', '/', '*', '*', '?', '🎬'], 9), few(['a', 'b', ':', '/', '🎬'], 9), (pattern, name) => {
    fc.pre(pattern !== '');
    expect(compileNames([pattern]).allows(name)).toBe(obviousName(pattern, name));
  }), { numRuns: runs(20_000) });
});

test('paths match as the obvious model says, and what is found is the same path below the literal beginning', () => {
  const segment = fc.oneof(fc.constantFrom('a', 'b', 'ab', 'x.wav', '...'), few(['a', 'b', '.', 'x'], 3));
  const wild = fc.oneof(segment, fc.constantFrom('**', '*', '*.wav', 'a?', '?'), few(['a', '*', '?', 'b'], 4));
  const path = (part: fc.Arbitrary<string>) => fc.tuple(fc.constantFrom('', './', '/'), fc.array(part, { minLength: 1, maxLength: 5 })).map(([start, parts]) => start + parts.join('/'));
  let found = 0;
  fc.assert(fc.property(path(wild), path(segment), (pattern, asked) => {
    const plain = (text: string): boolean => !text.replace(/^\.?\//, '').split('/').some((part) => ['', '.', '..'].includes(part));
    fc.pre(plain(pattern) && !pattern.split('/').some((part) => part.includes('**') && part !== '**'));
    const place = compilePaths([pattern]).find(asked);
    expect(place !== undefined).toBe(plain(asked) && pattern.startsWith('/') === asked.startsWith('/') && obviousPath(pattern, asked));
    if (place === undefined) return;
    found += 1;
    expect(place.inside).not.toBe('');
    expect(`${place.root}/${place.inside}`.replace(/^\/+/, '/').replace(/^\.\//, '')).toBe(asked.replace(/^\.\//, ''));
    const root = place.root === '.' ? '' : place.root;
    expect(pattern.replace(/^\.\//, '').startsWith(root)).toBe(true);
    expect(place.root).not.toMatch(/[*?]/);
  }), { numRuns: runs(20_000) });
  expect(found).toBeGreaterThan(runs(100));
});

test.each([
  ['audio::*', ['audio::gain', 'audio::opus::decoder'], ['audio:', 'audio', 'xaudio::gain', 'Audio::gain', 'core::passthrough']],
  ['*', ['', 'anything', 'a/b::c', 'a\nb'], []],
  ['core::passthrough', ['core::passthrough'], ['core::passthroughs', 'core::pass', '']],
  ['oneshot/*.yml', ['oneshot/a.yml', 'oneshot/deep/a.yml'], ['oneshot/a.yaml', 'user/a.yml']],
  ['plugin::?', ['plugin::x', 'plugin::🎬'], ['plugin::', 'plugin::xy']],
  ['*::opus::*', ['audio::opus::decoder', 'a::b::opus::c'], ['opus::decoder', 'audio::opus']],
])('the name pattern %s', (pattern, allowed, others) => {
  const rules = compileNames([pattern]);
  expect([allowed.filter((name) => !rules.allows(name)), others.filter((name) => rules.allows(name))]).toEqual([[], []]);
});

test.each([
  ['samples/**', { 'samples/a.wav': ['samples', 'a.wav'], './samples/x/a.wav': ['samples', 'x/a.wav'] }, ['samples', 'samples/', '/samples/a.wav', 'samples/../secret', 'other/samples/a', 'samples//a', 'samples/./a']],
  ['/data/audio/**', { '/data/audio/a.wav': ['/data/audio', 'a.wav'] }, ['data/audio/a.wav', '/data/audio', '/data/audiofile', '/data/audio/../x', '//data/audio/a.wav', '/data/audio/a\0.wav']],
  ['./output/*.ogg', { 'output/a.ogg': ['output', 'a.ogg'] }, ['output/deep/a.ogg', 'output/.ogg/x', '/output/a.ogg']],
  ['/srv/**/cam?/*.mp4', { '/srv/cam1/a.mp4': ['/srv', 'cam1/a.mp4'], '/srv/x/y/cam2/b.mp4': ['/srv', 'x/y/cam2/b.mp4'] }, ['/srv/cam10/a.mp4', '/srv/cam1/x/a.mp4']],
  ['/etc/motd', { '/etc/motd': ['/etc', 'motd'] }, ['/etc/motd2', '/etc/motd/x', 'etc/motd']],
  ['**', { 'a': ['.', 'a'], 'a/b': ['.', 'a/b'] }, ['/etc/passwd', '../x', '', '.', '..']],
  ['/**', { '/etc/passwd': ['/', 'etc/passwd'] }, ['/', 'etc/passwd']],
])('the path pattern %s opens below its literal beginning', (pattern, found, others) => {
  const rules = compilePaths([pattern]);
  for (const [path, [root, inside]] of Object.entries(found)) expect(rules.find(path), path).toEqual({ root, inside });
  for (const path of others) expect(rules.find(path), path).toBeUndefined();
});

test('no pattern allows nothing', () => {
  expect(compileNames([]).allows('')).toBe(false);
  expect(compilePaths([]).find('a')).toBeUndefined();
});

test('a bad pattern is refused by name, never silently without effect (streamkit §2.3)', () => {
  for (const pattern of ['', 'a[bc]', '{a,b}', 'a\\*', 'a\nb', 'a\0', 'x'.repeat(257)]) expect(() => compileNames([pattern]), pattern).toThrow(refused);
  for (const pattern of ['', '/', '.', './', '..', 'a/../b', '../a', 'a//b', '//a', 'a/', 'a/./b', '**.wav', 'a/x**', 'a/***', 'a/[b]', '/a\\b', `a/${'x'.repeat(1_030)}`]) expect(() => compilePaths([pattern]), pattern).toThrow(refused);
  expect(() => compileNames(['good', 'audio::[a'])).toThrow(expect.objectContaining({ message: expect.stringContaining('"audio::[a"') }));
  expect(() => compileNames(Array<string>(501).fill('a'))).toThrow(refused);
});

test('whatever text comes, it is compiled or refused, and matching it throws nothing', () => {
  for (const text of mutations(['audio::*', 'samples/**/*.wav', '/data/audio/**', './out?/*', 'plugin::native::*'], runs(20_000))) {
    for (const compile of [() => compileNames([text]).allows(text), () => compilePaths([text]).find(text)]) {
      try { compile(); } catch (error) { expect(error).toBeInstanceOf(WeirError); }
    }
  }
});

test('a pattern and a name of many stars and 10 000 characters take time in proportion to both', () => {
  const hostile = `${'*a'.repeat(127)}*b`;
  const name = 'a'.repeat(10_000);
  const path = Array.from({ length: 2_500 }, () => 'aaa').join('/');
  const begun = performance.now();
  expect(compileNames([hostile]).allows(name)).toBe(false);
  expect(compileNames([hostile]).allows(`${name}b`)).toBe(true);
  expect(compilePaths([`${'**/*a*a'.repeat(100).replaceAll('a**', 'a/**')}/b`]).find(path)).toBeUndefined();
  // Backtracking would take longer than the universe has; a second leaves room for a slow machine.
  expect(performance.now() - begun).toBeLessThan(1_000);
});
