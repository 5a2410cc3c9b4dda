/** What the vetter accepts and refuses, and that nothing it accepts can name a file, a protocol or an option of its own. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WeirError } from '@weir/contracts/errors';
import { demuxers } from '../src/arguments/formats.ts';
import { options } from '../src/arguments/options.ts';
import { renderArguments } from '../src/arguments/template.ts';
import { vetArguments, type DeclaredFiles } from '../src/arguments/vet.ts';
import { hostileDeclared, hostileLists } from './hostile-arguments.ts';
import { jailOf, makeMedia, privateInput, runList, runs, temporaryDirectory, tools } from './jail-support.ts';
import { legitimateLists } from './legitimate-arguments.ts';

const hostile = hostileLists({ text: '/etc/passwd', media: '/srv/secret.mp4', outside: '/tmp', port: 9 });
const declaredOf = (inputs: number, outputs: readonly string[]): DeclaredFiles => ({ inputs: Array.from({ length: inputs }, () => ({})), outputs });

function refusalOf(args: readonly string[], declared: DeclaredFiles): WeirError | null {
  try {
    vetArguments(args, declared);
    return null;
  } catch (error) {
    if (error instanceof WeirError && error.code === 'arguments.refused') return error;
    throw error;
  }
}

test('there are at least 45 hostile lists and 12 legitimate ones', () => {
  expect(hostile.length).toBeGreaterThanOrEqual(45);
  expect(legitimateLists.length).toBeGreaterThanOrEqual(12);
});

test.for(hostile)('refuses $name, naming the argument and the reason', ({ args, argument, reason }) => {
  const error = refusalOf(args, hostileDeclared);
  expect(error?.facts).toMatchObject({ argument, reason: expect.stringContaining(reason) });
  expect(error?.message).toContain(`Argument ${argument} `);
  expect(error?.message).not.toMatch(/\p{Cc}/u);
});

test('accepted lists run to their end in the jail', { timeout: 180_000 }, async () => {
  await using directory = await temporaryDirectory();
  makeMedia(`${directory.path}/source.mp4`, 2);
  const jail = await jailOf('bubblewrap');
  for (const list of legitimateLists) {
    await using first = await privateInput(directory.path, `${directory.path}/source.mp4`);
    await using second = await privateInput(directory.path, `${directory.path}/source.mp4`);
    const { result } = await runList(jail, directory.path, list, [first, second].slice(0, list.inputs));
    expect({ list: list.name, ...result }).toEqual({ list: list.name, reason: 'ok', exitCode: 0, signal: null, lastLines: result.lastLines });
  }
});

const ours: Readonly<Record<string, 'switch' | 'value'>> = { protocol_whitelist: 'value', format_whitelist: 'value', nostdin: 'switch', hide_banner: 'switch', loglevel: 'value', nostats: 'switch', stats_period: 'value', progress: 'value', y: 'switch' };

/** Whether an option stands alone, by our table; ffmpeg's own opinion is asked in another test. */
function formOf(name: string): 'switch' | 'value' | undefined {
  const option = options.get(name);
  return ours[name] ?? (option && (option.kind === 'switch' ? 'switch' : 'value'));
}

const jailedFile = /^file:(\/proc\/self\/fd\/\d{1,2}|\.\/[A-Za-z0-9][A-Za-z0-9_.-]{0,120})$/;
const reachesOut = /:\/\/|\.\.\/|^\/|(^|[=,:|])\/(etc|proc|tmp|dev)|^(file|concat|subfile|data|pipe|tcp|udp|http|crypto|cache|fd):/;

/** Walks the rendered words as ffmpeg does: known options with their values, inherited inputs, outputs in the working directory. */
function expectHarmless(argv: readonly string[]): void {
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? '', form = formOf(/^-([A-Za-z0-9_-]+)/.exec(word)?.[1] ?? '');
    if (!word.startsWith('-') || word === '-') expect(word === '-' || /^file:\.\/[A-Za-z0-9]/.test(word), word).toBe(true);
    else expect(form, word).toBeDefined();
    if (form !== 'value') continue;
    at += 1;
    const value = argv[at] ?? '';
    if (value.startsWith('file:')) expect(value).toMatch(jailedFile);
    else if (!word.startsWith('-metadata') && value !== 'pipe:3') expect(value).not.toMatch(reachesOut);
  }
}

