/** What a reverse proxy says of a caller in headers: read only from the proxies that the operator named, with the proof that he asked for. */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { EvidenceRefused } from '@weir/security/identity';
import { compileNetworks, type NetworkScope } from '@weir/security/networks';
import type { Secret } from '@weir/security/secret';
import type { Config } from './config/schema.ts';
import { unixPeer } from './unix-socket.ts';

/** At least one of the two is there. */
export type ProxyClaim = Readonly<{ role: string | undefined; user: string | undefined }>;

/** Names of headers are in lower case. */
export type ProxyHeaders = Readonly<{
  role: string | undefined; user: string | undefined; secret: Secret | undefined; wantsCertificate: boolean;
  /** Named by the operator: the loopback addresses that are trusted by default do not count here. */
  peers: NetworkScope;
}>;

const secretHeader = 'x-weir-proxy-secret';
/** Loopback may say where a request comes from, so that a proxy on the same machine works without a setting. */
const trustedByDefault: readonly string[] = ['127.0.0.1', '::1'];

/** Whose X-Forwarded-For is believed. */
export const trustedProxies = ({ server }: Config): readonly string[] => server.trusted_proxies ?? trustedByDefault;

/** Undefined where no header is set to be read. */
export function proxyHeaders({ server, permissions }: Config): ProxyHeaders | undefined {
  const { role_header: role, user_header: user, proxy_secret: secret } = permissions;
  if (role === undefined && user === undefined) return undefined;
  return { role, user, secret, wantsCertificate: server.client_ca_path !== undefined, peers: compileNetworks(server.trusted_proxies ?? []) };
}

/**
 * The claim of a request, undefined if it makes none. `peer` is the canonical address of the socket's other end, or
 * `unixPeer`: only the proxy can open the file of that socket. From anyone else, or without the proof, it is refused: somebody tries to be what he is not.
 */
export function readProxyClaim(rules: ProxyHeaders, { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>, peer: string | undefined): ProxyClaim | undefined {
  const role = rules.role === undefined ? undefined : headers[rules.role];
  const user = rules.user === undefined ? undefined : headers[rules.user];
  if (role === undefined && user === undefined) return undefined;
  if (peer !== unixPeer) {
    if (peer === undefined || !rules.peers.contains(peer)) throw new EvidenceRefused('role or user header from who is no trusted proxy');
    if (!proves(rules, headers[secretHeader], socket)) throw new EvidenceRefused('role or user header without the proof of the proxy');
  }
  return { role: single(role), user: single(user) };
}

/** Every proof that is configured. Without one the address alone is believed; `checkBind` warns of that. */
function proves({ secret, wantsCertificate }: ProxyHeaders, given: string | readonly string[] | undefined, socket: IncomingMessage['socket']): boolean {
  if (secret !== undefined && !(typeof given === 'string' && secret.equals(Buffer.from(given)))) return false;
  return !wantsCertificate || (socket instanceof TLSSocket && socket.authorized);
}

/** A header that came twice was joined, and is then neither a role nor a name. */
function single(value: string | readonly string[] | undefined): string | undefined {
  if (value !== undefined && typeof value !== 'string') throw new EvidenceRefused('role or user header twice');
  return value;
}
