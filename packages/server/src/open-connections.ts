/**
 * The connections of listeners. Node's own list forgets those that became a WebSocket and never has those whose TLS handshake goes on, yet its
 * `close` waits for all: one silent visitor would keep a server from stopping.
 */
import type { Server, Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

export class OpenConnections {
  readonly #open = new Set<Socket>();

  follow(listener: Server): void {
    listener.on('connection', (socket) => {
      this.#open.add(socket);
      socket.once('close', () => this.#open.delete(socket));
    });
  }

  /** Ends all that are still open after `graceMs`, which what was written last has to leave. */
  async end(graceMs: number): Promise<void> {
    if (this.#open.size > 0) await wait(graceMs);
    for (const socket of this.#open) socket.destroy();
  }
}
