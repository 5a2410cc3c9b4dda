/** Reads a small text from an address that the operator configured. */
import { WeirError } from '@weir/contracts/errors';
import { fetchBounded } from './outbound-fetch.ts';

/** `server.unreachable` when it does not come whole, as text, in time. `maxAgeSeconds` is what `Cache-Control` says. */
export async function readOutboundText(address: string, maxBytes: number): Promise<Readonly<{ text: string; maxAgeSeconds: number | undefined }>> {
  const response = await fetchBounded(address, { headers: { accept: 'application/json' } }, maxBytes);
  if (response.status !== 200) throw new WeirError('server.unreachable', `${new URL(address).origin} answers ${response.status}.`);
  const maxAge = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(response.headers.get('cache-control') ?? '')?.[1];
  return { text: await response.text(), maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge) };
}
