/** Runs the media work of an attempt with this machine's ffmpeg: plans a recipe or vets the arguments again, runs the jail, collects. */
import type { FileHandle } from 'node:fs/promises';
import { WeirError } from '@weir/contracts/errors';
import type { Probe } from '@weir/contracts/jobs';
import type { AttemptLimits, Capabilities, LogText } from '@weir/contracts/workers';
import type { ArgumentTemplate } from '../arguments/template.ts';
import { vetArguments } from '../arguments/vet.ts';
import { gradeJail, requireJail, type Jail, type JailReport } from '../jail/grade.ts';
import { jobLimits, type JobLimits } from '../jail/limits.ts';
import { findMediaTools, mediaAbilities, type MediaTools } from '../media-tools.ts';
import { findRecipe } from '../recipes/index.ts';
import { AttemptError, type MediaJob, type MediaRunner } from './attempt.ts';
import { collectOutputs, type Collected } from './collect.ts';
import { probeFile } from './probe.ts';
import { runFfmpeg, type RunReason, type RunResult } from './run-ffmpeg.ts';

type Machine = Readonly<{ tools: MediaTools; report: JailReport }>;

/** What this machine can do, tried out. Errors: `system.missing` without ffmpeg or any jail. */
export async function openMediaRunner(): Promise<Readonly<{ run: MediaRunner; capabilities: Capabilities }>> {
  const tools = findMediaTools();
  const report = await gradeJail();
  requireJail(report, false);
  const { version, encoders } = await mediaAbilities(tools);
  return {
    run: (job, signal) => runMedia({ tools, report }, job, signal),
    capabilities: { ffmpeg: version.slice(0, 100), encoders: encoders.slice(0, 500), jail: report.grade },
  };
}

async function runMedia({ tools, report }: Machine, job: MediaJob, signal: AbortSignal): Promise<Collected> {
  const jail = requireJail(report, job.work.kind === 'arguments');
  const probe = await probeFirst({ jail, tools }, job.inputs, signal);
  const { template, durationSeconds } = templateOf(job, probe);
  if (template !== null) {
    const result = await runFfmpeg({
      jail, ffmpeg: tools.ffmpeg, template, inputs: job.inputs.map(({ fd }) => fd), outputDirectory: job.outputDirectory, limits: limitsOf(job.limits),
      durationUs: durationSeconds === null ? null : Math.round(durationSeconds * 1_000_000), signal,
      onProgress: job.onProgress, onLog: (text) => job.onLog(lineOf('stderr', text)),
    });
    signal.throwIfAborted();
    if (result.reason !== 'ok') throw failureOf(result);
  }
  const collected = await collectOutputs(job.outputDirectory, job.outputs);
  if (collected.extra.length > 0) job.onLog(lineOf('weir', `Files that no output was declared for were dropped: ${collected.extra.join(', ')}`));
  return collected;
}

/** An input that ffprobe can't read is read by no other machine either. */
async function probeFirst({ jail, tools }: { jail: Jail; tools: MediaTools }, inputs: readonly FileHandle[], signal: AbortSignal): Promise<Probe> {
  const [first] = inputs;
  if (first === undefined) throw new WeirError('arguments.refused', 'A job needs an input.');
  try {
    return await probeFile({ jail, ffprobe: tools.ffprobe, input: first.fd, signal });
  } catch (cause) {
    if (!(cause instanceof WeirError) || cause.code !== 'job.failed') throw cause;
    throw new AttemptError({ code: cause.code, message: cause.message.slice(0, 2_000), retryable: false }, { cause });
  }
}

/** The vetted list, or null for a recipe that only looks. The coordinator vetted it too; a worker trusts no list but its own. */
function templateOf({ work, inputs, outputs }: MediaJob, probe: Probe): Readonly<{ template: ArgumentTemplate | null; durationSeconds: number | null }> {
  const declared = { inputs: inputs.map(() => ({})), outputs };
  if (work.kind === 'arguments') return { template: vetArguments(work.arguments, declared), durationSeconds: probe.duration_seconds };
  const plan = findRecipe(work.recipe).plan(work.parameters, probe);
  return { template: plan.arguments.length === 0 ? null : vetArguments(plan.arguments, declared), durationSeconds: plan.durationSeconds };
}

function limitsOf(limits: AttemptLimits): JobLimits {
  return {
    ...jobLimits, outputBytes: Math.min(jobLimits.outputBytes, limits.output_bytes), wallMs: Math.min(jobLimits.wallMs, limits.wall_seconds * 1_000),
    stallMs: Math.min(jobLimits.stallMs, limits.stall_seconds * 1_000),
  };
}

const sentences: Readonly<Record<Exclude<RunReason, 'ok'>, string>> = {
  'failed': 'ffmpeg ended with an error', 'timeout': 'The attempt ran longer than a job may', 'stalled': 'ffmpeg made no progress',
  'output-limit': 'The outputs grew beyond their limit', 'memory': 'ffmpeg needed more memory than a job may', 'canceled': 'The attempt was stopped',
};
/** Words of an ffmpeg that was built without something: another worker's may have it. */
const lacksPart = /Unknown (encoder|decoder)|No such filter|Encoder not found|Decoder .* not found/;

function failureOf({ reason, lastLines }: RunResult): AttemptError {
  const why = reason === 'ok' ? '' : sentences[reason];
  const said = lastLines.findLast((line) => line.trim() !== '') ?? '';
  const isElsewhereDifferent = reason === 'stalled' || reason === 'memory' || reason === 'timeout' || lastLines.some((line) => lacksPart.test(line));
  return new AttemptError({ code: 'job.failed', message: `${why}${said === '' ? '.' : `: ${said}`}`.slice(0, 2_000), retryable: isElsewhereDifferent });
}

/** Control characters would let a file's tags draw on the terminal of whoever reads the log. */
function lineOf(stream: LogText['stream'], text: string): LogText {
  return { stream, text: text.replaceAll(/\p{Cc}/gu, ' ').slice(0, 2_000) };
}
