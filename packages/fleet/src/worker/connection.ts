/** The worker's one outbound connection: opened again whenever it ends, with growing, random waits, for as long as the worker lives. */
import { randomInt } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { WeirError } from '@weir/contracts/errors';
import { CoordinatorMessage, maxWorkerFrameBytes, type WorkerMessage } from '@weir/contracts/workers';
import type { ServerLink } from './server-link.ts';

export const connectPath = '/api/v1/workers/connect';

const handshakeTimeoutMs = 15_000;
/** Silence after which the connection is taken for dead; the coordinator answers pings. */
const silenceMs = 15_000;
const pingMs = 5_000;
const firstBackoffMs = 500;
const longestBackoffMs = 15_000;
/** Bytes waiting to be sent beyond which progress and log lines are left out; results never are. */
const maxUnsentBytes = 1024 * 1024;

export type ConnectionOptions = Readonly<{
  link: ServerLink;
  /** Fresh for every attempt to connect: signatures carry the time. */
  headers: () => Record<string, string>;
  hello: () => WorkerMessage;
  onMessage: (message: CoordinatorMessage) => void;
  /** What happened to the connection, as a line for the operator. */
  onEvent: (line: string) => void;
}>;

export class WorkerConnection {
  readonly #options: ConnectionOptions;
  #socket: WebSocket | undefined;
  #isWelcome = false;
  #wasWelcome = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Stays connected until the signal aborts. Errors: `identity.required` when the server refuses the worker before ever accepting it. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      const { welcomed, refusal } = await this.#connectOnce(signal);
      if (signal.aborted) return;
      if (refusal !== undefined && !this.#wasWelcome) throw refusal;
      failures = welcomed ? 0 : failures + 1;
      const longest = Math.min(firstBackoffMs * 2 ** Math.min(failures + 1, 10), longestBackoffMs);
      try {
        await wait(randomInt(firstBackoffMs, longest), undefined, { signal });
      } catch {
        return; // the wait ends early only when the signal aborts
      }
    }
  }

  /** Sends while connected and welcome; false when the message was not sent. */
  send(message: WorkerMessage): boolean {
    const socket = this.#socket;
    if (socket === undefined || !this.#isWelcome || socket.readyState !== WebSocket.OPEN) return false;
    const canWait = message.type === 'progress' || message.type === 'log';
    if (canWait && socket.bufferedAmount > maxUnsentBytes) return false;
    socket.send(JSON.stringify(message));
    return true;
  }

  async #connectOnce(signal: AbortSignal): Promise<{ welcomed: boolean; refusal: WeirError | undefined }> {
    const { link, headers, hello, onEvent } = this.#options;
    const url = new URL(connectPath, link.origin);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url, {
      agent: link.agent, headers: headers(), maxPayload: maxWorkerFrameBytes, perMessageDeflate: false, handshakeTimeout: handshakeTimeoutMs, followRedirects: false,
    });
    this.#socket = socket;
    let refusal: WeirError | undefined;
    const stop = (): void => socket.close(1000, 'stopping');
    const watch = watchSilence(socket);
    signal.addEventListener('abort', stop, { once: true });
    socket.on('open', () => socket.send(JSON.stringify(hello())));
    socket.on('message', (data: Buffer, isBinary) => this.#receive(socket, isBinary ? undefined : data));
    socket.on('unexpected-response', (request, response) => {
      const status = response.statusCode ?? 0;
      onEvent(`The server answered ${status} to the worker.`);
      if (status === 401 || status === 403) refusal = new WeirError('identity.required', 'The server does not accept this worker: check its name and key, or join again.');
      request.destroy();
      socket.terminate();
    });
    socket.on('error', (error) => onEvent(`No connection: ${error instanceof WeirError ? error.message : 'the server does not answer.'}`));
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    clearInterval(watch);
    signal.removeEventListener('abort', stop);
    const welcomed = this.#isWelcome;
    this.#isWelcome = false;
    if (welcomed) onEvent('Disconnected from the server.');
    return { welcomed, refusal };
  }

  #receive(socket: WebSocket, data: Buffer | undefined): void {
    const message = parse(data);
    if (message === undefined) {
      this.#options.onEvent('The server sent a message of an unknown form; its version may not fit this worker.');
      socket.close(1002);
      return;
    }
    if (message.type === 'welcome') {
      this.#isWelcome = true;
      this.#wasWelcome = true;
      this.#options.onEvent(`Connected as ${message.worker}.`);
    }
    this.#options.onMessage(message);
  }
}

/** Pings, and ends a connection over which nothing came for a while: the network may drop it without a word. */
function watchSilence(socket: WebSocket): NodeJS.Timeout {
  let heardAt = Date.now();
  const heard = (): void => { heardAt = Date.now(); };
  socket.on('message', heard).on('pong', heard).on('open', heard);
  return setInterval(() => {
    if (Date.now() - heardAt > silenceMs) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, pingMs);
}

function parse(data: Buffer | undefined): CoordinatorMessage | undefined {
  if (data === undefined) return undefined;
  try {
    return CoordinatorMessage.parse(JSON.parse(data.toString('utf8')));
  } catch {
    return undefined; // the caller says so and closes
  }
}
