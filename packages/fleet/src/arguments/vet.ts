/** Vets an ffmpeg argument list that a client wrote: what is not known to be harmless is refused, and files are only `{in:N}` and `{out:name}`. */
import { OutputName } from '@weir/contracts/jobs';
import { demuxers, muxerForName, muxers } from './formats.ts';
import { options, perStream, type Option, type Scope } from './options.ts';
import { argumentRefused, atArgument, printable, refuseValue } from './refusal.ts';
import { commonArguments, type ArgumentTemplate, type TemplatePart } from './template.ts';

/** `demuxer` forces how an input is read; without it ffmpeg chooses among the allowed ones. */
export type DeclaredFiles = Readonly<{ inputs: readonly Readonly<{ demuxer?: string }>[]; outputs: readonly string[] }>;

const maxArguments = 400, maxLength = 8_192, maxFiles = 16;
const inputGuards: readonly string[] = ['-protocol_whitelist', 'file,pipe', '-format_whitelist', [...demuxers].join(',')];

/** An option that was read and waits for the file that it belongs to. */
type Pending = Readonly<{ at: number; name: string; scope: Scope; parts: readonly TemplatePart[] }>;
type State = {
  readonly declared: DeclaredFiles;
  readonly globals: TemplatePart[];
  readonly files: TemplatePart[];
  readonly written: Set<string>;
  pending: Pending[];
  inputs: number;
  outputs: number;
};

/**
 * The safe template of a client's list, without the program. The same list is vetted at submission and again by the worker.
 * Throws `arguments.refused` with `facts: { argument, reason }`, the 0-based index in `args`.
 */
export function vetArguments(args: readonly string[], declared: DeclaredFiles): ArgumentTemplate {
  if (args.length > maxArguments) throw argumentRefused(maxArguments, undefined, `at most ${maxArguments} arguments`);
  const state: State = { declared, globals: [], files: [], written: new Set(), pending: [], inputs: 0, outputs: 0 };
  for (let at = 0; at < args.length;) at = readOne(state, args, at);
  checkEnd(state, args);
  return [...commonArguments, ...state.globals, ...state.files];
}

/** Reads an option with its value, or an output, at `at`; gives the index of what follows. */
function readOne(state: State, args: readonly string[], at: number): number {
  const text = textAt(args, at);
  if (!text.startsWith('-') || text === '-') {
    atArgument(at, text, () => readOutput(state, at, text));
    return at + 1;
  }
  const { option, name, canonical } = atArgument(at, text, () => readOption(text));
  if (option.kind === 'switch') {
    place(state, { at, name, scope: option.scope, parts: [canonical] });
    return at + 1;
  }
  if (option.kind === 'ignored' && option.check === null) return at + 1;
  if (at + 1 >= args.length) throw argumentRefused(at, text, 'it needs a value');
  const value = textAt(args, at + 1);
  atArgument(at + 1, value, () => readValue(state, { at, name, canonical, option, value }));
  return at + 2;
}

function textAt(args: readonly string[], at: number): string {
  const text = args[at];
  if (typeof text !== 'string' || text === '') throw argumentRefused(at, undefined, 'a text that is not empty is needed');
  if (text.length > maxLength) throw argumentRefused(at, text, `at most ${maxLength} characters`);
  if (/\p{Cc}|\p{Cs}/u.test(text)) throw argumentRefused(at, text, 'it holds a control character');
  return text;
}

function readOption(text: string): { option: Option; name: string; canonical: string } {
  const match = /^-([A-Za-z][A-Za-z0-9_-]{0,40})((?::[A-Za-z0-9]{1,4}){0,3})$/.exec(text);
  const name = match?.[1], specifier = match?.[2] ?? '';
  if (name === undefined) return refuseValue('it is not an option in the usual form -name or -name:stream');
  const option = options.get(name);
  if (!option) return refuseValue(`the option -${name} is not allowed`);
  if (specifier !== '' && !specifierFits(name, specifier)) refuseValue(`-${name} can not be used with the stream specifier "${specifier.slice(1)}"`);
  return { option, name, canonical: `-${name}${specifier}` };
}

function specifierFits(name: string, specifier: string): boolean {
  if (name === 'metadata' || name === 'map_metadata') return /^:(g|s(:[vasdt])?(:\d{1,3})?)$/.test(specifier);
  return perStream.has(name) && /^(:[vVasdt](:\d{1,3})?|:\d{1,3})$/.test(specifier);
}

type Reading = Readonly<{ at: number; name: string; canonical: string; option: Option; value: string }>;

function readValue(state: State, { at, name, canonical, option, value }: Reading): void {
  switch (option.kind) {
    case 'input': return readInput(state, value);
    case 'format': return place(state, { at, name, scope: 'anywhere', parts: [canonical, knownFormat(value)] });
    case 'value': return place(state, { at, name, scope: option.scope, parts: [canonical, option.check(value)] });
    case 'file': {
      const output = outputName(state, value);
      return place(state, { at, name, scope: option.scope, parts: [canonical, option.form === 'path' ? { output } : output] });
    }
    case 'ignored': option.check?.(value); return;
    case 'switch': return;
  }
}

