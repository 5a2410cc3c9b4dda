/** The address that a browser reached a page by: what passkeys are kept for, and where providers send people back to. */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { WeirError } from '@weir/contracts/errors';
import type { App } from '../app.ts';

/** `public_url` where it is set; else as the Host header says, which the allowlist has passed. */
export function pageAddress(app: App, incoming: IncomingMessage): URL {
  const { public_url: publicUrl } = app.config.server;
  if (publicUrl !== undefined) return new URL('/', publicUrl);
  const reached = URL.parse(`${app.secure ? 'https' : 'http'}://${incoming.headers.host ?? ''}/`);
  if (reached === null) throw new WeirError('request.host');
  return reached;
}

/** The relying party of passkeys (WebAuthn §5.4.2): a host name, never an address; undefined where there is none. */
export function relyingParty(app: App, incoming: IncomingMessage): Readonly<{ id: string; origin: string }> | undefined {
  const { hostname, origin, protocol } = pageAddress(app, incoming);
  const isAddress = hostname.startsWith('[') || isIP(hostname) !== 0;
  const isLocal = hostname === 'localhost' || hostname.endsWith('.localhost');
  return isAddress || (protocol !== 'https:' && !isLocal) ? undefined : { id: hostname, origin };
}

export function requireRelyingParty(app: App, incoming: IncomingMessage): Readonly<{ id: string; origin: string }> {
  const found = relyingParty(app, incoming);
  if (found !== undefined) return found;
  throw new WeirError('request.conflict', 'Browsers keep passkeys for host names only: open this page as localhost, or by HTTPS under the name in [server] public_url.');
}
