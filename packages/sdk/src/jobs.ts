/** Jobs of the fleet: submit, follow, cancel, try again. */
import { page } from '@weir/contracts/identity';
import { Job, JobEvent, LogLine, terminalStates, type JobRequest, type JobState } from '@weir/contracts/jobs';
import { z, type input } from 'zod';
import { call, path, type CallOptions, type Client, type ListOptions } from './client.ts';
import { parseReply } from './parse-reply.ts';
import { subscribe, type SubscribeOptions } from './event-stream.ts';

const Jobs = page(Job);
const Logs = z.object({ lines: z.array(LogLine) });

export const submit = (client: Client, request: input<typeof JobRequest>, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: '/api/v1/jobs', json: request, reply: Job, ...options });

/** Newest first; `state` keeps only jobs in that state. */
export const list = (client: Client, { state, cursor, limit, signal }: ListOptions & Readonly<{ state?: JobState | undefined }> = {}) =>
  call(client, { path: '/api/v1/jobs', query: { state, cursor, limit }, reply: Jobs, signal });

export const get = (client: Client, jobId: string, options: CallOptions = {}) =>
  call(client, { path: path`/api/v1/jobs/${jobId}`, reply: Job, ...options });

export const cancel = (client: Client, jobId: string, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: path`/api/v1/jobs/${jobId}/cancel`, reply: Job, ...options });

export const retry = (client: Client, jobId: string, options: CallOptions = {}) =>
  call(client, { method: 'POST', path: path`/api/v1/jobs/${jobId}/retry`, reply: Job, ...options });

export const logs = async (client: Client, jobId: string, options: CallOptions = {}): Promise<readonly LogLine[]> =>
  (await call(client, { path: path`/api/v1/jobs/${jobId}/logs`, reply: Logs, ...options })).lines;

/** What happens to one job, in order and across lost connections, until it has ended. */
export async function* events(client: Client, jobId: string, options: SubscribeOptions = {}): AsyncGenerator<JobEvent, void> {
  for await (const message of subscribe(client, path`/api/v1/jobs/${jobId}/events`, options)) {
    const event = parseReply(JobEvent, message.data);
    yield event;
    if (event.type === 'state' && terminalStates.includes(event.job.state)) return;
  }
}

/** Every change of every job that the caller may see, until the signal ends it. */
export async function* changes(client: Client, options: SubscribeOptions = {}): AsyncGenerator<Job, void> {
  for await (const message of subscribe(client, '/api/v1/jobs/events', options)) {
    if (message.event === 'job') yield parseReply(Job, message.data);
  }
}

/** Waits for the end of a job and returns it as it then is. */
export async function ended(client: Client, jobId: string, options: SubscribeOptions = {}): Promise<Job> {
  for await (const event of events(client, jobId, options)) {
    if (event.type === 'state' && terminalStates.includes(event.job.state)) return event.job;
  }
  return get(client, jobId, { signal: options.signal });
}
