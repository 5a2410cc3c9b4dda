/** A real HTTP server on a private port for one test. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createClient, type Client } from '../src/client.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export async function serve(handler: Handler): Promise<{ client: Client; baseUrl: string } & AsyncDisposable> {
  const server = createServer((request, response) => {
    Promise.resolve(handler(request, response)).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the server has no port');
  const baseUrl = `http://127.0.0.1:${bound.port}`;
  return {
    baseUrl,
    client: createClient({ baseUrl, token: () => 'a-token' }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
