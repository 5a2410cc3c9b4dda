/** `weir job …` */
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { JobFlags, ListFlags, LogFlags, RunFlags, SubmitFlags } from '../actions/job.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag, quietFlag, serverFlags } from '../flags.ts';
import { count, pair, text } from '../parse.ts';

const job = { kind: 'tuple', parameters: [{ brief: 'The job', placeholder: 'JOB', parse: text }] } as const;
const answers = { quiet: quietFlag, json: jsonFlag, ...serverFlags } as const;
const newJob = {
  input: { kind: 'parsed', parse: text, brief: 'A content id, or a file to upload first', placeholder: 'CID|FILE', variadic: true },
  priority: { kind: 'parsed', parse: count(0, 100), brief: '0 to 100; higher goes first', placeholder: 'N', default: '50' },
  title: { kind: 'parsed', parse: text, brief: 'What to call it', placeholder: 'TITLE', optional: true },
  wait: { kind: 'boolean', brief: 'Show progress until it has ended', optional: true, withNegated: false },
} as const;

const submit = buildCommand<SubmitFlags, [string], Context>({
  loader: async () => (await import('../actions/job.ts')).submit,
  parameters: {
    positional: { kind: 'tuple', parameters: [{ brief: 'The recipe; see weir recipe list', placeholder: 'RECIPE', parse: text }] }, aliases: { p: 'parameter', i: 'input' },
    flags: { ...newJob, parameter: { kind: 'parsed', parse: pair, brief: 'A parameter of the recipe', placeholder: 'KEY=VALUE', variadic: true, optional: true }, ...answers },
  },
  docs: documented({
    brief: 'Submit a job that follows a recipe', details: 'With --wait, exit code 1 says that the job failed.',
    examples: ['weir job submit mp4-h264 --input bafk… --wait', 'weir job submit mp4-h264 -i talk.mkv -p height=480 -p crf=26 --wait', 'weir job submit probe -i bafk… --json'],
  }),
});

const run = buildCommand<RunFlags, string[], Context>({
  loader: async () => (await import('../actions/job.ts')).run,
  parameters: {
    positional: { kind: 'array', minimum: 1, parameter: { brief: 'Arguments of ffmpeg, after --; {in:0} and {out:NAME} stand for files', placeholder: 'ARGUMENT', parse: text } }, aliases: { i: 'input' },
    flags: { ...newJob, output: { kind: 'parsed', parse: text, brief: 'An output, where the arguments do not name it', placeholder: 'NAME', variadic: ',', optional: true }, ...answers },
  },
  docs: documented({
    brief: 'Submit a job with ffmpeg arguments of your own', details: 'Needs the permission raw_arguments. Options, filters and formats come from an allowlist.',
    examples: ['weir job run -i bafk… --wait -- -i {in:0} -c:v libx264 -crf 30 {out:small.mp4}'],
  }),
});

const wait = buildCommand<JobFlags, [string], Context>({
  loader: async () => (await import('../actions/job.ts')).wait, parameters: { positional: job, flags: answers },
  docs: documented({ brief: 'Show the progress of a job until it has ended, then its outputs', examples: ['weir job wait 01J…', 'weir job wait 01J… --json'] }),
});
const states = ['queued', 'assigned', 'running', 'verifying', 'canceling', 'completed', 'failed', 'canceled'] as const;
const list = buildCommand<ListFlags, [], Context>({
  loader: async () => (await import('../actions/job.ts')).list,
  parameters: {
    flags: {
      state: { kind: 'enum', values: states, brief: 'Only jobs in this state', optional: true },
      limit: { kind: 'parsed', parse: count(1, 500), brief: 'How many', placeholder: 'N', default: '50' },
      cursor: { kind: 'parsed', parse: text, brief: 'Go on where the page before ended', placeholder: 'CURSOR', optional: true }, ...answers,
    },
  },
  docs: documented({ brief: 'List your jobs, newest first', examples: ['weir job list', 'weir job list --state failed'] }),
});
const show = buildCommand<JobFlags, [string], Context>({
  loader: async () => (await import('../actions/job.ts')).show, parameters: { positional: job, flags: answers },
  docs: documented({ brief: 'Show a job', examples: ['weir job show 01J…'] }),
});
const logs = buildCommand<LogFlags, [string], Context>({
  loader: async () => (await import('../actions/job.ts')).logs,
  parameters: { positional: job, aliases: { f: 'follow' }, flags: { follow: { kind: 'boolean', brief: 'Go on until the job ends', optional: true, withNegated: false }, json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'Print the log of a job', examples: ['weir job logs 01J…', 'weir job logs -f 01J…'] }),
});
const cancel = buildCommand<JobFlags, [string], Context>({
  loader: async () => (await import('../actions/job.ts')).cancel, parameters: { positional: job, flags: answers },
  docs: documented({ brief: 'End a job', examples: ['weir job cancel 01J…'] }),
});
const retry = buildCommand<JobFlags, [string], Context>({
  loader: async () => (await import('../actions/job.ts')).retry, parameters: { positional: job, flags: answers },
  docs: documented({ brief: 'Try a failed or canceled job again', examples: ['weir job retry 01J…'] }),
});

export const jobs = buildRouteMap({ routes: { submit, run, wait, list, show, logs, cancel, retry }, docs: { brief: 'Jobs of the fleet' } });
