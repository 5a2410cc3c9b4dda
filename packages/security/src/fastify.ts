/**
 * A Fastify plugin: every route needs a token unless it says otherwise, every request counts, content is read as its policy says.
 *
 *     await app.register(streamingSecurity, { security });
 *     app.get('/health', { config: { streamingSecurity: { open: true } } }, async () => 'ok');
 *     app.get('/media/:cid', { config: { streamingSecurity: { content: (request) => request.params.cid } } }, sendMedia);
 */
import { WeirError } from '@weir/contracts/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { limitKey } from './networks.ts';
import { rateLimitHeaders } from './rate-limits.ts';
import type { Authenticated, StreamingSecurityManager } from './streaming-security-manager.ts';

export type RouteSecurity = Readonly<{
  /** Also for callers without a token. */
  open?: boolean;
  /** One of these must be among the permissions of the token. */
  permission?: string | readonly string[];
  /** The id of the content that is asked for: its policy decides, also for callers without a token, and a stream ends with the right to it. */
  content?: (request: FastifyRequest) => string;
  /** The named limit that a request counts against. */
  limit?: string;
}>;

declare module 'fastify' {
  interface FastifyContextConfig { streamingSecurity?: RouteSecurity }
  /** Null until the plugin has looked at the request, and where it is switched off. */
  interface FastifyRequest { streaming: Authenticated | null }
}

export async function streamingSecurity(app: FastifyInstance, { security }: Readonly<{ security: StreamingSecurityManager }>): Promise<void> {
  app.decorateRequest('streaming', null);
  if (!security.enabled) return;
  app.addHook('onRequest', async (request, reply) => {
    try {
      await admit(security, request, reply);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      return reply.code(error.status).send({ error: { code: error.code, message: error.message } });
    }
  });
}
/** Fastify: the hook is for the application that registers this, not for a scope of its own. */
Object.defineProperty(streamingSecurity, Symbol.for('skip-override'), { value: true });

const reads: ReadonlySet<string> = new Set(['GET', 'HEAD']);

async function admit(security: StreamingSecurityManager, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const rule = request.routeOptions.config.streamingSecurity ?? {};
  const caller = await security.authenticate(request.raw, { acts: !reads.has(request.method) });
  request.streaming = caller;
  const verdict = security.checkRateLimit(caller.claims?.userId ?? limitKey(caller.address), rule.limit);
  reply.headers(rateLimitHeaders(verdict));
  if (!verdict.allowed) throw new WeirError('rate.exceeded', `Too many requests; try again in ${verdict.retryAfterSeconds} s.`);
  if (rule.content !== undefined) return admitContent(security, rule.content(request), caller, reply);
  if (rule.open === true) return;
  if (caller.claims === undefined) throw new WeirError('identity.required');
  const needed = rule.permission === undefined ? [] : [rule.permission].flat();
  if (needed.length > 0 && !needed.some((permission) => caller.claims?.permissions.includes(permission))) throw new WeirError('permission.refused');
}

async function admitContent(security: StreamingSecurityManager, cid: string, { claims, address }: Authenticated, reply: FastifyReply): Promise<void> {
  const { allowed, reason } = await security.checkContentAccess(cid, claims, { address });
  // Absent and foreign content is the same to whoever may not use it.
  if (!allowed) throw new WeirError(claims === undefined ? 'identity.required' : 'object.absent');
  const response = reply.raw;
  const right = security.watch(claims, () => { response.socket?.resetAndDestroy(); }, { cid, address });
  response.once('close', () => { right[Symbol.dispose](); });
  // Whoever left while it was asked about has nothing open.
  if (response.destroyed) right[Symbol.dispose]();
  await security.logStreamingAccess({ cid, claims, address, accessType: 'content.read', reason });
}
