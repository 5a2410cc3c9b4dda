/** What a client is made of, and how its requests reach the server. */
import { WeirError } from '@weir/contracts/errors';
import type { Signer } from './signer.ts';

export type Client = Readonly<{
  baseUrl: URL;
  token: () => string | undefined;
  signer: Signer | undefined;
  /** How far the server's clock is ahead, as it said itself; and the token that was asked for where a body can't be signed. */
  clock: { aheadMs: number; token?: Readonly<{ text: string; untilMs: number }> };
  fetch: typeof globalThis.fetch;
  timeoutMs: number;
}>;

/** `duplex` is what Node asks for when a body is a stream; the types of browsers do not know it yet. */
export type RawInit = Omit<RequestInit, 'headers'> & { headers?: Record<string, string>; duplex?: 'half' };

/** `fetch` without redirects. Errors: `server.unreachable`. */
export async function reach(client: Client, url: URL, init: RawInit): Promise<Response> {
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
