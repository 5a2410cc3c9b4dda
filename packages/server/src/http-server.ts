/** The HTTP server: limits of sockets and headers, the declared routes, one form for every error. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { unsatisfiedRange } from '@weir/content/ranges';
import { errors, WeirError } from '@weir/contracts/errors';
import { actions } from '@weir/security/actions';
import type { Maybe } from '@weir/security/maybe';
import { rateLimitHeaders } from '@weir/security/rate-limits';
import Router from 'find-my-way';
import type { App } from './app.ts';
import { hasBody } from './body.ts';
import { allowReading, answerPreflight, isPreflight } from './cross-origin.ts';
import { Reply } from './reply.ts';
import type { AnyRoute } from './route.ts';
import { routes as access } from './routes/access.ts';
import { routes as audit } from './routes/audit.ts';
import { routes as content } from './routes/content.ts';
import { routes as grants } from './routes/grants.ts';
import { routes as jobs } from './routes/jobs.ts';
import { routes as keys } from './routes/keys.ts';
import { routes as library } from './routes/library.ts';
import { routes as oidc } from './routes/oidc.ts';
import { routes as passkeys } from './routes/passkeys.ts';
import { routes as policies } from './routes/policies.ts';
import { routes as signIn } from './routes/sign-in.ts';
import { routes as status } from './routes/status.ts';
import { routes as stepUp } from './routes/step-up.ts';
import { routes as tickets } from './routes/tickets.ts';
import { routes as tokens } from './routes/tokens.ts';
import { routes as users } from './routes/users.ts';
import { routes as workers } from './routes/workers.ts';
import { arrive, RateExceeded, serveRoute } from './serve-route.ts';
import { signAnswers } from './signed-answers.ts';
import type { ServerTls } from './tls.ts';
import type { WebPage } from './web-page.ts';

/** Unique within an instance, and cheap: a part of its own for each process, then a count. */
const processPart = randomBytes(6).toString('hex');
let requests = 0;
const newRequestId = (): string => `${processPart}-${(requests += 1).toString(36)}`;

/** Every route of the server; tests walk this list. */
export const allRoutes: readonly AnyRoute[] = [
  ...status, ...signIn, ...passkeys, ...oidc, ...stepUp, ...tokens, ...tickets, ...keys, ...users, ...content, ...policies, ...access, ...grants, ...library, ...jobs, ...workers, ...audit,
];

const headersTimeoutMs = 20_000;
const mostHeaderBytes = 32_768;
const longestParameter = 512;

/** Serves `allRoutes`, and `page` where none of them is. The server does not listen yet. */
export function buildHttpServer(app: App, tls: ServerTls | undefined, page: WebPage): Server {
  const common = commonHeaders(app.secure);
  const { server, streaming_security: streaming } = app.config;
  // Without a listed origin no answer differs by it.
  const isCrossOrigin = server.cors.allowed_origins.length + streaming.allowed_origins.length > 0;
  const answer = (incoming: IncomingMessage, response: ServerResponse, serve: (reply: Reply) => Maybe<void>): void => {
    const reply = new Reply(response, common, newRequestId());
    if (isCrossOrigin) allowReading(app.allowedOrigins, incoming, reply);
    const refuse = (error: unknown): void => {
      // A body that came with the head is noticed as complete once this turn is over; the connection goes on then.
      if (hasBody(incoming) && !incoming.complete) setImmediate(() => fail(app, error, incoming, reply));
      else fail(app, error, incoming, reply);
    };
    try {
      const serving = serve(reply);
      if (serving instanceof Promise) serving.catch(refuse);
    } catch (error) {
      refuse(error);
    }
  };
  const misspelled = (error: WeirError) => (_path: string, incoming: IncomingMessage, response: ServerResponse): void => answer(incoming, response, ({ requestId }) => {
    arrive(app, incoming, { action: 'page.read', requestId });
    throw error;
  });
  const router = Router({
    maxParamLength: longestParameter, onMaxParamLength: misspelled(new WeirError('route.absent')),
    onBadUrl: misspelled(new WeirError('request.invalid', 'The address is not spelled as addresses are: a % stands before two hex digits.')),
    defaultRoute: (incoming, response) => answer(incoming, response, (reply) => {
      if (!isPreflight(app.allowedOrigins, incoming)) return page(incoming, reply);
      arrive(app, incoming, { action: 'page.read', requestId: reply.requestId });
      return answerPreflight(reply);
    }),
    querystringParser: () => nothing,
  });
  for (const entry of allRoutes) {
    const { method, path, action } = entry.declaration;
    if (!Object.hasOwn(actions, action)) throw new WeirError('internal', `${method} ${path} has no action that the gatekeeper knows; the server does not start with it.`);
    router.on(method, path, (incoming, response, parameters) => answer(incoming, response, (reply) => serveRoute(app, entry, incoming, parameters, reply)));
  }
  return makeServer(app, tls, (incoming, response) => { router.lookup(incoming, response); });
}
const nothing = {};

