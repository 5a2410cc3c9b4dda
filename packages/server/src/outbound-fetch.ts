/** Requests to services that the operator named: HTTPS only (HTTP on loopback), no redirect, bounded in time and size. */
import { WeirError } from '@weir/contracts/errors';

const deadlineMs = 10_000;
const mostBytes = 1 << 20;
const loopback = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]|localhost)$/;

type Init = Readonly<{ method?: string; headers?: Readonly<Record<string, string>>; body?: RequestInit['body']; signal?: AbortSignal | undefined }>;

/** Why such an address is refused, or undefined. */
export function addressFlaw(address: string): string | undefined {
  const url = URL.parse(address);
  if (url === null || address.length > 2_000) return 'is no address; write https://…';
  if (url.username !== '' || url.password !== '') return 'must not hold a password';
  if (url.protocol === 'https:' || (url.protocol === 'http:' && loopback.test(url.hostname))) return undefined;
  return 'must begin with https:// (http:// only on this machine)';
}

/** The whole answer, whatever its status. `server.unreachable` when it does not come whole, in time, from there. */
export async function fetchBounded(address: string, { method = 'GET', headers = {}, body = null, signal }: Init = {}, maxBytes = mostBytes): Promise<Response> {
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    const flaw = addressFlaw(address);
    if (flaw !== undefined) throw new TypeError(`the address ${flaw}`);
    const response = await fetch(address, { method, headers, body, redirect: 'error', credentials: 'omit', signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]) });
    return new Response(await readAll(response, maxBytes), { status: response.status, headers: response.headers });
  } catch (cause) {
    throw new WeirError('server.unreachable', `${URL.parse(address)?.origin ?? 'The address'} does not give what was asked of it.`, { cause });
  }
}

/** Null for an answer that has no body, as 204 must have none. */
async function readAll(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const body: AsyncIterable<Uint8Array> | null = response.body;
  if (body === null) return null;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > maxBytes) throw new TypeError(`it sends more than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return new Uint8Array(Buffer.concat(pieces));
}
