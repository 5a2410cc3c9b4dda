/** Jobs of the fleet: submitted, watched, cancelled; and the parts of running ones, for the workers that hold them. */
import type { HoldingRow } from '@weir/content/store';
import { holdingById } from '@weir/content/holdings';
import { WeirError } from '@weir/contracts/errors';
import { ListQuery, page, PrincipalId, Ulid } from '@weir/contracts/identity';
import { Job, JobRequest, JobState, LogLine, OutputName, Recipe } from '@weir/contracts/jobs';
import { sendContent } from '@weir/delivery/http-media';
import type { Coordinator } from '@weir/fleet/coordinator/coordinator';
import { recipes } from '@weir/fleet/recipes/index';
import { parseCid } from '@weir/security/content-id';
import { inheritPolicy } from '@weir/security/policies';
import { z } from 'zod';
import type { App } from '../app.ts';
import { jobChanges } from '../job-changes.ts';
import { route, type Context } from '../route.ts';
import { sendEvents } from '../server-sent-events.ts';

const ById = z.strictObject({ id: Ulid });
const List = z.strictObject({ ...ListQuery, state: JobState.optional(), owner: PrincipalId.optional() });
const job = ({ id }: { id: string }) => ({ kind: 'object', type: 'job', id }) as const;

export function fleet(app: App): Coordinator {
  if (app.coordinator === undefined) throw new WeirError('system.missing', app.fleetProblem ?? 'The fleet is switched off ([fleet] enabled = false).');
  return app.coordinator;
}

export const routes = [
  route({
    method: 'GET', path: '/api/v1/recipes', action: 'recipe.list', reply: page(Recipe), summary: 'What jobs can be made of, with the JSON Schema of their parameters',
  }, async () => ({ items: recipes.map((recipe) => recipe.message), next_cursor: null })),

  route({
    method: 'POST', path: '/api/v1/jobs', action: 'job.submit', body: JobRequest, reply: Job, status: 201, limit: 'jobs', resource: () => ({ kind: 'own' }),
    summary: 'Submit a job: a recipe with parameters, or vetted ffmpeg arguments',
  }, submit),

  route({
    method: 'GET', path: '/api/v1/jobs', action: 'job.read', query: List, reply: page(Job), resource: (_, { owner }) => ({ kind: 'own', owner }),
    summary: 'Your jobs, newest first; with access_all_jobs also another owner’s',
  }, async ({ app, principal, query }) => {
    const items = await fleet(app).list({ owner: query.owner ?? principal, state: query.state ?? null, before: query.cursor ?? null, limit: query.limit });
    return { items, next_cursor: items.length === query.limit ? (items.at(-1)?.job_id ?? null) : null };
  }),

  route({
    method: 'GET', path: '/api/v1/jobs/events', action: 'job.read', query: z.strictObject({ owner: PrincipalId.optional() }), reply: 'stream',
    resource: (_, { owner }) => ({ kind: 'own', owner }), summary: 'Server-sent events `job`: your newest jobs, then each as it changes',
  }, async ({ app, principal, query, reply, signal }) => sendEvents(reply, 'job', jobChanges(fleet(app), query.owner ?? principal, signal), signal)),

  route({ method: 'GET', path: '/api/v1/jobs/:id', action: 'job.read', parameters: ById, reply: Job, resource: job, summary: 'One job' },
    async ({ app, parameters }) => fleet(app).get(parameters.id)),

  route({ method: 'POST', path: '/api/v1/jobs/:id/cancel', action: 'job.cancel', parameters: ById, reply: Job, resource: job, summary: 'End a job' },
    async ({ app, parameters, principal }) => fleet(app).cancel(parameters.id, principal)),

  route({ method: 'POST', path: '/api/v1/jobs/:id/retry', action: 'job.retry', parameters: ById, reply: Job, resource: job, summary: 'Try a failed job again' },
    async ({ app, parameters, principal }) => fleet(app).retry(parameters.id, principal)),

  route({
    method: 'GET', path: '/api/v1/jobs/:id/logs', action: 'job.read', parameters: ById, query: z.strictObject({ follow: z.enum(['0', '1']).default('0') }), reply: 'stream', resource: job,
    summary: 'The log; with follow=1 as server-sent events until the job ends',
  }, async ({ app, parameters, query, reply, signal }) => {
    if (query.follow === '1') return sendEvents(reply, 'log', fleet(app).followLogs(parameters.id, signal), signal);
    const lines = z.array(LogLine).parse(await fleet(app).logs(parameters.id));
    reply.sendJson(200, JSON.stringify({ lines }));
  }),

  route({
    method: 'GET', path: '/api/v1/jobs/:id/events', action: 'job.read', parameters: ById, reply: 'stream', resource: job, summary: 'Server-sent events: state, progress, log',
  }, async ({ app, parameters, reply, signal }) => sendEvents(reply, ({ type }) => type, fleet(app).events(parameters.id, signal), signal)),

  route({
    method: 'GET', path: '/api/v1/jobs/:id/inputs/:index', action: 'job.lease', parameters: z.strictObject({ id: Ulid, index: z.coerce.number().int().min(0).max(15) }), reply: 'stream',
    resource: ({ id, index }) => ({ kind: 'job-part', job: id, part: `input:${index}` }), summary: 'One input, for the worker that holds the job',
  }, sendInput),

  route({
    method: 'PUT', path: '/api/v1/jobs/:id/outputs/:name', action: 'job.report', parameters: z.strictObject({ id: Ulid, name: OutputName }), body: 'stream',
    resource: ({ id, name }) => ({ kind: 'job-part', job: id, part: `output:${name}` }), summary: 'One output, from the worker that holds the job',
  }, async ({ app, admission, principal, parameters, incoming, requestId, upload, signal }) => {
    const size = Number(incoming.headers['content-length']);
    if (!Number.isSafeInteger(size)) throw new WeirError('request.invalid', 'An output is sent with its Content-Length.');
    const claimed = incoming.headers['x-weir-sha256'];
    await fleet(app).receiveOutput({ job: parameters.id, fence: admission.identity.job?.fence ?? 0, worker: principal }, {
      name: parameters.name, size, sha256: typeof claimed === 'string' ? claimed : undefined, bytes: upload, signal,
    });
    app.audit.opened(admission, requestId, `job:${parameters.id}/output:${parameters.name}`);
  }),
];