const commonHeaders = (isSecure: boolean): readonly string[] => [
  'x-content-type-options', 'nosniff', 'referrer-policy', 'no-referrer', 'cache-control', 'no-store', 'cross-origin-resource-policy', 'same-origin',
  'content-security-policy', "default-src 'none'; frame-ancestors 'none'",
  ...(isSecure ? ['strict-transport-security', 'max-age=31536000'] : []),
];

function makeServer(app: App, tls: ServerTls | undefined, handler: RequestListener): Server {
  // A header that came twice is joined, not dropped, so that two hosts or two tokens are refused as what they are.
  // Uploads take as long as they take: idle sockets end, busy ones do not.
  // A client that only offers another protocol beside (h2c) is answered in this one (RFC 9110 §7.8).
  const shouldUpgradeCallback = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === 'websocket';
  const options: ServerOptions = { shouldUpgradeCallback, joinDuplicateHeaders: true, keepAliveTimeout: 65_000, maxHeaderSize: mostHeaderBytes, headersTimeout: headersTimeoutMs, requestTimeout: 0, connectionsCheckingInterval: 5_000 };
  const server = tls === undefined ? createServer(options, handler) : tls.createServer(options, handler);
  server.maxConnections = app.config.server.max_connections;
  server.maxRequestsPerSocket = 0;
  // A socket on which nothing moves for two minutes is given up; streams that move are not touched.
  server.setTimeout(120_000);
  return server;
}

/** The form of every error: code, sentence, request id, and what may be said beside it. */
function fail(app: App, error: unknown, incoming: IncomingMessage, reply: Reply): void {
  const known = error instanceof WeirError ? error : new WeirError('internal', undefined, { cause: error });
  const { status, text } = errors[known.code];
  if (status >= 500) app.log.error({ err: error, requestId: reply.requestId }, 'a request failed');
  if (reply.raw.headersSent) {
    // What was promised can not be taken back: a clean end would pass a part off as the whole.
    if (!reply.raw.writableEnded) reply.raw.destroy();
    return;
  }
  if (error instanceof RateExceeded) reply.headers(rateLimitHeaders(error.verdict));
  // The signature was right; the server's time is worth nothing to the peer unless it is the server who says it.
  if (known.code === 'identity.clock') signAnswers(app, incoming, reply);
  if (known.code === 'identity.required') reply.header('www-authenticate', 'Bearer realm="weir"');
  if (known.code === 'content.range' && typeof known.facts['size'] === 'number') reply.header('content-range', unsatisfiedRange(known.facts['size']));
  const message = known.code === 'internal' ? text : known.message;
  // The rest of a refused body is not read: the connection ends with the answer.
  if (!incoming.complete && hasBody(incoming)) reply.header('connection', 'close');
  reply.sendJson(status, JSON.stringify({ error: { ...known.facts, code: known.code, message, request_id: reply.requestId } }));
}
