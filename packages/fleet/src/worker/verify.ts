/** Checks an output before it is published: it is what the recipe promised, as long as the input was, and decodes where it is looked at. */
import type { FileHandle } from 'node:fs/promises';
import { WeirError } from '@weir/contracts/errors';
import type { Probe } from '@weir/contracts/jobs';
import { demuxers } from '../arguments/formats.ts';
import { inputPath } from '../jail/descriptors.ts';
import type { Jail } from '../jail/grade.ts';
import { jobLimits, lookLimits } from '../jail/limits.ts';
import { outputLines } from '../jail/output-lines.ts';
import { spawnJailed } from '../jail/spawn.ts';
import type { MediaTools } from '../media-tools.ts';
import type { ExpectedOutput } from '../recipes/recipe.ts';
import type { CollectedOutput } from './collect.ts';
import { probeFile } from './probe.ts';

export type Verification = Readonly<{ jail: Jail; tools: MediaTools; outputs: readonly CollectedOutput[]; expected: readonly ExpectedOutput[]; signal: AbortSignal }>;
/** `probe` is null for a playlist. */
export type VerifiedOutput = CollectedOutput & Readonly<{ contentType: string; probe: Probe | null }>;

const maxPlaylistBytes = 2 ** 20, sampleSeconds = 2;

/** Verifies all outputs, one after the other. Throws `job.failed` naming the output and what is wrong with it. */
export async function verifyOutputs(verification: Verification): Promise<VerifiedOutput[]> {
  const verified: VerifiedOutput[] = [];
  for (const expected of verification.expected) {
    const output = verification.outputs.find((candidate) => candidate.name === expected.name);
    if (!output || output.size === 0) throw wrong(expected.name, 'it is missing or empty');
    if (expected.form === 'playlist') await verifyPlaylist(output, verification.expected);
    const probe = expected.form === 'media' ? await verifyMedia(verification, output, expected) : null;
    verified.push({ ...output, contentType: expected.contentType, probe });
  }
  return verified;
}

async function verifyMedia(verification: Verification, output: CollectedOutput, expected: ExpectedOutput): Promise<Probe> {
  const { jail, tools, signal } = verification;
  const probe = await probeFile({ jail, ffprobe: tools.ffprobe, input: output.handle.fd, signal });
  const difference = differenceFrom(expected, probe);
  if (difference !== null) throw wrong(output.name, difference);
  const complaint = probe.streams.some(({ kind }) => kind === 'video' || kind === 'audio')
    ? await decodeSamples(verification, output.handle.fd, probe.duration_seconds ?? 0)
    : null;
  if (complaint !== null) throw wrong(output.name, `it does not decode: ${complaint}`);
  return probe;
}

/** How a probe differs from what was expected, as a clause of a sentence, or null. Durations may differ by 0.5 s or 2 %. */
export function differenceFrom(expected: ExpectedOutput, probe: Probe): string | null {
  if (probe.streams.length === 0) return 'it has no stream';
  const streamNames = (streams: readonly Readonly<{ kind: string; codec: string }>[]) => streams.map(({ kind, codec }) => `${kind} ${codec}`).join(', ');
  if (expected.streams !== null && streamNames(expected.streams) !== streamNames(probe.streams)) {
    return `it holds ${streamNames(probe.streams)} instead of ${streamNames(expected.streams)}`;
  }
  if (expected.durationSeconds === null) return null;
  if (probe.duration_seconds === null) return 'it has no duration';
  const tolerance = Math.max(0.5, expected.durationSeconds * 0.02);
  const off = Math.abs(probe.duration_seconds - expected.durationSeconds);
  return off > tolerance ? `it lasts ${probe.duration_seconds.toFixed(2)} s instead of ${expected.durationSeconds.toFixed(2)} s` : null;
}

/** Decodes two seconds at the start, in the middle and at the end; gives ffmpeg's first complaint, or null. */
async function decodeSamples({ jail, tools, signal }: Verification, input: number, durationSeconds: number): Promise<string | null> {
  const last = Math.max(0, durationSeconds - sampleSeconds);
  const starts = last === 0 ? [0] : [0, last / 2, last];
  const samples = starts.flatMap((start) => [
    '-protocol_whitelist', 'file,pipe', '-format_whitelist', [...demuxers].join(','),
    ...(start === 0 ? [] : ['-ss', start.toFixed(3)]), '-t', String(sampleSeconds), '-i', `file:${inputPath(0)}`,
  ]);
  const sinks = starts.flatMap((_, index) => ['-map', `${index}:V?`, '-map', `${index}:a?`, '-f', 'null', '-']);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(300_000)]);
  const job = {
    program: tools.ffmpeg, argv: ['-nostdin', '-hide_banner', '-v', 'error', '-max_error_rate', '0', ...samples, ...sinks],
    inputs: [input], outputDirectory: null, limits: { ...jobLimits, cpuSeconds: 600, fileBytes: lookLimits.fileBytes },
  };
  await using child = spawnJailed(jail, job, deadline);
  child.stdout.resume();
  child.progress.resume();
  const complaints: string[] = [];
  for await (const line of outputLines(child.stderr, { lineLength: 300, bytesPerSecond: 2 ** 20 })) {
    if (complaints.length < 1 && !aboutMuxing.test(line)) complaints.push(line);
  }
  const exit = await child.exited;
  signal.throwIfAborted();
  if (deadline.aborted) return 'decoding a few seconds of it took over five minutes';
  return complaints[0] ?? (exit.code === 0 ? null : `ffmpeg ended with ${exit.code ?? `signal ${exit.signal}`}`);
}

/** What the null muxer says about timestamps is no fault of decoding. */
const aboutMuxing = /non monotonically increasing dts|Application provided invalid/;

/** A playlist must be finished and lead nowhere but to outputs of the same job. */
async function verifyPlaylist(output: CollectedOutput, all: readonly ExpectedOutput[]): Promise<void> {
  if (output.size > maxPlaylistBytes) throw wrong(output.name, 'it is longer than a megabyte');
  const problem = playlistProblem(await readWhole(output.handle, output.size), all.map(({ name }) => name));
  if (problem !== null) throw wrong(output.name, problem);
}

/** What is wrong with an HLS media playlist (RFC 8216), or null. */
export function playlistProblem(text: string, names: readonly string[]): string | null {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  if (lines[0] !== '#EXTM3U') return 'it does not begin with #EXTM3U';
  if (lines.at(-1) !== '#EXT-X-ENDLIST') return 'it is not finished';
  const addresses = lines.flatMap((line) => (line.startsWith('#') ? [...line.matchAll(/URI="([^"]*)"/g)].map((match) => match[1] ?? '') : [line]));
  const foreign = addresses.find((address) => !names.includes(address));
  if (foreign !== undefined) return 'it leads to something that is not an output of this job';
  return addresses.length === 0 ? 'it has no segments' : null;
}

async function readWhole(handle: FileHandle, size: number): Promise<string> {
  const bytes = Buffer.alloc(size);
  const { bytesRead } = await handle.read(bytes, 0, size, 0);
  return bytes.toString('utf8', 0, bytesRead);
}

function wrong(name: string, what: string): WeirError {
  return new WeirError('job.failed', `The output ${name} was not published: ${what}.`, { facts: { output: name } });
}
