/** The request core of the SDK: addresses, evidence, deadlines, and replies checked against the contracts. Runs in browsers and Node. */
import { WeirError } from '@weir/contracts/errors';
import { readText } from './read-text.ts';
import { remoteErrorFrom } from './remote-error.ts';

const defaultTimeoutMs = 30_000;
const maxReplyBytes = 16 * 1024 * 1024;

export type ClientOptions = Readonly<{
  /** Where the server answers, such as `https://weir.example:4545`. A path in it is dropped. */
  baseUrl: string;
  /** The bearer token at the moment of each request; absent in browsers, where the cookie speaks. */
  token?: () => string | undefined;
  fetch?: typeof globalThis.fetch;
  /** How long a request other than a transfer may take, in milliseconds. */
  timeoutMs?: number;
}>;

export type Client = Readonly<{
  baseUrl: URL;
  token: () => string | undefined;
  fetch: typeof globalThis.fetch;
  timeoutMs: number;
}>;

/** Anything that checks an unknown value and returns it typed; the contracts' schemas do. */
export type Shape<T> = Readonly<{ parse: (value: unknown) => T }>;

export type Query = Readonly<Record<string, string | number | undefined>>;

/** What every function of the SDK takes last. `query` is only for lists. */
export type CallOptions = Readonly<{ signal?: AbortSignal | undefined }>;

export type ListOptions = CallOptions & Readonly<{ cursor?: string | undefined; limit?: number | undefined }>;

export type Request = CallOptions & Readonly<{
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Query;
  /** Sent as JSON. */
  json?: unknown;
  headers?: Readonly<Record<string, string>> | undefined;
}>;

/** `duplex` is what Node asks for when a body is a stream; the types of browsers do not know it yet. */
export type RawInit = Omit<RequestInit, 'headers'> & { headers?: Record<string, string>; duplex?: 'half' };

export function createClient(options: ClientOptions): Client {
  return {
    baseUrl: new URL('/', options.baseUrl),
    token: options.token ?? (() => undefined),
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
  };
}

/** A path whose parameters are escaped: path`/api/v1/jobs/${id}`. */
export function path(literals: TemplateStringsArray, ...values: readonly string[]): string {
  return literals.reduce((whole, literal, index) => `${whole}${encodeURIComponent(values[index - 1] ?? '')}${literal}`);
}

export function address(client: Client, pathText: string, query: Query = {}): URL {
  const url = new URL(pathText, client.baseUrl);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/** Sends a request and returns the checked reply. Errors: `RemoteError` as the server says, `server.unreachable`. */
export async function call<T>(client: Client, request: Request & Readonly<{ reply: Shape<T> }>): Promise<T> {
  const deadline = AbortSignal.timeout(client.timeoutMs);
  const response = await send(client, request, request.signal ? AbortSignal.any([request.signal, deadline]) : deadline);
  return parseReply(request.reply, await readText(response, maxReplyBytes));
}

/** Sends a request whose reply has no body that matters. */
export async function command(client: Client, request: Request): Promise<void> {
  const deadline = AbortSignal.timeout(client.timeoutMs);
  const response = await send(client, request, request.signal ? AbortSignal.any([request.signal, deadline]) : deadline);
  await response.body?.cancel();
}

/** Reads text as JSON of the given shape; anything else is the server's fault and says so. */
export function parseReply<T>(shape: Shape<T>, text: string): T {
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new WeirError('internal', 'The server sent a reply that this version does not understand; use the client that came with the server.', { cause });
  }
}

function send(client: Client, request: Request, signal: AbortSignal): Promise<Response> {
  return fetchChecked(client, address(client, request.path, request.query), {
    method: request.method ?? 'GET',
    signal,
    ...(request.json === undefined ? {} : { body: JSON.stringify(request.json) }),
    headers: { ...(request.json === undefined ? {} : { 'content-type': 'application/json' }), ...request.headers },
  });
}

/** `fetch` with evidence, without redirects; every answer outside 200..299 is thrown as `RemoteError`. */
export async function fetchChecked(client: Client, url: URL, init: RawInit): Promise<Response> {
  const response = await reach(client, url, { ...init, headers: { accept: 'application/json', ...init.headers, ...evidence(client) } });
  if (!response.ok) throw await remoteErrorFrom(response);
  return response;
}

export function evidence(client: Client): Record<string, string> {
  const token = client.token();
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

async function reach(client: Client, url: URL, init: RawInit): Promise<Response> {
  try {
    return await client.fetch(url, { ...init, redirect: 'error', credentials: 'same-origin' });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw unreachable(client, cause);
  }
}

export function unreachable(client: Client, cause: unknown): WeirError {
  return new WeirError('server.unreachable', `${client.baseUrl.origin} does not answer; check that Weir runs there.`, { cause });
}
