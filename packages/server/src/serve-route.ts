/** What happens to every request, in this order: host, address, origin, evidence, limits, admission, body, handler, reply. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { WeirError } from '@weir/contracts/errors';
import { clientAddress } from '@weir/security/client-address';
import type { AccessRequest, Resource } from '@weir/security/gatekeeper';
import { EvidenceRefused, type Identity } from '@weir/security/identity';
import { limitKey, peerAddress } from '@weir/security/networks';
import { cookieCounts, originAllowed } from '@weir/security/origins';
import { rateLimitHeaders, type RateVerdict } from '@weir/security/rate-limits';
import { constantTimeEqual } from '@weir/security/secret';
import { digestOfBody } from '@weir/security/request-signing/dffmpeg';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { App } from './app.ts';
import { identify, readEvidence, sessionCookie, type Evidence, type Identified } from './evidence.ts';
import { isContinuation } from './continued-readings.ts';
import { lastingRight } from './lasting-right.ts';
import type { AnyRoute } from './route.ts';

/** Bodies that are parsed, or that a `dffmpeg` signature covers, in bytes. */
export const maxBodyBytes = 1 << 20;
/** A body that is held in memory arrives within this time. */
const bodyDeadlineMs = 30_000;
const emptyDigest = digestOfBody(Buffer.alloc(0));

export async function serveRoute(app: App, { declaration, handle }: AnyRoute, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const requestId = request.id;
  const incoming = request.raw;
  const address = arrive(app, incoming);
  const facts = { action: declaration.action, address, requestId };
  const { evidence, query } = evidenceOf(app, incoming);

  // A signature covers the body, so a signed body is read before anything is known, but never more than a MiB of it.
  const signedBody = evidence.signature === undefined || !hasBody(incoming) ? undefined : await readBody(incoming, maxBodyBytes);
  const since = app.gatekeeper.epochs.sequence;
  const identified = await identifyOrCount(app, evidence, incoming, signedBody, facts);
  const { identity, grant } = identified;

  const parameters: unknown = declaration.parameters === undefined ? {} : parse(declaration.parameters, request.params, 'address');
  if (declaration.action !== 'health.read' && !isContinuation(app, declaration, identified, address, parameters)) {
    const taken = app.limits.take(declaration.limit ?? 'default', identity.principal ?? limitKey(address), performance.now());
    const verdict = taken instanceof Promise ? await taken : taken;
    reply.headers(rateLimitHeaders(verdict));
    if (!verdict.allowed) throw tooMany(app, identity, facts, verdict);
  }
  const parsedQuery: unknown = declaration.query === undefined ? {} : parse(declaration.query, Object.fromEntries(query), 'query');
  const resource: Resource = declaration.resource?.(parameters, parsedQuery) ?? { kind: 'none' };
  const client = clientOf(identity, incoming, requestId);
  const access: AccessRequest = { identity, grant, action: declaration.action, resource, address, requestId, client, since };
  const admission = await app.gatekeeper.admit(access);

  const sent = signedBody === undefined ? incoming : Readable.from([signedBody]);
  const upload = evidence.message === undefined ? sent : digestChecked(sent, evidence.message.contentDigest);
  const body = await bodyOf(declaration.body, incoming, upload);
  using right = declaration.reply === 'stream' && admission.holding === undefined ? lastingRight(app, access, admission) : undefined;
  const leaving = new Leaving(app, reply, right?.signal);
  const result = await handle({
    app, admission, principal: identity.principal ?? '', parameters, query: parsedQuery, body, address, requestId, incoming, upload, reply,
    get signal() { return leaving.signal; },
  });
  if (declaration.reply === 'stream') return reply;
  if (declaration.reply === undefined) return reply.code(204).send();
  return reply.code(declaration.status ?? 200).header('content-type', 'application/json; charset=utf-8').send(print(declaration.reply, result));
}

/** Replies that handlers give again and again are frozen, and checked and printed once. */
const printed = new WeakMap<object, string>();

function print(schema: z.ZodType, result: unknown): string {
  if (typeof result !== 'object' || result === null || !Object.isFrozen(result)) return JSON.stringify(schema.parse(result));
  let text = printed.get(result);
  if (text === undefined) printed.set(result, text = JSON.stringify(schema.parse(result)));
  return text;
}

/** The signal of a request, made only for the handlers that wait for something: most answer at once. */
class Leaving {
  readonly #app: App;
  readonly #reply: FastifyReply;
  readonly #right: AbortSignal | undefined;
  #signal: AbortSignal | undefined;

  constructor(app: App, reply: FastifyReply, right: AbortSignal | undefined) {
    this.#app = app;
    this.#reply = reply;
    this.#right = right;
  }

  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal;
    const aborter = new AbortController();
    const onClose = (): void => aborter.abort(new WeirError('request.timeout', 'The caller went away.'));
    this.#reply.raw.once('close', onClose);
    if (this.#reply.raw.destroyed) onClose();
    this.#signal = AbortSignal.any([aborter.signal, this.#app.stopping, ...(this.#right === undefined ? [] : [this.#right])]);
    return this.#signal;
  }
}

/** Host allowlist, then where the request comes from, then Origin. */
export function arrive(app: App, incoming: IncomingMessage): string {
  if (!app.hosts.allows(incoming.headers.host)) throw new WeirError('request.host');
  if (incoming.url?.startsWith('/') !== true) throw new WeirError('request.invalid', 'Send the path alone as the target of the request.');
  const peer = peerAddress(incoming.socket.remoteAddress);
  if (peer === undefined) throw new WeirError('request.invalid', 'The connection has no address.');
  const forwarded = incoming.headers['x-forwarded-for'];
  const address = clientAddress(peer, forwarded, app.proxies);
  const { origin } = incoming.headers;
  const changes = incoming.method !== 'GET' && incoming.method !== 'HEAD';
  if ((changes || incoming.headers.upgrade !== undefined) && !originAllowed(origin, app.ownOrigins, app.allowedOrigins)) throw new WeirError('origin.refused');
  return address;
}