async function submit({ app, admission, principal, body, address, requestId, incoming }: Context<unknown, unknown, JobRequest>): Promise<z.input<typeof Job>> {
  const { identity } = admission;
  const holdings = new Map<string, HoldingRow>();
  const idempotencyKey = incoming.headers['idempotency-key'];
  if (idempotencyKey !== undefined && (typeof idempotencyKey !== 'string' || idempotencyKey.length > 128)) throw new WeirError('request.invalid', 'An Idempotency-Key has at most 128 characters.');
  return fleet(app).submit(principal, body, {
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    async resolveInput(cid) {
      const admitted = await app.gatekeeper.admit({ identity, action: 'content.read', resource: { kind: 'content', digest: parseCid(cid).digest }, address, requestId });
      if (admitted.holding === undefined) throw new WeirError('object.absent');
      const { row } = admitted.holding;
      holdings.set(row.id, row);
      return { holding: row.id, cid: row.cid, size: row.size, contentType: row.content_type };
    },
    async inherit(ids) {
      return inheritPolicy(principal, ids.flatMap((id) => holdings.get(id) ?? []));
    },
  });
}

/** The plaintext goes to the worker that holds the lease, and to nobody else; ranges let it go on where a connection broke. */
async function sendInput({ app, admission, principal, parameters, incoming, reply, requestId, signal }: Context<{ id: string; index: number }, unknown, unknown>): Promise<void> {
  const fence = admission.identity.job?.fence ?? 0;
  const input = await fleet(app).openInput(parameters.id, fence, principal, parameters.index);
  const row = await holdingById(app.data.read, input.holding);
  if (row === undefined) throw new WeirError('object.absent');
  // A worker that goes on where a connection broke opens nothing new.
  if (/^bytes=[1-9]/.exec(incoming.headers.range ?? '') === null) app.audit.opened(admission, requestId, `job:${parameters.id}/input:${parameters.index}`);
  const response = reply.stream();
  const media = {
    size: row.size, contentType: 'application/octet-stream', title: `input-${parameters.index}`, etag: `"${row.blob}"`, cacheControl: 'private, no-store', pace: 'kernel' as const,
    open: () => app.content.open(row),
  };
  try {
    await sendContent(response, incoming.headers, media, signal);
  } catch (error) {
    if (!response.headersSent) throw error;
    app.log.warn({ err: error, job: parameters.id }, 'an input was not sent to the end');
  }
}