function place(state: State, pending: Pending): void {
  if (pending.scope === 'global') state.globals.push(...pending.parts);
  else state.pending.push(pending);
}

function knownFormat(value: string): string {
  return muxers.has(value) || demuxers.has(value) ? value : refuseValue(`the format "${printable(value)}" is not allowed`);
}

function readInput(state: State, value: string): void {
  const match = /^\{in:(\d{1,2})\}$/.exec(value);
  const index = Number(match?.[1]), file = match ? state.declared.inputs[index] : undefined;
  if (!file) return refuseValue(`an input is {in:N} with N below ${state.declared.inputs.length}`);
  refuseMisplaced(state, 'output', 'is an option of outputs and stands before an input');
  const format = formatOf(state);
  if (format && !demuxers.has(format)) throw argumentRefused(formatPlace(state), format, 'inputs can not be read in this format');
  const forced = format ?? file.demuxer;
  state.files.push(...inputGuards, ...(forced === undefined ? [] : ['-f', forced]), ...takePending(state), '-i', { input: index });
  state.inputs += 1;
  if (state.inputs > maxFiles) refuseValue(`at most ${maxFiles} inputs`);
}

function readOutput(state: State, at: number, text: string): void {
  if (state.inputs === 0) refuseValue('an output stands before the first input');
  const format = formatOf(state);
  const nothing = text === '-' && format === 'null';
  const name = nothing ? null : outputName(state, text);
  refuseMisplaced(state, 'input', 'is an option of inputs and stands before an output');
  const muxer = format ?? (name === null ? null : muxerForName(name));
  if (muxer === null) return refuseValue('its ending says no known format; choose another name or say -f');
  if (!muxers.has(muxer)) throw argumentRefused(formatPlace(state), muxer, 'outputs can not be written in this format');
  if (muxer === 'null' && !nothing) throw argumentRefused(at, text, 'the format null writes no file; its output is "-"');
  if (muxer === 'hls') checkHls(state);
  state.files.push('-f', muxer, ...takePending(state), ...(name === null ? ['-'] : [{ output: name }]));
  state.outputs += 1;
}

/** A list without `single_file` writes as many files as there are segments, under names that nobody declared. */
function checkHls(state: State): void {
  const valueOf = (name: string) => state.pending.findLast((option) => option.name === name)?.parts.at(-1);
  const flags = valueOf('hls_flags');
  const single = typeof flags === 'string' && !flags.includes('-') && flags.split('+').includes('single_file');
  if (!single || valueOf('hls_segment_filename') === undefined || valueOf('hls_playlist_type') !== 'vod') {
    refuseValue('HLS needs -hls_playlist_type vod, -hls_flags single_file and -hls_segment_filename {out:name}');
  }
}

/** A declared name that nothing wrote yet. */
function outputName(state: State, text: string): string {
  const name = /^\{out:([^{}]{1,128})\}$/.exec(text)?.[1];
  if (name === undefined || !OutputName.safeParse(name).success) return refuseValue('an output is {out:name}, a name of letters, digits, ".", "_" and "-"');
  if (!state.declared.outputs.includes(name)) refuseValue(`the output ${name} is not among the declared outputs`);
  if (state.written.has(name)) refuseValue(`the output ${name} is written twice`);
  state.written.add(name);
  return name;
}

function refuseMisplaced(state: State, scope: Scope, sentence: string): void {
  const misplaced = state.pending.find((option) => option.scope === scope);
  if (misplaced) throw argumentRefused(misplaced.at, `-${misplaced.name}`, `it ${sentence}`);
}

/** The format that the waiting options ask for; the last one counts, as with ffmpeg. */
function formatOf(state: State): string | null {
  const format = state.pending.findLast((option) => option.name === 'f')?.parts.at(-1);
  return typeof format === 'string' ? format : null;
}

function formatPlace(state: State): number {
  return (state.pending.findLast((option) => option.name === 'f')?.at ?? 0) + 1;
}

function takePending(state: State): TemplatePart[] {
  const parts = state.pending.filter((option) => option.name !== 'f').flatMap((option) => option.parts);
  state.pending = [];
  return parts;
}

function checkEnd(state: State, args: readonly string[]): void {
  const [first] = state.pending;
  if (first) throw argumentRefused(first.at, args[first.at], 'it stands behind the last output');
  const last = Math.max(0, args.length - 1);
  if (state.outputs === 0) throw argumentRefused(last, args[last], 'the list has no output');
  const missing = state.declared.outputs.find((name) => !state.written.has(name));
  if (missing !== undefined) throw argumentRefused(last, args[last], `the declared output ${missing} is not written by the list`);
}
