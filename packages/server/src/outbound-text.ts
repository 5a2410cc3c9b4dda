/** Reads a small text from an address that the operator configured: HTTPS only (HTTP on loopback), no redirect, bounded in time and size. */
import { WeirError } from '@weir/contracts/errors';

const deadlineMs = 5_000;
const loopback = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]|localhost)$/;

/** Why such an address is refused, or undefined. */
export function addressFlaw(address: string): string | undefined {
  const url = URL.parse(address);
  if (url === null || address.length > 2_000) return 'is no address; write https://…';
  if (url.username !== '' || url.password !== '') return 'must not hold a password';
  if (url.protocol === 'https:' || (url.protocol === 'http:' && loopback.test(url.hostname))) return undefined;
  return 'must begin with https:// (http:// only on this machine)';
}

/** `server.unreachable` when it does not come whole, as text, in time. `maxAgeSeconds` is what `Cache-Control` says. */
export async function readOutboundText(address: string, maxBytes: number): Promise<Readonly<{ text: string; maxAgeSeconds: number | undefined }>> {
  try {
    const response = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(deadlineMs), headers: { accept: 'application/json' }, credentials: 'omit' });
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel();
      throw new TypeError(`it answers ${response.status}`);
    }
    const pieces: Uint8Array[] = [];
    let size = 0;
    const body: AsyncIterable<Uint8Array> = response.body;
    for await (const piece of body) {
      size += piece.length;
      if (size > maxBytes) throw new TypeError(`it sends more than ${maxBytes} bytes`);
      pieces.push(piece);
    }
    const maxAge = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(response.headers.get('cache-control') ?? '')?.[1];
    return { text: Buffer.concat(pieces).toString('utf8'), maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge) };
  } catch (cause) {
    throw new WeirError('server.unreachable', `${new URL(address).origin} does not give what was asked of it.`, { cause });
  }
}
