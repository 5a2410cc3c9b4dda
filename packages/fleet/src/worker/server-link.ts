/** How a worker reaches its server: TLS with a pinned or verified certificate, plain HTTP only where nobody else can listen. */
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { WeirError } from '@weir/contracts/errors';
import { compileNetworks } from '@weir/security/networks';

/**
 * `server` is an origin (`https://host:port`). `fingerprint` is the SHA-256 of its certificate in hex: that certificate and no other is
 * accepted then, whoever signed it. `caPem` replaces the system's authorities. `plaintextNetworks` (CIDR) allow `http:` to addresses in them.
 */
export type ServerAddress = Readonly<{ server: URL; fingerprint?: string; caPem?: string; plaintextNetworks?: readonly string[] }>;

export type ServerLink = Disposable & Readonly<{ origin: URL; agent: http.Agent | https.Agent; request: typeof http.request }>;

const loopback = compileNetworks(['127.0.0.0/8', '::1']);
const maxSockets = 16;
const connectTimeoutMs = 15_000;

/** What the worker learns of a certificate that is not the pinned one: its fingerprint if it is the server's renewed one, else undefined. */
export type FindRenewed = (origin: URL) => Promise<string | undefined>;

/** Opens no connection yet. Errors: `config.invalid` when the address would send secrets in the clear. */
export function openServerLink(address: ServerAddress, findRenewed?: FindRenewed): ServerLink {
  const origin = new URL(address.server.origin);
  if (origin.protocol === 'http:') {
    requirePlaintextAllowed(origin.hostname, address.plaintextNetworks ?? []);
    return link(origin, new http.Agent({ keepAlive: true, maxSockets }), http.request);
  }
  if (origin.protocol !== 'https:') throw new WeirError('config.invalid', 'The server’s address begins with https://.');
  const agent = address.fingerprint === undefined
    ? new https.Agent({ keepAlive: true, maxSockets, ...(address.caPem !== undefined && { ca: address.caPem }) })
    : new PinnedAgent(address.fingerprint, findRenewed === undefined ? undefined : () => findRenewed(origin));
  return link(origin, agent, https.request);
}

function link(origin: URL, agent: http.Agent | https.Agent, request: typeof http.request): ServerLink {
  return { origin, agent, request, [Symbol.dispose]: () => agent.destroy() };
}

function requirePlaintextAllowed(hostname: string, networks: readonly string[]): void {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host.endsWith('.localhost')) return;
  // A name could resolve to anywhere at any time, so only a literal address can be inside a network.
  if (isIP(host) !== 0 && (loopback.contains(host) || compileNetworks(networks).contains(host))) return;
  throw new WeirError('config.invalid', 'Plain http:// is for servers on this machine only; use https://, or name the network in plaintext_networks.');
}

/** Hands a connection to HTTP only after its certificate was compared, so that not one byte of a request reaches anyone else. */
class PinnedAgent extends https.Agent {
  #fingerprint: string;
  readonly #findRenewed: (() => Promise<string | undefined>) | undefined;
  /** One question for all connections that met the new certificate at the same time. */
  #finding: Promise<string | undefined> | undefined;

  constructor(fingerprint: string, findRenewed?: () => Promise<string | undefined>) {
    super({ keepAlive: true, maxSockets });
    this.#fingerprint = normalized(fingerprint);
    this.#findRenewed = findRenewed;
    if (!/^[0-9a-f]{64}$/.test(this.#fingerprint)) throw new WeirError('config.invalid', 'A certificate fingerprint is the SHA-256 of the certificate: 64 hex digits.');
  }

  override createConnection(options: http.ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void): undefined {
    this.#connect(options, (error, socket) => callback?.(error, socket), true);
  }

  #connect(options: http.ClientRequestArgs, callback: (error: Error | null, stream: Duplex) => void, mayBeRenewed: boolean): void {
    const host = String(options.host ?? 'localhost');
    const socket = tls.connect({
      host, port: Number(options.port ?? 443), servername: isIP(host) === 0 ? host : '', ALPNProtocols: ['http/1.1'],
      // The certificate is compared below, which is stricter than any chain of signatures.
      rejectUnauthorized: false,
    });
    const refuse = (error: Error): void => {
      socket.destroy();
      callback(error, socket);
    };
    socket.setTimeout(connectTimeoutMs, () => refuse(new WeirError('server.unreachable')));
    socket.once('error', refuse);
    socket.once('secureConnect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', refuse);
      if (fingerprintOf(socket) === this.#fingerprint) return callback(null, socket);
      socket.on('error', () => undefined);
      const refused = new WeirError('server.unreachable', 'The server’s certificate is not the one that this worker was told to trust, and the server does not vouch for it. If it was replaced, join again.');
      if (!mayBeRenewed || this.#findRenewed === undefined) return refuse(refused);
      this.#finding ??= this.#findRenewed().finally(() => { this.#finding = undefined; });
      this.#finding.then((renewed) => {
        if (renewed === undefined) return refuse(refused);
        socket.destroy();
        this.#fingerprint = renewed;
        this.#connect(options, callback, false);
      }, refuse);
    });
  }
}

/** SHA-256 of the certificate that the peer showed, in hex; empty if it showed none. */
export const fingerprintOf = (socket: tls.TLSSocket): string => normalized(socket.getPeerX509Certificate()?.fingerprint256 ?? '');

const normalized = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase();