export function evidenceOf(app: App, incoming: IncomingMessage): { evidence: Evidence; query: URLSearchParams } {
  const target = incoming.url ?? '/';
  const method = incoming.method ?? 'GET';
  const { headers } = incoming;
  const fetchSite = headers['sec-fetch-site'];
  const counts = cookieCounts({
    method, origin: headers.origin, fetchSite: typeof fetchSite === 'string' ? fetchSite : undefined, opensSocket: headers.upgrade !== undefined,
  }, app.ownOrigins);
  const evidence = readEvidence({ method, target, headers }, { instance: app.instanceId, cookieName: sessionCookie(app.secure), cookieCounts: counts });
  const mark = target.indexOf('?');
  return { evidence, query: mark === -1 ? noQuery : new URLSearchParams(target.slice(mark + 1)) };
}
const noQuery = new URLSearchParams();

type Facts = Readonly<{ action: AnyRoute['declaration']['action']; address: string; requestId: string }>;

/** Who the request comes from. Every refused evidence is the same 401; too many of them from one place become 429, which no correct proof ever meets. */
export async function identifyOrCount(
  app: App, evidence: Evidence, incoming: IncomingMessage, body: Buffer | undefined, facts: Facts,
): Promise<Identified> {
  return countingRefusals(app, facts, async () => {
    await app.gatekeeper.epochs.ensureFresh();
    const target = incoming.url ?? '/';
    const path = target.includes('?') ? target.slice(0, target.indexOf('?')) : target;
    const signed = { method: incoming.method ?? 'GET', path, target, bodyDigest: body === undefined || body.length === 0 ? emptyDigest : digestOfBody(body) };
    return identify(app.gatekeeper.identities, app.replay, evidence, signed, facts.address);
  });
}

/** Asks something about evidence; a refusal is counted and becomes the one answer that every refused evidence gets. */
export async function countingRefusals<T>(app: App, facts: Facts, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof EvidenceRefused)) throw error;
    app.gatekeeper.refuseEvidence(error, facts);
    const verdict = await app.limits.take('auth_failures', limitKey(facts.address), performance.now());
    if (!verdict.allowed) throw new RateExceeded(verdict);
    throw new WeirError('identity.required');
  }
}

export class RateExceeded extends WeirError {
  override name = 'WeirError';
  readonly verdict: RateVerdict;
  constructor(verdict: RateVerdict) {
    super('rate.exceeded', `Too many requests; try again in ${verdict.retryAfterSeconds} s.`);
    this.verdict = verdict;
  }
}

function tooMany(app: App, identity: Identity, facts: Facts, verdict: RateVerdict): RateExceeded {
  app.gatekeeper.refuse({ identity, ...facts }, 'rate.exceeded', 'rate limit');
  return new RateExceeded(verdict);
}

/** Requests of one browser session, or of one player with a link, are one client; every other request is its own. */
function clientOf(identity: Identity, incoming: IncomingMessage, requestId: string): string {
  if (identity.sessionId !== undefined) return identity.sessionId;
  const agent = incoming.headers['user-agent'];
  return agent?.startsWith('Mozilla/') === true ? agent.slice(0, 200) : requestId;
}

function parse(schema: z.ZodType, value: unknown, what: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new WeirError('request.invalid', `The ${what} is refused: ${z.prettifyError(result.error).replace(/\s+/g, ' ').slice(0, 1_000)}`);
}

async function bodyOf(declared: AnyRoute['declaration']['body'], incoming: IncomingMessage, upload: AsyncIterable<Uint8Array>): Promise<unknown> {
  if (declared === 'stream') return undefined;
  if (declared === undefined) {
    if (hasBody(incoming)) throw new WeirError('request.invalid', 'This takes no body.');
    return undefined;
  }
  const type = incoming.headers['content-type'];
  if (type === undefined || !/^application\/json\s*(;|$)/i.test(type)) throw new WeirError('request.invalid', 'Send the body as application/json.');
  const bytes = await readBody(incoming, maxBodyBytes, upload);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new WeirError('request.invalid', 'The body is not JSON.', { cause });
  }
  return parse(declared, value, 'body');
}

const hasBody = (incoming: IncomingMessage): boolean =>
  incoming.headers['transfer-encoding'] !== undefined || (incoming.headers['content-length'] ?? '0') !== '0';

/** Passes a body on and fails at its end unless it is the one that was signed: nothing is done with a body before its end. */
async function* digestChecked(body: AsyncIterable<Uint8Array>, signed: Buffer | undefined): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  for await (const piece of body) {
    digest.update(piece);
    yield piece;
  }
  if (signed === undefined ? false : !constantTimeEqual(digest.digest(), signed)) throw new WeirError('identity.required');
}

/** The whole body, refused past `limit` before it is read where its length is announced. */
async function readBody(incoming: IncomingMessage, limit: number, body: AsyncIterable<Uint8Array> = incoming): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > limit) throw new WeirError('request.too_large', `A body may have at most ${limit} bytes here.`);
  const deadline = setTimeout(() => incoming.destroy(new WeirError('request.timeout')), bodyDeadlineMs);
  using _deadline = { [Symbol.dispose]: () => clearTimeout(deadline) };
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limit) throw new WeirError('request.too_large', `A body may have at most ${limit} bytes here.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

