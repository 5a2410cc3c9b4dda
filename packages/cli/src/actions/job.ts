/** `weir job …`: submits, follows and ends jobs. */
import { existsSync } from 'node:fs';
import { WeirError } from '@weir/contracts/errors';
import { LogLine, terminalStates, type Job, type JobState } from '@weir/contracts/jobs';
import { address, fetchChecked, path, type Client } from '@weir/sdk/client';
import { createEventStreamParser } from '@weir/sdk/event-stream-parser';
import * as jobs from '@weir/sdk/jobs';
import * as recipes from '@weir/sdk/recipes';
import { connect } from '../client/connection.ts';
import { note, print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import { printableLine } from '../terminal/printable.ts';
import { jobText, liveLine } from '../terminal/progress.ts';
import { tableText } from '../terminal/table.ts';
import { formatBytes } from '../terminal/units.ts';
import { bodyOf, uploadFile } from './content.ts';
import { recordOf } from './recipe.ts';

export type JobFlags = ServerFlags & Readonly<{ quiet?: boolean; json?: boolean }>;
type NewFlags = JobFlags & Readonly<{ input: readonly string[]; priority: number; title?: string; wait?: boolean }>;
export type SubmitFlags = NewFlags & Readonly<{ parameter?: readonly (readonly [string, string])[] }>;
export type RunFlags = NewFlags & Readonly<{ output?: readonly string[] }>;
export type ListFlags = JobFlags & Readonly<{ state?: JobState; limit: number; cursor?: string }>;
export type LogFlags = ServerFlags & Readonly<{ follow?: boolean; json?: boolean }>;

export async function submit(this: Context, flags: SubmitFlags, recipe: string): Promise<void> {
  const client = await connect(this, flags);
  const parameters = flags.parameter === undefined ? {} : await typedParameters(this, client, recipe, flags.parameter);
  const job = await jobs.submit(client, { recipe, parameters, ...await common(this, client, flags) }, { signal: this.signal });
  await submitted(this, client, flags, job);
}

export async function run(this: Context, flags: RunFlags, ...args: readonly string[]): Promise<void> {
  const outputs = flags.output ?? args.flatMap((argument) => /^\{out:(.+)\}$/.exec(argument)?.[1] ?? []);
  if (outputs.length === 0) throw new WeirError('request.invalid', 'Name what ffmpeg writes as {out:NAME} among the arguments, such as {out:small.mp4}.');
  const client = await connect(this, flags);
  const job = await jobs.submit(client, { arguments: [...args], outputs: [...outputs], ...await common(this, client, flags) }, { signal: this.signal });
  await submitted(this, client, flags, job);
}

/** Everything on a command line is text; the recipe's schema says what is a number. What it does not know is left to the server to refuse. */
async function typedParameters(context: Context, client: Client, recipe: string, given: readonly (readonly [string, string])[]) {
  const known = (await recipes.list(client, { signal: context.signal })).items.find((item) => item.recipe === recipe);
  const fields = known === undefined ? {} : recordOf(known.parameters['properties']);
  return Object.fromEntries(given.map(([key, value]) => [key, typed(value, recordOf(fields[key])['type'])]));
}

function typed(value: string, type: unknown): string | number | boolean {
  if ((type === 'integer' || type === 'number') && /^-?[0-9]{1,15}(\.[0-9]{1,9})?$/.test(value)) return Number(value);
  return type === 'boolean' && (value === 'true' || value === 'false') ? value === 'true' : value;
}

async function common(context: Context, client: Client, flags: NewFlags) {
  const inputs: { cid: string }[] = [];
  for (const input of flags.input) inputs.push({ cid: await cidOf(context, client, input) });
  return { inputs, priority: flags.priority, labels: flags.title === undefined ? {} : { title: flags.title } };
}

/** A file of this machine is uploaded first; anything else is a content id. */
async function cidOf(context: Context, client: Client, input: string): Promise<string> {
  return existsSync(input) ? (await uploadFile(context, client, input, {})).cid : input;
}

async function submitted(context: Context, client: Client, flags: NewFlags, job: Job): Promise<void> {
  if (flags.wait === true) return finish(context, flags, await follow(context, client, job.job_id));
  if (flags.json === true) return printJson(context, job);
  print(context, job.job_id);
  if (flags.quiet !== true) note(context, `Queued. Follow it with: weir job wait ${job.job_id}`);
}

export async function wait(this: Context, flags: JobFlags, id: string): Promise<void> {
  finish(this, flags, await follow(this, await connect(this, flags), id));
}

/** Shows progress on a terminal until the job has ended. */
async function follow(context: Context, client: Client, id: string): Promise<Job> {
  using live = liveLine(context.process.stderr);
  let last: Job | undefined;
  for await (const event of jobs.events(client, id, { signal: context.signal })) {
    if (event.type === 'state') last = event.job;
    const progress = event.type === 'progress' ? event.progress : last?.progress;
    if (last !== undefined && progress !== undefined && event.type !== 'log') live.show(jobText(last.labels['title'] ?? last.recipe ?? 'ffmpeg', last.state, progress));
    if (last !== undefined && terminalStates.includes(last.state)) return last;
  }
  context.signal.throwIfAborted();
  return jobs.get(client, id, { signal: context.signal });
}

/** The outputs of a completed job; a job that failed is a failure of the command. */
function finish(context: Context, flags: JobFlags, job: Job): void {
  if (flags.json === true) printJson(context, job);
  if (job.state !== 'completed') {
    throw new WeirError('job.failed', `The job ${job.job_id} ${job.state === 'canceled' ? 'was canceled' : 'failed'}${job.error === null ? '.' : `: ${job.error.message}`} See: weir job logs ${job.job_id}`);
  }
  if (flags.json === true) return;
  if (flags.quiet === true) job.outputs.forEach(({ cid }) => print(context, cid));
  else print(context, outputsText(job));
}

const outputsText = ({ outputs }: Job): string => outputs.length === 0 ? 'Completed; there are no outputs.' : tableText(['OUTPUT', 'SIZE', 'MEDIA', 'CID'], outputs.map((output) =>
  [output.name, formatBytes(output.size), output.probe?.streams.map((stream) => stream.height === undefined ? stream.codec : `${stream.codec} ${stream.width}x${stream.height}`).join(', ') || output.content_type, output.cid]));

export async function list(this: Context, flags: ListFlags): Promise<void> {
  const page = await jobs.list(await connect(this, flags), { state: flags.state, limit: flags.limit, cursor: flags.cursor, signal: this.signal });
  if (flags.json === true) return printJson(this, page);
  if (flags.quiet === true) return page.items.forEach(({ job_id: id }) => print(this, id));
  print(this, tableText(['JOB', 'STATE', 'DONE', 'WHAT', 'WORKER', 'CREATED'], page.items.map((job) =>
    [job.job_id, job.state, `${Math.floor(job.progress.percent)} %`, job.labels['title'] ?? job.recipe ?? 'ffmpeg', job.worker ?? '-', job.created_at])));
  if (page.next_cursor !== null) note(this, `There are more: weir job list --cursor ${page.next_cursor}`);
}

export async function show(this: Context, flags: JobFlags, id: string): Promise<void> {
  const job = await jobs.get(await connect(this, flags), id, { signal: this.signal });
  if (flags.json === true) return printJson(this, job);
  const lines: [string, string][] = [
    ['job', job.job_id], ['state', job.state], ['recipe', job.recipe ?? 'own arguments'], ['owner', job.owner], ['worker', job.worker ?? '-'],
    ['attempt', `${job.attempt} of ${job.max_attempts}`], ['done', `${Math.floor(job.progress.percent)} %`], ['inputs', job.inputs.map(({ cid }) => cid).join(' ')],
    ['created', job.created_at], ['started', job.started_at ?? '-'], ['finished', job.finished_at ?? '-'], ['error', job.error?.message ?? ''],
  ];
  print(this, lines.filter(([, value]) => value !== '').map(([field, value]) => `${field.padEnd(10)} ${printableLine(value)}`).join('\n'));
  if (job.outputs.length > 0) print(this, `\n${outputsText(job)}`);
}

export async function cancel(this: Context, flags: JobFlags, id: string): Promise<void> {
  tell(this, flags, await jobs.cancel(await connect(this, flags), id, { signal: this.signal }));
}
export async function retry(this: Context, flags: JobFlags, id: string): Promise<void> {
  tell(this, flags, await jobs.retry(await connect(this, flags), id, { signal: this.signal }));
}
function tell(context: Context, flags: JobFlags, job: Job): void {
  if (flags.json === true) return printJson(context, job);
  if (flags.quiet !== true) print(context, `${job.job_id} ${job.state}`);
}

export async function logs(this: Context, flags: LogFlags, id: string): Promise<void> {
  const client = await connect(this, flags);
  if (flags.follow === true) {
    for await (const line of followedLines(client, id, this.signal)) printLine(this, flags, line);
  } else for (const line of await jobs.logs(client, id, { signal: this.signal })) printLine(this, flags, line);
}

/** With --json one object on each line, so that following works. */
function printLine(context: Context, flags: LogFlags, line: LogLine): void {
  print(context, flags.json === true ? JSON.stringify(line) : `${line.at} ${line.stream === 'weir' ? 'weir: ' : ''}${printableLine(line.text, 2_000)}`);
}

/** The kept lines, then new ones until the job ends. */
async function* followedLines(client: Client, id: string, signal: AbortSignal): AsyncGenerator<LogLine> {
  const response = await fetchChecked(client, address(client, path`/api/v1/jobs/${id}/logs`, { follow: 1 }), { signal, headers: { accept: 'text/event-stream' } });
  const parser = createEventStreamParser();
  const decoder = new TextDecoder();
  for await (const piece of bodyOf(response)) {
    for (const message of parser.push(decoder.decode(piece, { stream: true }))) yield LogLine.parse(JSON.parse(message.data));
  }
}
