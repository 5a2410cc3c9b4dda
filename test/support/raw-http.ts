/** HTTP as a hostile or odd client speaks it: any header, any target, any bytes; and readers that take their time. */
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { once } from 'node:events';

export type RawReply = Readonly<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer; text: string; complete: boolean }>;
export type RawRequest = Readonly<{
  method?: string; target: string; headers?: Readonly<Record<string, string | readonly string[]>>; body?: string | Uint8Array; agent?: http.Agent;
  /** The reply is a stream without an end: its head is all that is waited for. */
  endless?: true;
}>;

/** Sends exactly this target and these headers to `url`'s host and port; nothing is normalised, no certificate is checked. A connection of its own without `agent`. */
export async function send(url: string, { method = 'GET', target, headers = {}, body, agent, endless }: RawRequest): Promise<RawReply> {
  const { protocol, hostname, port } = new URL(url);
  const options: https.RequestOptions = { host: hostname, port, path: target, method, agent: agent ?? false, rejectUnauthorized: false };
  const request = protocol === 'https:' ? https.request(options) : http.request(options);
  for (const [name, value] of Object.entries(headers)) request.setHeader(name, typeof value === 'string' ? value : [...value]);
  // Of a DELETE Node announces no body by itself, and the server would take it for another request.
  if (body !== undefined && !request.hasHeader('content-length') && !request.hasHeader('transfer-encoding')) request.setHeader('content-length', Buffer.byteLength(body));
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).on('error', reject);
    request.end(body);
  });
  const pieces: Buffer[] = [];
  let complete = true;
  if (endless === true && response.statusCode === 200) request.destroy();
  try {
    for await (const piece of response) pieces.push(Buffer.from(piece));
  } catch {
    complete = false; // the server broke the reply off; what came before is what the caller looks at
  }
  const bytes = Buffer.concat(pieces);
  return { status: response.statusCode ?? 0, headers: response.headers, body: bytes, text: bytes.toString('utf8'), complete: complete && response.complete };
}

/** Writes bytes to a fresh connection and reads until the server ends it, or `waitMs` passed. */
export async function sendBytes(url: string, bytes: string | Uint8Array, waitMs = 5_000): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  let text = '';
  socket.on('data', (piece: Buffer) => { text += piece.toString('latin1'); });
  socket.on('error', () => undefined);
  socket.write(bytes);
  const timer = setTimeout(() => socket.destroy(), waitMs);
  if (!socket.closed) await once(socket, 'close').catch(() => undefined);
  clearTimeout(timer);
  return text;
}

/** A reader that takes a little at a time, so that the sender is always ahead of it and waiting. */
export class PacedReader implements Disposable {
  /** Bytes of the whole reply so far, and since `mark`. */
  received = 0;
  sinceMark = 0;
  head = '';
  endedAt: number | undefined;
  readonly ended: Promise<void>;
  readonly #socket: net.Socket;
  readonly #pacer: NodeJS.Timeout;
  #isHurried = false;

  /** `bytesPerSecond` is kept by taking a fiftieth of it every 20 ms. */
  constructor(url: string, target: string, headers: Readonly<Record<string, string>>, bytesPerSecond: number) {
    const { hostname, port } = new URL(url);
    const socket = net.connect(Number(port), hostname);
    this.#socket = socket;
    const lines = Object.entries({ host: `${hostname}:${port}`, connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
    socket.on('error', () => undefined);
    let allowance = 0;
    socket.on('data', (piece: Buffer) => {
      if (this.received < 4_096) this.head += piece.subarray(0, 4_096).toString('latin1');
      this.received += piece.length;
      this.sinceMark += piece.length;
      allowance -= piece.length;
      if (allowance <= 0 && !this.#isHurried) socket.pause();
    });
    this.#pacer = setInterval(() => {
      allowance = Math.min(allowance + bytesPerSecond / 50, bytesPerSecond / 10);
      if (allowance > 0) socket.resume();
    }, 20);
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        this.endedAt = performance.now();
        clearInterval(this.#pacer);
        resolve();
      });
    });
  }

  get status(): number { return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.head)?.[1] ?? 0); }

  mark(): void { this.sinceMark = 0; }

  /** From now on takes whatever comes, as fast as it comes. */
  hurry(): void {
    this.#isHurried = true;
    this.#socket.resume();
  }

  /** Resolves once so many bytes came; rejects when the reply ended before. */
  async has(bytes: number): Promise<void> {
    while (this.received < bytes) {
      if (this.endedAt !== undefined) throw new Error(`the reply ended after ${this.received} bytes: ${this.head.slice(0, 500)}`);
      await new Promise((resolve) => { setTimeout(resolve, 10); });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#pacer);
    this.#socket.destroy();
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
