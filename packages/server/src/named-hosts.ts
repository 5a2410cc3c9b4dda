/** Requests to hosts that the operator named, such as identity providers: HTTPS (HTTP on this machine), to them alone, in the networks that he allows. */
import { OutboundBroker, type OutboundLimits } from '@weir/security/outbound/broker';
import { isPublicAddress } from '@weir/security/outbound/addresses';
import { literalOf } from '@weir/security/outbound/rules';
import { compileNetworks } from '@weir/security/networks';

const loopback = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]|localhost)$/;

/**
 * Why an address of the configuration is refused, or undefined. One that is not public has to lie in `networks`: that is asked of a name
 * when it is connected to, and of an address that stands there now.
 */
export function addressFlaw(address: string, networks: readonly string[]): string | undefined {
  const url = URL.parse(address);
  if (url === null || address.length > 2_000) return 'is no address; write https://…';
  if (url.username !== '' || url.password !== '') return 'must not hold a password';
  const isHere = loopback.test(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere)) return 'must begin with https:// (http:// only on this machine)';
  const literal = literalOf(url);
  const isOutside = literal === undefined ? isHere && networks.length === 0 : !isPublicAddress(literal) && !compileNetworks(networks).contains(literal);
  return isOutside ? `lies in a network that is not public; allow it there: allow_networks = ["${literal ?? '127.0.0.1'}"]` : undefined;
}

/** Reaches the hosts of these addresses and no others; `networks` are those that are not public where they may lie. Idle connections end by themselves. */
export const brokerTo = (addresses: readonly string[], networks: readonly string[], limits: Partial<OutboundLimits> = {}): OutboundBroker => {
  const hosts = new Set(addresses.map((address) => new URL(address).origin));
  return new OutboundBroker({ rules: [...hosts].map((origin) => ({ url: `${origin}/*`, networks })), limits });
};
