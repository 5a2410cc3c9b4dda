/** Which addresses are on the public internet: everything else belongs to this machine, its networks, or nobody. */
import ipaddr from 'ipaddr.js';

/**
 * Whether an address is that of a host that anyone may reach. An IPv4-mapped address counts as the IPv4 address; every other address
 * that embeds one (NAT64, 6to4, Teredo, IPv4-compatible) is refused, because a gateway could lead it inside. False for what is no address.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text) || text.includes('%')) return false;
  // Only the four-part form is an IPv4 address here: what `127.1` means differs from program to program.
  if (!text.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(text)) return false;
  const address = ipaddr.process(text);
  if (address instanceof ipaddr.IPv4) return address.range() === 'unicast';
  // Of IPv6 only 2000::/3 is given out (RFC 4291 §2.4).
  const [first = 0] = address.parts;
  return (first & 0xe000) === 0x2000 && address.range() === 'unicast';
}
