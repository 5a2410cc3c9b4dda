/**
 * What happens to every request, in this order: host, address, origin, evidence, limits, admission, body, handler, reply.
 * Each step goes on at once when it knows its answer (`after`): a request that needs no store waits for nothing.
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { WeirError } from '@weir/contracts/errors';
import { toInstant } from '@weir/contracts/identity';
import { serverTimeFact } from '@weir/contracts/instance';
import { clientAddress } from '@weir/security/client-address';
import type { AccessRequest, Admission, Resource } from '@weir/security/gatekeeper';
import { EvidenceRefused, type Identity } from '@weir/security/identity';
import { after, rescue, type Maybe } from '@weir/security/maybe';
import { limitKey } from '@weir/security/networks';
import { cookieCounts, originAllowed, proxyCounts, type BrowserRequest } from '@weir/security/origins';
import { rateLimitHeaders, type RateVerdict } from '@weir/security/rate-limits';
import { digestOfBody } from '@weir/security/request-signing/dffmpeg';
import { z } from 'zod';
import type { App } from './app.ts';
import { digestChecked, hasBody, maxBodyBytes, readBody, readJson } from './body.ts';
import { isContinuation } from './continued-readings.ts';
import { identify, readEvidence, sessionCookie, type Evidence, type Identified } from './evidence.ts';
import { lastingRight } from './lasting-right.ts';
import type { StoredHolding } from './object-store.ts';
import { readProxyClaim, type ProxyClaim } from './proxy-claim.ts';
import type { Reply } from './reply.ts';
import type { AnyRoute, Context } from './route.ts';
import { signAnswers } from './signed-answers.ts';
import { redeem, viewingCookie } from './tickets.ts';
import { peerOf, unixPeer } from './unix-socket.ts';

const emptyDigest = digestOfBody(Buffer.alloc(0));

/** `named` are the parameters in the path, as they were found there. Throws or rejects with what the caller is to be told. */
export function serveRoute(app: App, route: AnyRoute, incoming: IncomingMessage, named: unknown, reply: Reply): Maybe<void> {
  const { action } = route.declaration;
  const { requestId } = reply;
  const address = arrive(app, incoming, { action, requestId });
  const facts = { action, address, requestId };
  return after(evidenceOf(app, incoming, facts), (evidence) => {
    // A signature covers the body, so a signed body is read before anything is known, but never more than a MiB of it.
    const signed = evidence.signature === undefined || !hasBody(incoming) ? undefined : readBody(incoming, maxBodyBytes);
    return after(signed, (signedBody) => {
      const since = app.gatekeeper.epochs.sequence;
      return after(identifyOrCount(app, evidence, incoming, signedBody, facts), (identified) =>
        serveIdentified({ app, route, incoming, named, reply, facts, evidence, signedBody, since }, identified));
    });
  });
}

type Arrived = Readonly<{
  app: App; route: AnyRoute; incoming: IncomingMessage; named: unknown; reply: Reply; facts: Facts; evidence: Evidence; signedBody: Buffer | undefined; since: number;
}>;

/** Limits, then admission. */
function serveIdentified(arrived: Arrived, identified: Identified): Maybe<void> {
  const { app, route: { declaration }, incoming, named, reply, facts, evidence, since } = arrived;
  const { identity, grant } = identified;
  // A media element shows that its browser is in use; a token may be anywhere.
  if (identity.via !== 'token' && identity.sessionId !== undefined) app.sessionUse.note(identity.sessionId);
  // A link that stands alone leaves the signature beside it unread.
  if (evidence.message !== undefined && identity.authenticated) signAnswers(app, incoming, reply);
  const parameters: unknown = declaration.parameters === undefined ? none : parse(declaration.parameters, named, 'address');
  return after(countRequest(app, declaration, identified, facts, parameters), (verdict) => {
    if (verdict !== undefined) reply.headers(rateLimitHeaders(verdict));
    const query = readQuery(app, declaration, incoming, evidence);
    const resource: Resource = declaration.resource?.(parameters, query) ?? nothing;
    const access: AccessRequest = {
      identity, grant, action: declaration.action, resource, address: facts.address, requestId: facts.requestId, client: clientOf(identity, incoming, facts.requestId), since,
    };
    const redeemed = (): Maybe<void> => (identity.pass === undefined ? undefined : countingRefusals(app, facts, () => redeem(app, identity, declaration.action, resource)));
    return noting(app, access, () =>
      after(after(redeemed(), () => app.gatekeeper.admit(access)), (admission) => serveAdmitted(arrived, access, admission, parameters, query)));
  });
}

