/** The request core of the SDK: addresses, evidence, deadlines, and replies checked against the contracts. Runs in browsers and Node. */
import { InstanceDocument, instancePath } from '@weir/contracts/instance';
import { dffmpegSigner } from './dffmpeg.ts';
import { messageSigner } from './http-message.ts';
import { parseReply, type Shape } from './parse-reply.ts';
import { sendForAnswer, sendForStream } from './proven.ts';
import { readText } from './read-text.ts';
import { remoteErrorFrom } from './remote-error.ts';
import type { Signer, SigningKey } from './signer.ts';
import type { Client, RawInit } from './transport.ts';

const defaultTimeoutMs = 30_000;
const maxReplyBytes = 16 * 1024 * 1024;

/** The type of what every function of the SDK takes first. */
export type { Client };

export type ClientOptions = Readonly<{
  /** Where the server answers, such as `https://weir.example:4545`. A path in it is dropped. */
  baseUrl: string;
  /** The bearer token at the moment of each request; absent in browsers, where the cookie speaks. */
  token?: () => string | undefined;
  /** Signs each request in place of a token. */
  signer?: SignerOptions;
  fetch?: typeof globalThis.fetch;
  /** How long a request other than a transfer may take, in milliseconds. */
  timeoutMs?: number;
}>;

/**
 * Who signs, and how: `http-message` (RFC 9421) signs the whole request, and a good answer that the server has not signed is refused;
 * `dffmpeg` is for servers that know nothing else. `server` pins the server's name and keys; without, it is asked for them once.
 */
export type SignerOptions =
  | Readonly<{ profile?: 'http-message'; principal: string; key: SigningKey; server?: InstanceDocument }>
  | Readonly<{ profile: 'dffmpeg'; principal: string; secret: Uint8Array<ArrayBuffer> }>;

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

export function createClient(options: ClientOptions): Client {
  const unsigned: Client = {
    baseUrl: new URL('/', options.baseUrl),
    token: options.token ?? (() => undefined),
    signer: undefined,
    clock: { aheadMs: 0 },
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
  };
  return options.signer === undefined ? unsigned : { ...unsigned, signer: signerOf(options.signer, unsigned) };
}

function signerOf(options: SignerOptions, client: Client): Signer {
  if (options.profile === 'dffmpeg') return dffmpegSigner(options.principal, options.secret);
  const { server } = options;
  if (server !== undefined) return messageSigner(options.principal, options.key, { known: async () => server, again: async () => server });
  let asked: Promise<InstanceDocument> | undefined;
  const again = (): Promise<InstanceDocument> => {
    asked = call(client, { path: instancePath, reply: InstanceDocument });
    // Asked once more the next time; whoever waits for it now hears why.
    asked.catch(() => { asked = undefined; });
    return asked;
  };
  return messageSigner(options.principal, options.key, { known: () => asked ?? again(), again });
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

async function send(client: Client, request: Request, signal: AbortSignal): Promise<Response> {
  return checked(await sendForAnswer(client, address(client, request.path, request.query), {
    method: request.method ?? 'GET',
    signal,
    ...(request.json === undefined ? {} : { body: JSON.stringify(request.json) }),
    headers: { ...(request.json === undefined ? {} : { 'content-type': 'application/json' }), ...request.headers },
  }));
}

/** `fetch` of a stream with evidence, without redirects; every answer outside 200..299 is thrown as `RemoteError`. */
export async function fetchChecked(client: Client, url: URL, init: RawInit): Promise<Response> {
  return checked(await sendForStream(client, url, init));
}

async function checked(response: Response): Promise<Response> {
  if (!response.ok) throw await remoteErrorFrom(response);
  return response;
}
