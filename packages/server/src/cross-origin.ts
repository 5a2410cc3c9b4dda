/** Answers to pages of other origins (Fetch standard, CORS protocol): those that the operator listed may call the API with a token, never with a cookie. */
import type { IncomingMessage } from 'node:http';
import type { OriginRules } from '@weir/security/origins';
import type { Reply } from './reply.ts';

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE';
/** What a page may send beside what is always allowed. */
const requestHeaders = 'authorization, content-type, content-digest, idempotency-key, if-match, if-none-match, if-range, last-event-id, range, signature, signature-input';
/** What a page may read beside what can always be read. */
const replyHeaders = 'accept-ranges, content-disposition, content-range, etag, location, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, www-authenticate, x-request-id';
const rememberSeconds = 600;

/**
 * Says to a page of a listed origin that it may read the answer; to any other it says nothing, and the browser keeps the answer from it.
 * Credentials are never allowed: a cookie counts for our own pages only. Nor is access from a public site to a private network.
 */
export function allowReading(allowed: OriginRules, { headers: { origin } }: IncomingMessage, reply: Reply): void {
  reply.header('vary', 'origin');
  if (origin === undefined || !allowed.allows(origin)) return;
  reply.header('access-control-allow-origin', origin).header('access-control-expose-headers', replyHeaders);
}

/** Whether a browser asks beforehand if a page of a listed origin may send a request. */
export const isPreflight = (allowed: OriginRules, { method, headers }: IncomingMessage): boolean =>
  method === 'OPTIONS' && headers['access-control-request-method'] !== undefined && headers.origin !== undefined && allowed.allows(headers.origin);

export function answerPreflight(reply: Reply): void {
  reply.header('vary', 'origin, access-control-request-method, access-control-request-headers').header('access-control-max-age', String(rememberSeconds))
    .header('access-control-allow-methods', methods).header('access-control-allow-headers', requestHeaders).send(204);
}
