/**
 * A guard before WebSockets of the `ws` library: who may open one, how much may be said on it, and that it closes when the right ends.
 *
 *     guardWebSockets(server, new WebSocketServer({ noServer: true }), security, { path: '/live', onMessage: (socket, data) => socket.send(data) });
 */
import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WeirError } from '@weir/contracts/errors';
import type { RawData, WebSocket, WebSocketServer } from 'ws';
import type { StreamingSecurityManager } from './streaming-security-manager.ts';
import type { StreamingClaims } from './streaming-tokens.ts';

export type GuardedSockets = Readonly<{
  /** The path that these sockets are opened at. */
  path: string;
  /** Only messages within the limit get here: text as a string, binary ones as bytes. */
  onMessage: (socket: WebSocket, data: string | Buffer, claims: StreamingClaims) => void;
  onOpen?: (socket: WebSocket, claims: StreamingClaims) => void;
  /** The content that a socket is about: its policy admits, and ends the socket. */
  content?: (request: IncomingMessage) => string;
  /** The named limit that messages count against, by user. */
  limit?: string;
}>;

/** This many messages over the limit are answered; the next one closes the socket. */
const toleratedExcess = 3;
const excessForgottenMs = 60_000;
/** A reader that does not read its close frame is cut off after this. */
const politeMs = 250;

export function guardWebSockets(server: Pick<Server, 'on' | 'listenerCount'>, sockets: WebSocketServer, security: StreamingSecurityManager, options: GuardedSockets): void {
  const { limit = 'signaling' } = options;
  if (!security.hasRateLimit(limit)) throw new WeirError('config.invalid', `There is no rate limit "${limit}"; add rateLimits.${limit}.`);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url?.split('?')[0] !== options.path) {
      if (server.listenerCount('upgrade') === 1) refuse(socket, new WeirError('route.absent'));
      return;
    }
    // Whoever leaves before it is known who it is has no more to be told.
    const onLeft = (): void => { socket.destroy(); };
    socket.once('error', onLeft);
    admit(security, request, options).then(
      (caller) => {
        socket.off('error', onLeft);
        sockets.handleUpgrade(request, socket, head, (opened) => { open(opened, caller, security, options); });
      },
      (error: unknown) => {
        if (!(error instanceof WeirError)) process.emitWarning(`A socket was refused: ${String(error)}`, 'WeirStreamingSecurity');
        refuse(socket, error instanceof WeirError ? error : new WeirError('internal'));
      },
    );
  });
}

type Caller = Readonly<{ claims: StreamingClaims; address: string; cid: string | undefined }>;

async function admit(security: StreamingSecurityManager, request: IncomingMessage, { content }: GuardedSockets): Promise<Caller> {
  const { claims, address } = await security.authenticateWebSocket(request);
  const cid = content?.(request);
  if (cid !== undefined && !(await security.checkContentAccess(cid, claims, { address })).allowed) throw new WeirError('object.absent');
  return { claims, address, cid };
}

function open(socket: WebSocket, { claims, address, cid }: Caller, security: StreamingSecurityManager, { onMessage, onOpen, limit = 'signaling' }: GuardedSockets): void {
  const right = security.watch(claims, () => { close(socket, 4401, 'the right to this ended'); }, { address, ...(cid === undefined ? {} : { cid }) });
  socket.once('close', () => { right[Symbol.dispose](); });
  // What breaks the protocol is closed by the library itself.
  socket.on('error', () => { socket.terminate(); });
  let excess = 0;
  let lastExcessMs = 0;
  socket.on('message', (data, isBinary) => {
    if (socket.readyState !== socket.OPEN) return;
    const verdict = security.checkRateLimit(claims.userId, limit);
    if (verdict.allowed) { onMessage(socket, isBinary ? bytesOf(data) : bytesOf(data).toString('utf8'), claims); return; }
    const now = performance.now();
    excess = now - lastExcessMs > excessForgottenMs ? 1 : excess + 1;
    lastExcessMs = now;
    if (excess > toleratedExcess) { close(socket, 1008, 'too many messages'); return; }
    socket.send(JSON.stringify({ error: { code: 'rate.exceeded', message: `Too many messages; try again in ${verdict.retryAfterSeconds} s.`, retry_after: verdict.retryAfterSeconds } }));
  });
  onOpen?.(socket, claims);
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function close(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  const timer = setTimeout(() => { socket.terminate(); }, politeMs);
  socket.once('close', () => { clearTimeout(timer); });
}

function refuse(socket: Duplex, { status, code, message }: WeirError): void {
  const body = JSON.stringify({ error: { code, message } });
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => { socket.destroy(); });
}
