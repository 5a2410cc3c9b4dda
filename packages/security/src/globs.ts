/** Patterns of allowlists, compiled once: for names (node kinds, samples, plugins, assets) and for paths of files. */
import { WeirError } from '@weir/contracts/errors';

const maxNamePattern = 256;
const maxPathPattern = 1_024;
const maxPatterns = 500;
/** What no name or path of ours needs: brackets, braces and backslashes mean other things in other dialects. */
const meaningless = /[[\]{}\\\p{Cc}]/u;

/** A pattern is a list of items, each standing for one thing, and of `anyRun`, which stands for any number of things. */
const anyRun = Symbol('any run');
const anyCharacter = Symbol('any character');
type NamePattern = readonly (string | typeof anyCharacter | typeof anyRun)[];
type PathPattern = readonly (NamePattern | typeof anyRun)[];

/** `allows` takes a whole name; case counts. `patterns` as they were written. */
export type NameRules = Readonly<{ patterns: readonly string[]; allows(name: string): boolean }>;

/**
 * Where a path that is allowed is to be opened: `root` is the literal beginning of the pattern (absolute, or relative to where
 * the patterns are; `.` when there is none), `inside` the rest, to be opened below a handle of `root` and never outside of it.
 */
export type AllowedPath = Readonly<{ root: string; inside: string }>;
export type PathRules = Readonly<{ patterns: readonly string[]; find(path: string): AllowedPath | undefined }>;

/**
 * Compiles at most 500 patterns for names, each of at most 256 characters. `*` stands for any characters, also for `/` and
 * `::`; `?` for one. No pattern allows nothing. `config.invalid` names a bad one. Matching takes time in proportion to
 * the name and to the pattern, whatever they are.
 */
export function compileNames(patterns: readonly string[]): NameRules {
  const compiled = eachOf(patterns, (pattern) => {
    if (pattern === '' || pattern.length > maxNamePattern) throw bad(pattern, `has to have 1 to ${maxNamePattern} characters`);
    return parseName(pattern);
  });
  return { patterns, allows: (name) => compiled.some((pattern) => matchesName(pattern, name)) };
}

/**
 * Compiles at most 500 patterns for paths, each of at most 1 024 characters: `*` and `?` stay within a segment, `**` as a whole
 * segment stands for any number of segments (at the end for at least one). `/data/audio/**` matches absolute paths
 * only, `samples/*.wav` and `./samples/*.wav` relative ones. `..`, empty segments and a slash at the end are refused in patterns
 * (`config.invalid`), and match nothing in paths.
 */
export function compilePaths(patterns: readonly string[]): PathRules {
  const compiled = eachOf(patterns, parsePath);
  return {
    patterns,
    find(path) {
      const given = splitPath(path);
      if (given === undefined) return undefined;
      const found = compiled.find(({ absolute, segments }) => absolute === given.absolute && matchesRun(segments, given.segments, matchesName));
      if (found === undefined) return undefined;
      const root = given.segments.slice(0, found.literal).join('/');
      return { root: given.absolute ? `/${root}` : root === '' ? '.' : root, inside: given.segments.slice(found.literal).join('/') };
    },
  };
}

function eachOf<T>(patterns: readonly string[], parse: (pattern: string) => T): readonly T[] {
  if (patterns.length > maxPatterns) throw new WeirError('config.invalid', `Write at most ${maxPatterns} patterns.`);
  return patterns.map((pattern) => {
    if (meaningless.test(pattern)) throw bad(pattern, 'holds a character that has no meaning here; there are * and ? only');
    return parse(pattern);
  });
}

function bad(pattern: string, reason: string): WeirError {
  return new WeirError('config.invalid', `The pattern ${JSON.stringify(pattern.slice(0, 80))} ${reason}.`);
}

const charactersOf = (text: string): string[] => Array.from(text);

const parseName = (pattern: string): NamePattern =>
  charactersOf(pattern).map((character) => (character === '*' ? anyRun : character === '?' ? anyCharacter : character));

type ParsedPath = Readonly<{ absolute: boolean; segments: PathPattern; /** How many segments are the root. */ literal: number }>;

function parsePath(pattern: string): ParsedPath {
  if (pattern.length > maxPathPattern) throw bad(pattern, `is longer than ${maxPathPattern} characters`);
  const path = splitPath(pattern);
  if (path === undefined) throw bad(pattern, 'is no path: leave "..", ".", empty segments and a slash at the end out');
  if (path.segments.some((segment) => segment.includes('**') && segment !== '**')) throw bad(pattern, 'has ** beside something else in a segment; write ** alone between slashes');
  const segments = path.segments.map((segment) => (segment === '**' ? anyRun : parseName(segment)));
  // At the end it stands for something within, never for the folder itself.
  if (segments.at(-1) === anyRun) segments.splice(-1, 0, [anyRun]);
  const wild = path.segments.findIndex((segment) => /[*?]/.test(segment));
  return { absolute: path.absolute, segments, literal: wild === -1 ? path.segments.length - 1 : wild };
}

/** Undefined for what names no single place below its beginning. */
function splitPath(path: string): { absolute: boolean; segments: readonly string[] } | undefined {
  const absolute = path.startsWith('/');
  const segments = path.slice(absolute ? 1 : path.startsWith('./') ? 2 : 0).split('/');
  return segments.some((segment) => segment === '' || segment === '.' || segment === '..' || segment.includes('\0')) ? undefined : { absolute, segments };
}

function matchesName(pattern: NamePattern, name: string): boolean {
  return matchesRun(pattern, charactersOf(name), (item, character) => item === anyCharacter || item === character);
}

/**
 * Whether `things` are what `pattern` says. Only the last `anyRun` met is ever given more: what an earlier one could take
 * instead, it can take as well. So each item is compared to each thing once at most.
 */
function matchesRun<P, T>(pattern: readonly (P | typeof anyRun)[], things: readonly T[], fits: (item: P, thing: T) => boolean): boolean {
  let at = 0;
  let resumeAt = -1;
  let takenUpTo = 0;
  for (let index = 0; index < things.length;) {
    const item = pattern[at];
    const thing = things[index];
    if (item === anyRun) {
      resumeAt = at += 1;
      takenUpTo = index;
    } else if (item !== undefined && thing !== undefined && fits(item, thing)) {
      at += 1;
      index += 1;
    } else {
      if (resumeAt === -1) return false;
      at = resumeAt;
      index = takenUpTo += 1;
    }
  }
  return pattern.slice(at).every((item) => item === anyRun);
}