test('the installed ffmpeg agrees which options take a value', () => {
  const alone = (name: string) => formOf(name) === 'switch' || ['y', 'n', 'hide_banner', 'nostdin', 'stdin', 'stats', 'nostats'].includes(name);
  const words = [...options.keys()].filter((name) => name !== 'loglevel' && name !== 'v').flatMap((name) => (alone(name) ? [`-${name}`] : [`-${name}`, 'VALUE']));
  // It reads all words before it judges any value, and says at this log level what it took each one for.
  const said = spawnSync(tools.ffmpeg, ['-loglevel', 'debug', ...words], { encoding: 'utf8', env: {} }).stderr;
  const read = [...said.matchAll(/^Reading option '-(\S+)' \.\.\. matched as .* with argument '?([^'\n]*?)'?\.$/gm)].map((match) => [match[1] ?? '', match[2] ?? ''] as const);
  expect(read.length).toBeGreaterThan(180);
  expect(said).not.toContain('matched as output url');
  expect(read.filter(([name, value]) => name !== 'loglevel' && (alone(name) ? !/^[01]$/.test(value) : value !== 'VALUE'))).toEqual([]);
});

const fragments = [
  ...hostile.flatMap((list) => list.args), ...legitimateLists.flatMap((list) => list.args),
  '/etc/passwd', 'file:/etc/passwd', 'concat:/a|/b', '{out:../x}', '{in:99}', '-i', '-f', 'hls', '-safe', '-protocol_whitelist', '..', '|', "'", '\\', ',', ';', '[', ']', '=', ':', '%', '\0', '-', '--', '-/vf',
];

test('no mutation of an accepted list gives an argument vector that reaches outside (dffmpeg §2 #2)', () => {
  const list = fc.constantFrom(...legitimateLists);
  const edit = fc.record({
    at: fc.nat(), what: fc.constantFrom('replace', 'insert', 'remove', 'splice', 'swap'), word: fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 30 })), cut: fc.nat(),
  });
  let accepted = 0;
  fc.assert(fc.property(list, fc.array(edit, { minLength: 1, maxLength: 4 }), ({ args, inputs, outputs }, edits) => {
    const words = [...args];
    for (const { at, what, word, cut } of edits) {
      const index = at % (words.length + 1), old = words[index] ?? '';
      if (what === 'replace') words[index] = word;
      if (what === 'insert') words.splice(index, 0, word);
      if (what === 'remove') words.splice(index, 1);
      if (what === 'splice') words[index] = old.slice(0, cut % (old.length + 1)) + word + old.slice(cut % (old.length + 1));
      if (what === 'swap') [words[index], words[cut % words.length]] = [words[cut % Math.max(1, words.length)] ?? '', old];
    }
    const files = declaredOf(inputs, outputs), error = refusalOf(words, files);
    if (error) {
      expect(error.facts['argument']).toBeGreaterThanOrEqual(0);
      expect(error.facts['argument']).toBeLessThanOrEqual(Math.max(words.length, 1));
      return;
    }
    accepted += 1;
    expectHarmless(renderArguments(vetArguments(words, files)));
  }), { numRuns: runs(5_000) });
  expect(accepted).toBeGreaterThan(0);
});

test('any list of words is refused or harmless', () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 60, unit: 'binary' })), { maxLength: 30 }), (words) => {
    if (refusalOf(words, hostileDeclared) === null) expectHarmless(renderArguments(vetArguments(words, hostileDeclared)));
  }), { numRuns: runs(5_000) });
});

test('every input is guarded, and a format that was declared is forced', () => {
  const argv = renderArguments(vetArguments(['-i', '{in:0}', '-i', '{in:1}', '{out:a.mp4}'], { inputs: [{ demuxer: 'mov' }, {}], outputs: ['a.mp4'] }));
  expect(argv.filter((word) => word === '-protocol_whitelist')).toHaveLength(2);
  expect(argv.join(' ')).toContain(`-format_whitelist ${[...demuxers].join(',')} -f mov -i file:/proc/self/fd/5 -protocol_whitelist`);
  expect(argv.slice(-3)).toEqual(['-f', 'mp4', 'file:./a.mp4']);
});

test('every declared output must be written', () => {
  expect(refusalOf(['-i', '{in:0}', '{out:a.mp4}'], declaredOf(1, ['a.mp4', 'b.mp4']))?.facts['reason']).toContain('b.mp4');
});