/** The body, the handler, the reply. */
function serveAdmitted({ app, route, incoming, reply, evidence, signedBody }: Arrived, access: AccessRequest, admission: Admission<StoredHolding>, parameters: unknown, query: unknown): Maybe<void> {
  const { declaration } = route;
  const { address, requestId } = access;
  const sent = signedBody === undefined ? incoming : Readable.from([signedBody]);
  const upload = evidence.message === undefined ? sent : digestChecked(sent, evidence.message);
  return after(countingRefusals(app, access, () => bodyOf(declaration.body, incoming, upload)), (body) => {
    const request = { app, admission, principal: access.identity.principal ?? '', parameters, query, body, address, requestId, incoming, upload, reply };
    return declaration.reply === 'stream' ? serveStream(route, access, request)
      : after(handled(route, request, undefined), (result) => sendResult(declaration, result, reply));
  });
}
const none = Object.freeze({});
const nothing: Resource = { kind: 'none' };

/** What is not content ends by itself when the caller's right ends; content has its viewers. */
async function serveStream(route: AnyRoute, access: AccessRequest, request: Request): Promise<void> {
  using right = request.admission.holding === undefined ? lastingRight(request.app, access, request.admission) : undefined;
  await handled(route, request, right?.signal);
}

/** A proof that a route was brought (a sign-in link, a passkey) and refuses counts like evidence that came beside a request. */
function handled(route: AnyRoute, request: Request, right: AbortSignal | undefined): Maybe<unknown> {
  const { app, address, requestId } = request;
  return countingRefusals(app, { action: route.declaration.action, address, requestId }, () => route.handle(new Serving(request, right)));
}

function sendResult({ reply: schema, status = 200 }: AnyRoute['declaration'], result: unknown, reply: Reply): void {
  if (schema === undefined || schema === 'stream') {
    reply.send(204);
    return;
  }
  const { text, bytes } = print(schema, result);
  reply.sendJson(status, text, bytes);
}

type Printed = Readonly<{ text: string; bytes: number }>;
/** Replies that handlers give again and again are frozen, and checked and printed once. */
const printed = new WeakMap<object, Printed>();

function print(schema: z.ZodType, result: unknown): Printed {
  const kept = typeof result === 'object' && result !== null && Object.isFrozen(result) ? result : undefined;
  const known = kept === undefined ? undefined : printed.get(kept);
  if (known !== undefined) return known;
  const text = JSON.stringify(schema.parse(result));
  const fresh = { text, bytes: Buffer.byteLength(text) };
  if (kept !== undefined) printed.set(kept, fresh);
  return fresh;
}

type Request = Omit<Context<unknown, unknown, unknown>, 'signal'>;

/** A request in the hands of its handler. The signal is made only for handlers that wait for something: most answer at once. */
class Serving implements Context<unknown, unknown, unknown> {
  readonly app: App;
  readonly admission: Admission<StoredHolding>;
  readonly principal: string;
  readonly parameters: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly address: string;
  readonly requestId: string;
  readonly incoming: IncomingMessage;
  readonly upload: AsyncIterable<Uint8Array>;
  readonly reply: Reply;
  readonly #right: AbortSignal | undefined;
  #signal: AbortSignal | undefined;

  constructor({ app, admission, principal, parameters, query, body, address, requestId, incoming, upload, reply }: Request, right: AbortSignal | undefined) {
    this.app = app;
    this.admission = admission;
    this.principal = principal;
    this.parameters = parameters;
    this.query = query;
    this.body = body;
    this.address = address;
    this.requestId = requestId;
    this.incoming = incoming;
    this.upload = upload;
    this.reply = reply;
    this.#right = right;
  }

  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal;
    const aborter = new AbortController();
    // Where the answer is complete nobody waits for the signal any more.
    const onClose = (): void => { if (!this.reply.raw.writableFinished) aborter.abort(new WeirError('request.timeout', 'The caller went away.')); };
    this.reply.raw.once('close', onClose);
    if (this.reply.raw.destroyed) onClose();
    this.#signal = AbortSignal.any([aborter.signal, this.app.stopping, ...(this.#right === undefined ? [] : [this.#right])]);
    return this.#signal;
  }
}

