/** Looks at a media file with ffprobe, in the jail, and gives what Weir promises of it. */
import { z } from 'zod';
import { WeirError } from '@weir/contracts/errors';
import { Probe } from '@weir/contracts/jobs';
import { demuxers } from '../arguments/formats.ts';
import { inputPath } from '../jail/descriptors.ts';
import type { Jail } from '../jail/grade.ts';
import { lookLimits } from '../jail/limits.ts';
import { outputLines } from '../jail/output-lines.ts';
import { spawnJailed, type JailedProcess } from '../jail/spawn.ts';

export type ProbeRun = Readonly<{
  jail: Jail;
  /** The real path of ffprobe. */
  ffprobe: string;
  /** An open, unlinked file. */
  input: number;
  signal: AbortSignal;
}>;

const maxJsonBytes = 2 ** 20;
const shown = 'format=format_name,duration,bit_rate:stream=codec_type,codec_name,width,height,avg_frame_rate,sample_rate,channels,duration:stream_disposition=attached_pic';

/**
 * Throws `job.failed` with ffprobe's own words when it can't read the file (which no other worker could either), and with a plain
 * sentence when its answer is too long or takes over a minute.
 */
export async function probeFile(run: ProbeRun): Promise<Probe> {
  const argv = [
    '-v', 'error', '-protocol_whitelist', 'file,pipe', '-format_whitelist', [...demuxers].join(','), '-of', 'json=compact=1',
    '-show_entries', shown, `file:${inputPath(0)}`,
  ];
  const deadline = AbortSignal.any([run.signal, AbortSignal.timeout(lookLimits.wallMs)]);
  const job = { program: run.ffprobe, argv, inputs: [run.input], outputDirectory: null, limits: lookLimits };
  await using child = spawnJailed(run.jail, job, deadline);
  child.progress.resume();
  const [json, said, exit] = await Promise.all([readAnswer(child), lastLine(child), child.exited]);
  run.signal.throwIfAborted();
  if (deadline.aborted) throw new WeirError('job.failed', 'ffprobe did not finish within a minute; the file was not used.');
  if (/^(bwrap|landlock|prlimit): /.test(said)) throw new WeirError('system.missing', `The jail did not start: ${said}. Run \`weir doctor\` on this worker.`);
  if (json === null) throw new WeirError('job.failed', 'ffprobe said more about this file than is accepted; the file was not used.');
  if (exit.code !== 0) throw new WeirError('job.failed', `ffprobe can not read this file: ${withoutPath(said) || `it ended with ${exit.code ?? `signal ${exit.signal}`}`}`);
  return parseProbe(json);
}

/** All of stdout, or null (and the process stopped) when it is longer than a megabyte. */
async function readAnswer(child: JailedProcess): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of child.stdout) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('A stream of bytes is needed.');
    length += chunk.length;
    if (length > maxJsonBytes) {
      child.stop();
      return null;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function lastLine(child: JailedProcess): Promise<string> {
  let last = '';
  for await (const line of outputLines(child.stderr, { lineLength: 500, bytesPerSecond: 2 ** 20 })) last = line;
  return last;
}

function withoutPath(text: string): string {
  return text.replaceAll(`file:${inputPath(0)}: `, '').replaceAll(`file:${inputPath(0)}`, 'the file');
}

const Text = z.string().max(256), Digits = z.string().regex(/^\d{1,15}(\.\d{1,9})?$/);
const FfprobeStream = z.object({
  codec_type: Text.optional(), codec_name: Text.optional(), width: z.int().min(0).optional(), height: z.int().min(0).optional(),
  avg_frame_rate: z.string().regex(/^\d{1,12}\/\d{1,12}$/).optional(), sample_rate: Digits.optional(), channels: z.int().min(0).optional(),
  duration: Digits.optional(), disposition: z.object({ attached_pic: z.int() }).optional(),
});
type FfprobeStream = z.infer<typeof FfprobeStream>;
const FfprobeAnswer = z.object({
  streams: z.array(FfprobeStream).max(64).default([]),
  format: z.object({ format_name: Text, duration: Digits.optional(), bit_rate: Digits.optional() }),
});

/** Reads ffprobe's JSON strictly. A cover picture counts as an attachment, not as video. Throws `job.failed` for anything else. */
export function parseProbe(json: string): Probe {
  try {
    const { streams, format } = FfprobeAnswer.parse(JSON.parse(json));
    const durations = [format.duration, ...streams.map((stream) => stream.duration)].flatMap((text) => (text === undefined ? [] : [Number(text)]));
    return Probe.parse({
      format: format.format_name, duration_seconds: durations[0] ?? null, bit_rate: format.bit_rate === undefined ? null : Number(format.bit_rate),
      streams: streams.map(streamOf),
    });
  } catch (cause) {
    throw new WeirError('job.failed', 'ffprobe answered in a form that is not understood; the file was not used.', { cause });
  }
}

function streamOf(stream: FfprobeStream): Probe['streams'][number] {
  const kind = kindOf(stream), codec = stream.codec_name ?? 'unknown';
  if (kind === 'video') return { kind, codec, ...present('width', stream.width), ...present('height', stream.height), ...present('frame_rate', rateOf(stream.avg_frame_rate)) };
  if (kind === 'audio') return { kind, codec, ...present('sample_rate', stream.sample_rate === undefined ? undefined : Number(stream.sample_rate)), ...present('channels', stream.channels) };
  return { kind, codec };
}

function kindOf(stream: FfprobeStream): Probe['streams'][number]['kind'] {
  if (stream.disposition?.attached_pic === 1) return 'attachment';
  const type = stream.codec_type;
  return type === 'video' || type === 'audio' || type === 'subtitle' || type === 'attachment' ? type : 'data';
}

/** Frames per second, to three decimals; undefined for the 0/0 of a stream without a rate. */
function rateOf(text: string | undefined): number | undefined {
  const [numerator, denominator] = (text ?? '').split('/').map(Number);
  const rate = (numerator ?? 0) / (denominator ?? 0);
  return Number.isFinite(rate) && rate > 0 ? Math.round(rate * 1_000) / 1_000 : undefined;
}

function present<Key extends string>(key: Key, value: number | undefined): { [name in Key]?: number } {
  const found: { [name in Key]?: number } = {};
  if (value !== undefined && value > 0) found[key] = value;
  return found;
}
