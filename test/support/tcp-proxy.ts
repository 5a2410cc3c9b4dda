/** A TCP proxy that can do to a connection what networks do: swallow everything, cut in the middle, be gone. */
import { once } from 'node:events';
import net from 'node:net';

export class TcpProxy implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<readonly [net.Socket, net.Socket]>();
  #mode: 'open' | 'swallowing' | 'gone' = 'open';
  /** Called with each piece on its way, before it is handed on; `cut` ends the connection after `bytes` of it. */
  onPiece: ((piece: Buffer, cut: (bytes: number) => void) => void) | undefined;

  private constructor(server: net.Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
  }

  static async start(host: string, port: number): Promise<TcpProxy> {
    const server = net.createServer();
    const proxy = new TcpProxy(server, { host, port });
    server.on('connection', (near) => proxy.#accept(near));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  }

  /** From now on nothing passes and nothing is answered, as behind a cable that was pulled. */
  swallow(): void {
    this.#mode = 'swallowing';
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** From now on there is nothing at this address: connections are reset. */
  vanish(): void {
    this.#mode = 'gone';
    this.cut();
  }

  /** Everything passes again, late: what was swallowed arrives now. */
  heal(): void {
    this.#mode = 'open';
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** Resets every connection. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  }

  #accept(near: net.Socket): void {
    if (this.#mode === 'gone') {
      near.resetAndDestroy();
      return;
    }
    const far = net.connect(this.#target);
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.on('data', (piece: Buffer) => {
        let upTo: number | undefined;
        this.onPiece?.(piece, (bytes) => { upTo = bytes; });
        to.write(upTo === undefined ? piece : piece.subarray(0, upTo));
        if (upTo === undefined) return;
        near.resetAndDestroy();
        far.destroy();
      });
      from.on('error', () => undefined);
      from.once('close', () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
      if (this.#mode === 'swallowing') from.pause();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