/** A message that is read in one way, host allowlist, then where the request comes from, then Origin. */
export function arrive(app: App, incoming: IncomingMessage, about: Omit<Facts, 'address'>): string {
  const { headers } = incoming;
  // The parser lets HTTP/0.9 and 2.0 pass, and the joining of headers two hosts (RFC 9112 §2.3, §3.2).
  if (incoming.httpVersionMajor !== 1 || headers.host?.includes(',') === true) throw new WeirError('request.invalid', 'Speak HTTP/1.1, and name one host.');
  const peer = peerOf(incoming.socket);
  if (!app.hosts.allows(headers.host)) throw noted(app, { ...about, address: peer === undefined || peer === unixPeer ? '127.0.0.1' : peer }, new WeirError('request.host'));
  // The router ends the path at a #, which no other reader of it does.
  if (incoming.url?.startsWith('/') !== true || incoming.url.includes('#')) throw new WeirError('request.invalid', 'Send the path alone as the target of the request.');
  if (peer === undefined) throw new WeirError('request.invalid', 'The connection has no address.');
  const forwarded = headers['x-forwarded-for'];
  const address = peer === unixPeer ? clientAddress('127.0.0.1', forwarded, app.socketProxies) : clientAddress(peer, forwarded, app.proxies);
  const changes = incoming.method !== 'GET' && incoming.method !== 'HEAD';
  if ((changes || headers.upgrade !== undefined) && !originAllowed(headers.origin, app.ownOrigins, app.allowedOrigins)) throw noted(app, { ...about, address }, new WeirError('origin.refused'));
  return address;
}

/** What the request shows of who it comes from, as it came. What can't be read is refused and counted like what is wrong. */
export function evidenceOf(app: App, incoming: IncomingMessage, facts: Facts): Maybe<Evidence> {
  const { headers, method = 'GET', url: target = '/' } = incoming;
  return countingRefusals(app, facts, () => readEvidence({ method, target, headers }, {
    instance: app.instanceId, cookieName: sessionCookie(app.secure), viewingName: viewingCookie(app.secure), queryTokens: app.config.streaming_security.allow_query_tokens, proxy: proxyClaim(app, incoming),
    cookieCounts: headers.cookie !== undefined && cookieCounts(saidByBrowser(incoming), app.ownOrigins),
  }));
}

function proxyClaim(app: App, incoming: IncomingMessage): ProxyClaim | undefined {
  if (app.proxyHeaders === undefined) return undefined;
  const claim = readProxyClaim(app.proxyHeaders, incoming, peerOf(incoming.socket));
  return claim !== undefined && proxyCounts(saidByBrowser(incoming), app.ownOrigins) ? claim : undefined;
}

function saidByBrowser({ headers, method = 'GET' }: IncomingMessage): BrowserRequest {
  const fetchSite = headers['sec-fetch-site'];
  return { method, origin: headers.origin, fetchSite: typeof fetchSite === 'string' ? fetchSite : undefined, opensSocket: headers.upgrade !== undefined };
}

/** What is asked for and not done must not seem done, so a route that reads no query takes none; who asks whether the server lives may add what he likes. */
function readQuery(app: App, { query, action }: AnyRoute['declaration'], incoming: IncomingMessage, evidence: Evidence): unknown {
  if (query === undefined && (action === 'health.read' || incoming.url?.includes('?') !== true)) return none;
  return parse(query ?? noQuery, queryOf(incoming, evidence, app.config.streaming_security.allow_query_tokens), 'query');
}
const noQuery = z.strictObject({});

/** Without the evidence in it that any route takes. Each name once: of two values every reader takes another one. */
function queryOf({ url = '/' }: IncomingMessage, { ticket }: Evidence, queryTokens: boolean): object {
  const mark = url.indexOf('?');
  const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
  if (ticket !== undefined) query.delete('ticket');
  if (queryTokens) query.delete('token');
  const values = Object.fromEntries(query);
  if (Object.values(values).some((value) => value.includes('\0'))) throw new WeirError('request.invalid', 'The query holds a NUL (%00), which no text here may.');
  if (Object.keys(values).length !== query.size) throw new WeirError('request.invalid', 'The query names something twice; say it once.');
  return values;
}

