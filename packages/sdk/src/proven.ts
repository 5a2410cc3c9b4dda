/** Sends requests with what proves them: a token, or a signature whose answer is checked and whose clock is set right once. */
import { WeirError } from '@weir/contracts/errors';
import { serverTimeFact } from '@weir/contracts/instance';
import { TokenReply } from '@weir/contracts/identity';
import { parseReply } from './parse-reply.ts';
import { readBytes } from './read-text.ts';
import { toRemoteError } from './remote-error.ts';
import type { ReceivedAnswer } from './signer.ts';
import { reach, type Client, type RawInit } from './transport.ts';

const maxReplyBytes = 16 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;
/** A signed request asks for a token of this life where a body is too long to be signed, and for another one a minute before its end. */
const tokenSeconds = 600;
const renewBeforeMs = 60_000;

type Sent = Readonly<{ response: Response; isAnswer?: (answer: ReceivedAnswer) => Promise<boolean> }>;

/** The response to a request whose answer is a stream: proven, but the answer is not signed; content is checked by its id. */
export async function sendForStream(client: Client, url: URL, init: RawInit): Promise<Response> {
  return (await sendInTime(client, url, init)).response;
}

/**
 * The response to a request whose answer is short, with its body read: where the request was signed, a good one must be the server's
 * own. Errors: `server.unverified`.
 */
export async function sendForAnswer(client: Client, url: URL, init: RawInit): Promise<Response> {
  const { response, isAnswer } = await sendInTime(client, url, init);
  if (isAnswer === undefined) return response;
  const body = await readBytes(response, maxReplyBytes);
  // An error may come from whatever stands before the server; it promises nothing.
  if (response.ok && !await isAnswer({ status: response.status, headers: response.headers, body })) throw new WeirError('server.unverified');
  return again(response, body);
}

/** Sends it; when the server says, to one who signed rightly, that only the time was wrong, once more with the server's time. */
async function sendInTime(client: Client, url: URL, init: RawInit): Promise<Sent> {
  const sent = await sendOnce(client, url, init);
  const { response, isAnswer } = sent;
  if (response.status !== 401 || client.signer === undefined || !isWhole(init.body)) return sent;
  const body = await readBytes(response, maxErrorBytes);
  const serverMs = serverTime(body);
  const isBelieved = isAnswer === undefined ? isPrivate(url) : await isAnswer({ status: response.status, headers: response.headers, body });
  if (serverMs === undefined || !isBelieved) return { response: again(response, body) };
  client.clock.aheadMs = serverMs - Date.now();
  return sendOnce(client, url, init);
}

async function sendOnce(client: Client, url: URL, init: RawInit): Promise<Sent> {
  const headers = { accept: 'application/json', ...init.headers };
  const { signer } = client;
  if (signer === undefined || !isWhole(init.body)) return { response: await reach(client, url, { ...init, headers: { ...headers, ...await bearer(client) } }) };
  const body = typeof init.body === 'string' ? new TextEncoder().encode(init.body) : undefined;
  const { headers: proven, isAnswer } = await signer.prove({ method: init.method ?? 'GET', target: url.pathname + url.search, headers, body }, Date.now() + client.clock.aheadMs);
  const response = await reach(client, url, { ...init, headers: proven });
  return isAnswer === undefined ? { response } : { response, isAnswer };
}

const isWhole = (body: RawInit['body']): boolean => body === undefined || body === null || typeof body === 'string';

/** The header of a bearer token: the client's own, or one that its signature asked for. None where a cookie speaks. */
export async function bearer(client: Client): Promise<Record<string, string>> {
  const token = client.token() ?? (client.signer === undefined ? undefined : await signedFor(client));
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

async function signedFor(client: Client): Promise<string> {
  const now = Date.now() + client.clock.aheadMs;
  if (client.clock.token === undefined || client.clock.token.untilMs - renewBeforeMs < now) {
    const response = await sendForAnswer(client, new URL('/api/v1/tokens', client.baseUrl), {
      method: 'POST', body: JSON.stringify({ expires_in: tokenSeconds }), headers: { 'content-type': 'application/json' }, signal: AbortSignal.timeout(client.timeoutMs),
    });
    const text = new TextDecoder().decode(await readBytes(response, maxErrorBytes));
    if (!response.ok) throw toRemoteError(response.status, text);
    const { token, expires_at: end } = parseReply(TokenReply, text);
    client.clock.token = { text: token, untilMs: Date.parse(end) };
  }
  return client.clock.token.text;
}

function serverTime(body: Uint8Array): number | undefined {
  const { facts } = toRemoteError(401, new TextDecoder().decode(body));
  const ms = Date.parse(String(facts[serverTimeFact]));
  return Number.isNaN(ms) ? undefined : ms;
}

/** An answer that nobody signed is believed where nobody else could have written it. */
const isPrivate = ({ protocol, hostname }: URL): boolean => protocol === 'https:' || /^(127\.0\.0\.1|\[::1\]|localhost|.*\.localhost)$/.test(hostname);

/** The same response once more, for who reads its body. */
const again = ({ status, headers }: Response, body: Uint8Array<ArrayBuffer>): Response =>
  new Response(status === 204 || status === 304 ? null : body, { status, headers });
