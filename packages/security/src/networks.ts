/** Addresses and networks: one spelling per address, scopes compiled once, keys for limits. */
import { BlockList, isIP, isIPv4, SocketAddress } from 'node:net';
import { WeirError } from '@weir/contracts/errors';

const maxAddressLength = 45;
const maxNetworks = 1_000;
const mapped = '::ffff:';

/**
 * The one spelling of an address: dotted IPv4, or compressed lower-case IPv6 (RFC 5952). An IPv4-mapped IPv6 address is
 * that IPv4 address. Undefined for anything else, zone ids (`fe80::1%eth0`) too: they mean something on one machine only.
 */
export function canonicalAddress(text: string): string | undefined {
  if (text.length > maxAddressLength) return undefined;
  const family = isIP(text);
  if (family === 4) return text;
  if (family === 0 || text.includes('%')) return undefined;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return address.startsWith(mapped) && address.includes('.') ? address.slice(mapped.length) : address;
}

/** Canonical address of a socket's other end. Here a zone id is the kernel's own and is dropped. */
export function peerAddress(remoteAddress: string | undefined): string | undefined {
  if (remoteAddress === undefined) return undefined;
  const zoneAt = remoteAddress.indexOf('%');
  return canonicalAddress(zoneAt === -1 ? remoteAddress : remoteAddress.slice(0, zoneAt));
}

/** A set of networks. `contains` takes a canonical address. */
export type NetworkScope = Readonly<{ contains(address: string): boolean }>;

/** Every address: the scope of whom no network is named for. */
export const everywhere: NetworkScope = { contains: () => true };

/**
 * The networks that `cidrs` name, at most 1 000, compiled for many questions; none of them contains nothing. A bare address
 * is that address alone. Host bits are ignored. `::/0` holds no IPv4 address, whatever its spelling. A bad one is
 * `request.invalid` and named.
 */
export function compileNetworks(cidrs: readonly string[]): NetworkScope {
  if (cidrs.length > maxNetworks) throw new WeirError('request.invalid', 'Name at most 1000 networks.');
  // Two lists, because one would let ::/0 hold IPv4 addresses as well.
  const v4 = new BlockList();
  const v6 = new BlockList();
  for (const cidr of cidrs) {
    const { address, prefix } = parseCidr(cidr);
    if (isIPv4(address)) v4.addSubnet(address, prefix, 'ipv4');
    else v6.addSubnet(address, prefix, 'ipv6');
  }
  return { contains: (address) => (isIPv4(address) ? v4.check(address, 'ipv4') : v6.check(address, 'ipv6')) };
}

/**
 * Whether every address of the networks `inner` is in one of `outer`, also where several of `outer` make up one of `inner` together.
 * An empty list is every address. A bad network is `request.invalid` and named.
 */
export function networksWithin(inner: readonly string[], outer: readonly string[]): boolean {
  if (outer.length === 0) return true;
  const blocks = outer.map(blockOf);
  return (inner.length === 0 ? ['0.0.0.0/0', '::/0'] : inner).every((cidr) => isCovered(blockOf(cidr), blocks));
}

/** A network as a number: its address without host bits, of 32 or 128 bits. */
type Block = Readonly<{ bits: bigint; prefix: number; width: number }>;

function blockOf(cidr: string): Block {
  const { address, prefix } = parseCidr(cidr);
  const width = isIPv4(address) ? 32 : 128;
  const hostBits = BigInt(width - prefix);
  return { bits: (bitsOf(address) >> hostBits) << hostBits, prefix, width };
}

/** Halves the block until each half is inside one of the others or outside them all. */
function isCovered(block: Block, others: readonly Block[]): boolean {
  const meeting = others.filter((other) => meets(block, other));
  if (meeting.length === 0) return false;
  if (meeting.some(({ prefix }) => prefix <= block.prefix)) return true;
  const prefix = block.prefix + 1;
  const upper = 1n << BigInt(block.width - prefix);
  return isCovered({ ...block, prefix }, meeting) && isCovered({ ...block, bits: block.bits + upper, prefix }, meeting);
}

function meets(one: Block, other: Block): boolean {
  const beyond = BigInt(one.width - Math.min(one.prefix, other.prefix));
  return one.width === other.width && one.bits >> beyond === other.bits >> beyond;
}

/** A canonical address as a number. */
function bitsOf(address: string): bigint {
  const dotted = /\d+\.\d+\.\d+\.\d+$/.exec(address)?.[0];
  const low = dotted === undefined ? undefined : dotted.split('.').reduce((bits, part) => (bits << 8n) + BigInt(part), 0n);
  if (low !== undefined && dotted === address) return low;
  const text = low === undefined ? address : address.replace(/[\d.]+$/, `${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  const [head = '', tail] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((bits, group) => (bits << 16n) + BigInt(`0x${group}`), 0n);
}

/** What an address counts as in limits: itself, or the /64 that an IPv6 host can choose its addresses from. Takes a canonical address. */
export function limitKey(address: string): string {
  if (isIPv4(address)) return address;
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  if (tail === undefined) return `${left.slice(0, 4).join(':')}::/64`;
  const right = tail === '' ? [] : tail.split(':');
  const groupsOnTheRight = right.length + (tail.includes('.') ? 1 : 0);
  const zeros = Array.from({ length: 8 - left.length - groupsOnTheRight }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}

function parseCidr(cidr: string): { address: string; prefix: number } {
  const slashAt = cidr.indexOf('/');
  const text = slashAt === -1 ? cidr : cidr.slice(0, slashAt);
  const address = canonicalAddress(text);
  if (address === undefined) throw badNetwork(cidr);
  const width = isIPv4(address) ? 32 : 128;
  if (slashAt === -1) return { address, prefix: width };
  const written = cidr.slice(slashAt + 1);
  // Of a mapped network the first 96 bits are the mapping itself.
  const mappingBits = width === 32 && text.includes(':') ? 96 : 0;
  const prefix = /^(0|[1-9][0-9]{0,2})$/.test(written) ? Number(written) - mappingBits : -1;
  if (prefix < 0 || prefix > width) throw badNetwork(cidr);
  return { address, prefix };
}

function badNetwork(cidr: string): WeirError {
  const shown = cidr.slice(0, 60);
  return new WeirError('request.invalid', `${JSON.stringify(shown)} is not a network; write 192.0.2.0/24, 2001:db8::/32 or a bare address.`, { facts: { network: shown } });
}
