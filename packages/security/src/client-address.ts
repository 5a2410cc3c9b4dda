/** The address that a request comes from, seen through trusted proxies and their X-Forwarded-For. */
import { WeirError } from '@weir/contracts/errors';
import { withoutBlanks } from './header-fields.ts';
import { canonicalAddress, type NetworkScope } from './networks.ts';

const maxHeaderLength = 2_048;
const maxHops = 32;
const hopPattern = /^(?:\[(?<bracketed>[^\]]+)\](?::(?<portAfterBracket>\d{1,5}))?|(?<dotted>[0-9.]+):(?<portAfterDotted>\d{1,5}))$/;

/**
 * `proxies` may speak for others. `directUse` says whether a trusted address may also come for itself, without the header:
 * `refused` where all traffic passes a proxy, so that a proxy that forgets the header does not lend its address to everyone.
 */
export type ProxyTrust = Readonly<{ proxies: NetworkScope; directUse: 'allowed' | 'refused' }>;

/**
 * The client's canonical address. `peer` is the canonical address of the socket's other end, `forwardedFor` the value or
 * values of X-Forwarded-For, which nobody but a trusted peer is believed. Read from the right: each trusted hop vouches for
 * the one on its left; the first that is not trusted is the client, and if all are, the leftmost is.
 * A trusted peer with a header that is longer than 2 KiB, has more than 32 hops, or an unreadable hop on that way is
 * `request.invalid`.
 */
export function clientAddress(peer: string, forwardedFor: string | readonly string[] | undefined, trust: ProxyTrust): string {
  if (!trust.proxies.contains(peer)) return peer;
  if (forwardedFor === undefined || forwardedFor.length === 0) {
    if (trust.directUse === 'allowed') return peer;
    throw refused('sent no X-Forwarded-For');
  }
  const header = typeof forwardedFor === 'string' ? forwardedFor : forwardedFor.join(',');
  if (header.length > maxHeaderLength) throw refused('sent an X-Forwarded-For longer than 2 KiB');
  const hops = header.split(',');
  if (hops.length > maxHops) throw refused('sent an X-Forwarded-For of more than 32 hops');
  return firstUntrusted(hops, trust.proxies);
}

function firstUntrusted(hops: readonly string[], proxies: NetworkScope): string {
  let address: string | undefined;
  for (const hop of hops.toReversed()) {
    address = parseHop(withoutBlanks(hop));
    if (address === undefined) throw refused('sent an X-Forwarded-For with a hop that is no address');
    if (!proxies.contains(address)) return address;
  }
  if (address === undefined) throw refused('sent an empty X-Forwarded-For');
  return address;
}

/** `v4`, `v4:port`, `v6`, `[v6]` or `[v6]:port`, or undefined. */
function parseHop(hop: string): string | undefined {
  const parts = hopPattern.exec(hop)?.groups;
  if (parts === undefined) return canonicalAddress(hop);
  if (Number(parts['portAfterBracket'] ?? parts['portAfterDotted'] ?? 0) > 65_535) return undefined;
  const { bracketed, dotted = '' } = parts;
  if (bracketed !== undefined && !bracketed.includes(':')) return undefined;
  return canonicalAddress(bracketed ?? dotted);
}

function refused(reason: string): WeirError {
  return new WeirError('request.invalid', `The reverse proxy ${reason}; make it set X-Forwarded-For to the client's address.`);
}
