/** How a route is declared: with its action and resource. There is no other way to add one. */
import type { IncomingMessage } from 'node:http';
import type { ActionName } from '@weir/security/actions';
import type { Admission, Resource } from '@weir/security/gatekeeper';
import type { Maybe } from '@weir/security/maybe';
import type { RateLimitName } from '@weir/security/rate-limits';
import type { z } from 'zod';
import type { App } from './app.ts';
import type { StoredHolding } from './object-store.ts';
import type { Reply } from './reply.ts';

export type Context<P, Q, B> = Readonly<{
  app: App;
  admission: Admission<StoredHolding>;
  /** The caller's id. `identity.required` was thrown before, where an action needs one. */
  principal: string;
  parameters: P;
  query: Q;
  body: B;
  address: string;
  requestId: string;
  /** For streams: the request itself, not read yet. */
  incoming: IncomingMessage;
  /** The body as it comes, for routes that declare `body: 'stream'`; it fails with `request.too_large` past their limit. */
  upload: AsyncIterable<Uint8Array>;
  reply: Reply;
  /** Aborted when the caller goes away or the server stops. */
  signal: AbortSignal;
}>;

type Schema = z.ZodType;
type Out<S> = S extends Schema ? z.output<S> : Record<never, never>;
type In<S> = S extends Schema ? z.input<S> : undefined;

export type Declaration<P extends Schema | undefined, Q extends Schema | undefined, B extends Schema | 'stream' | undefined, R extends Schema | 'stream' | undefined> = Readonly<{
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  action: ActionName;
  /** What the action is done to; nothing that anybody owns, when it is left out. Throws `request.invalid` and the like. */
  resource?: (parameters: Out<P>, query: Out<Q>) => Resource;
  parameters?: P;
  query?: Q;
  /** `stream`: the handler reads `upload`. Without one, a body is refused. */
  body?: B;
  /** `stream`: the handler writes the reply itself. Without one the reply is 204. */
  reply?: R;
  /** Of a good reply, 200 when left out. */
  status?: 200 | 201 | 202;
  /** The named limit that a request counts against. */
  limit?: RateLimitName;
  /** One line for the API description. */
  summary: string;
}>;

export type AnyRoute = Readonly<{
  declaration: Declaration<Schema | undefined, Schema | undefined, Schema | 'stream' | undefined, Schema | 'stream' | undefined>;
  handle: (context: Context<unknown, unknown, unknown>) => Maybe<unknown>;
}>;

export function route<
  P extends Schema | undefined = undefined, Q extends Schema | undefined = undefined,
  B extends Schema | 'stream' | undefined = undefined, R extends Schema | 'stream' | undefined = undefined,
>(
  declaration: Declaration<P, Q, B, R>,
  handle: (context: Context<Out<P>, Out<Q>, Out<B>>) => Maybe<R extends Schema ? In<R> : void>,
): AnyRoute {
  // The server parses parameters, query and body with the declared schemas before it calls the handler.
  return { declaration, handle } as unknown as AnyRoute;
}