type Facts = Readonly<{ action: AnyRoute['declaration']['action']; address: string; requestId: string }>;

/** Who the request comes from. Every refused evidence is the same 401; too many of them from one place become 429, which no correct proof ever meets. */
export function identifyOrCount(app: App, evidence: Evidence, incoming: IncomingMessage, body: Buffer | undefined, facts: Facts): Maybe<Identified> {
  return noting(app, facts, () => countingRefusals(app, facts, () => (app.gatekeeper.epochs.fresh ? identifyNow(app, evidence, incoming, body, facts.address)
    : app.gatekeeper.epochs.ensureFresh().then(() => identifyNow(app, evidence, incoming, body, facts.address)))));
}

type About = Parameters<App['gatekeeper']['noteRefusal']>[1];

function noted<E>(app: App, about: About, error: E): E {
  app.gatekeeper.noteRefusal(error, about);
  return error;
}

/** Whatever is refused on the way, and by whom, the audit tells. */
function noting<T>(app: App, about: About, ask: () => Maybe<T>): Maybe<T> {
  return rescue(ask, (error) => { throw noted(app, about, error); });
}

/** Asks something about evidence; a refusal is counted and becomes the one answer that every refused evidence gets. */
export function countingRefusals<T>(app: App, facts: Facts, ask: () => Maybe<T>): Maybe<T> {
  const count = (error: unknown): Maybe<never> => {
    if (!(error instanceof EvidenceRefused)) throw error;
    app.gatekeeper.refuseEvidence(error, facts);
    return after(app.limits.take('auth_failures', limitKey(facts.address), performance.now()), (verdict) => {
      if (!verdict.allowed) throw new RateExceeded(verdict);
      throw error.isRightButForTime ? new WeirError('identity.clock', undefined, { facts: { [serverTimeFact]: toInstant(app.clock()) } }) : new WeirError('identity.required');
    });
  };
  return rescue(ask, count);
}

function identifyNow(app: App, evidence: Evidence, { url: target = '/', method = 'GET' }: IncomingMessage, body: Buffer | undefined, address: string): Maybe<Identified> {
  const mark = target.indexOf('?');
  const signed = { method, path: mark === -1 ? target : target.slice(0, mark), target, bodyDigest: body === undefined || body.length === 0 ? emptyDigest : digestOfBody(body) };
  return identify(app.gatekeeper.identities, app.replay, evidence, signed, address);
}

/** What is left of the request's limit; undefined where none counts. Throws `RateExceeded` past it. */
function countRequest(app: App, declaration: AnyRoute['declaration'], identified: Identified, facts: Facts, parameters: unknown): Maybe<RateVerdict | undefined> {
  const { identity } = identified;
  const { address } = facts;
  if (declaration.action === 'health.read' || isContinuation(app, declaration, identified, address, parameters)) return undefined;
  return after(app.limits.take(declaration.limit ?? 'default', identity.principal ?? limitKey(address), performance.now()), (verdict) => {
    if (verdict.allowed) return verdict;
    app.gatekeeper.refuse({ identity, ...facts }, 'rate.exceeded', 'rate limit');
    throw new RateExceeded(verdict);
  });
}

export class RateExceeded extends WeirError {
  override name = 'WeirError';
  readonly verdict: RateVerdict;
  constructor(verdict: RateVerdict) {
    super('rate.exceeded', `Too many requests; try again in ${verdict.retryAfterSeconds} s.`);
    this.verdict = verdict;
  }
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

function bodyOf(declared: AnyRoute['declaration']['body'], incoming: IncomingMessage, upload: AsyncIterable<Uint8Array>): Maybe<unknown> {
  if (declared === 'stream') return undefined;
  if (declared !== undefined) return readJson(incoming, upload).then((value) => parse(declared, value, 'body'));
  if (hasBody(incoming)) throw new WeirError('request.invalid', 'This takes no body.');
  return undefined;
}
