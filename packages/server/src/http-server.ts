/** The HTTP server: limits of sockets and headers, the declared routes, one form for every error. */
import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { unsatisfiedRange } from '@weir/content/ranges';
import { errors, WeirError } from '@weir/contracts/errors';
import { actions } from '@weir/security/actions';
import { rateLimitHeaders } from '@weir/security/rate-limits';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply } from 'fastify';
import type { App } from './app.ts';
import type { AnyRoute } from './route.ts';
import { routes as audit } from './routes/audit.ts';
import { routes as content } from './routes/content.ts';
import { routes as grants } from './routes/grants.ts';
import { routes as jobs } from './routes/jobs.ts';
import { routes as keys } from './routes/keys.ts';
import { routes as library } from './routes/library.ts';
import { routes as policies } from './routes/policies.ts';
import { routes as signIn } from './routes/sign-in.ts';
import { routes as status } from './routes/status.ts';
import { routes as tokens } from './routes/tokens.ts';
import { routes as users } from './routes/users.ts';
import { routes as workers } from './routes/workers.ts';
import { RateExceeded, serveRoute } from './serve-route.ts';
import type { ServerTls } from './tls.ts';

/** Unique within an instance, and cheap: a part of its own for each process, then a count. */
const processPart = randomBytes(6).toString('hex');
let requests = 0;
const newRequestId = (): string => `${processPart}-${(requests += 1).toString(36)}`;

/** Every route of the server; tests walk this list. */
export const allRoutes: readonly AnyRoute[] = [
  ...status, ...signIn, ...tokens, ...keys, ...users, ...content, ...policies, ...grants, ...library, ...jobs, ...workers, ...audit,
];

const headersTimeoutMs = 20_000;
const mostHeaderBytes = 32_768;

export function buildHttpServer(app: App, tls: ServerTls | undefined): FastifyInstance {
  const log: FastifyBaseLogger = app.log;
  const server = Fastify({
    loggerInstance: log, logController: new LogController({ disableRequestLogging: true }),
    // One logger for all: what is logged of a request carries its id by itself.
    childLoggerFactory: (logger) => logger, genReqId: newRequestId, bodyLimit: 1, exposeHeadRoutes: false,
    // Uploads take as long as they take: idle sockets end, busy ones do not.
    requestTimeout: 0, connectionTimeout: 0, routerOptions: { maxParamLength: 512, caseSensitive: true, ignoreTrailingSlash: false },
    serverFactory: (handler) => makeServer(app, tls, handler),
  });
  // Bodies are read by `serveRoute`, after it knows whose they are.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
  const common: Record<string, string> = {
    'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store', 'cross-origin-resource-policy': 'same-origin',
    ...(tls === undefined ? {} : { 'strict-transport-security': 'max-age=31536000' }),
  };
  server.addHook('onRequest', (request, reply, done) => {
    reply.headers(common).header('x-request-id', request.id);
    done();
  });
  server.setErrorHandler((error, request, reply) => sendError(app, error, request.id, reply));
  for (const entry of allRoutes) addRoute(server, app, entry);
  return server;
}

function addRoute(server: FastifyInstance, app: App, entry: AnyRoute): void {
  const { method, path, action } = entry.declaration;
  if (!Object.hasOwn(actions, action)) throw new WeirError('internal', `${method} ${path} has no action that the gatekeeper knows; the server does not start with it.`);
  server.route({ method, url: path, handler: (request, reply) => serveRoute(app, entry, request, reply) });
}

function makeServer(app: App, tls: ServerTls | undefined, handler: RequestListener): Server {
  // A header that came twice is joined, not dropped, so that two hosts or two tokens are refused as what they are.
  const options: ServerOptions = { joinDuplicateHeaders: true, keepAliveTimeout: 65_000, maxHeaderSize: mostHeaderBytes, headersTimeout: headersTimeoutMs, requestTimeout: 0, connectionsCheckingInterval: 5_000 };
  const server = tls === undefined ? createServer(options, handler) : tls.createServer(options, handler);
  server.maxConnections = app.config.server.max_connections;
  server.maxRequestsPerSocket = 0;
  // A socket on which nothing moves for two minutes is given up; streams that move are not touched.
  server.setTimeout(120_000);
  return server;
}

/** The form of every error: code, sentence, request id, and what may be said beside it. */
function sendError(app: App, error: unknown, requestId: string, reply: FastifyReply): unknown {
  const known = toKnown(error);
  if (errors[known.code].status >= 500) app.log.error({ err: error, requestId }, 'a request failed');
  const { status, text } = errors[known.code];
  if (error instanceof RateExceeded) reply.headers(rateLimitHeaders(error.verdict));
  if (known.code === 'identity.required') reply.header('www-authenticate', 'Bearer realm="weir"');
  if (known.code === 'content.range' && typeof known.facts['size'] === 'number') reply.header('content-range', unsatisfiedRange(known.facts['size']));
  const message = known.code === 'internal' ? text : known.message;
  // The rest of a refused body is not read: the connection ends with the answer.
  if (!reply.request.raw.complete) reply.header('connection', 'close');
  return reply.code(status).header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify({ error: { ...known.facts, code: known.code, message, request_id: requestId } }));
}

function toKnown(error: unknown): WeirError {
  if (error instanceof WeirError) return error;
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : undefined;
  if (status === 413) return new WeirError('request.too_large', undefined, { cause: error });
  if (typeof status === 'number' && status >= 400 && status < 500) return new WeirError('request.invalid', undefined, { cause: error });
  return new WeirError('internal', undefined, { cause: error });
}
