/** Which addresses are on the public internet: everything else belongs to this machine, its networks, or nobody. */
import ipaddr from 'ipaddr.js';

/** Prefixes inside 2000::/3 that are not hosts of the internet, or that carry an IPv4 address to somewhere else. */
const special6 = [
  '2001::/23', // IETF protocol assignments (RFC 2928): Teredo, benchmarking, ORCHID, …
  '2001:db8::/32', '3fff::/20', // documentation (RFC 3849, RFC 9637)
  '2002::/16', // 6to4 (RFC 3056)
  '2620:4f:8000::/48', // AS112 (RFC 7534)
].map((cidr) => ipaddr.IPv6.parseCIDR(cidr));

/** RFC 6890 and what came after it, beside what `ipaddr.js` knows. */
const special4 = ['192.0.0.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.175.48.0/24', '198.18.0.0/15'].map((cidr) => ipaddr.IPv4.parseCIDR(cidr));

/**
 * Whether an address is that of a host that anyone may reach. An IPv4-mapped address counts as the IPv4 address; every other address
 * that embeds one (NAT64, 6to4, Teredo, IPv4-compatible) is refused, because a gateway could lead it inside. False for what is no address.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text) || text.includes('%')) return false;
  // Only the four-part form is an IPv4 address here: what `127.1` means differs from program to program.
  if (!text.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(text)) return false;
  const address = ipaddr.process(text);
  if (address instanceof ipaddr.IPv4) return address.range() === 'unicast' && !special4.some((network) => address.match(network));
  const [first = 0] = address.parts;
  return (first & 0xe000) === 0x2000 && address.range() === 'unicast' && !special6.some((network) => address.match(network));
}
