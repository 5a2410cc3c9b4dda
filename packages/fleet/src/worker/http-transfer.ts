/** Moves inputs and outputs of an attempt over HTTP: continues after a broken connection, and stops when the server says no. */
import { createHash, randomInt } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { isErrorCode, WeirError } from '@weir/contracts/errors';
import type { ServerLink } from './server-link.ts';

/** Tries in a row that moved nothing; one byte of progress starts the count again. */
const maxFruitlessTries = 8;
const idleMs = 60_000;
const pieceBytes = 1024 * 1024;
const maxErrorBytes = 16_384;

/** `onMoved` is told how many bytes travelled, for the stall watchdog and the progress. */
export type Transfer = Readonly<{ link: ServerLink; path: string; token: string; signal: AbortSignal; onMoved: (bytes: number) => void }>;

/** Downloads exactly `size` bytes into `file`, by ranges where a connection broke. Errors: what the server answered, `server.unreachable`, `content.incomplete`. */
export async function fetchInto(transfer: Transfer, file: FileHandle, size: number): Promise<void> {
  let have = 0;
  await persistently(transfer.signal, async (progressed) => {
    while (have < size) {
      const response = await send(transfer, 'GET', have === 0 ? {} : { range: `bytes=${have}-${size - 1}` });
      if (have > 0 && response.statusCode !== 206) have = 0;
      const before = have;
      for await (const bytes of buffersOf(response)) {
        if (have + bytes.length > size) throw new WeirError('content.incomplete', 'The server sent more bytes than the assignment says.');
        await file.write(bytes, 0, bytes.length, have);
        have += bytes.length;
        transfer.onMoved(bytes.length);
        progressed();
      }
      if (have === before) throw new Interrupted('The connection ended early.');
    }
  });
}

/** Hex SHA-256 of the first `size` bytes of an open file. */
export async function digestOfFile(file: FileHandle, size: number, signal: AbortSignal): Promise<string> {
  const digest = createHash('sha256');
  for await (const piece of piecesOf(file, size, signal, () => undefined)) digest.update(piece);
  return digest.digest('hex');
}

/** Uploads the first `size` bytes of `file`; again from the start after a broken connection, which the server takes as the same output. */
export async function sendFrom(transfer: Transfer, file: FileHandle, size: number, sha256: string): Promise<void> {
  await persistently(transfer.signal, async () => {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(size), 'x-weir-sha256': sha256 };
    const response = await send(transfer, 'PUT', headers, () => piecesOf(file, size, transfer.signal, transfer.onMoved));
    response.resume();
  });
}

async function* piecesOf(file: FileHandle, size: number, signal: AbortSignal, onMoved: (bytes: number) => void): AsyncGenerator<Buffer> {
  for (let at = 0; at < size;) {
    signal.throwIfAborted();
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(pieceBytes, size - at)), 0, null, at);
    if (bytesRead === 0) throw new WeirError('content.incomplete', 'An output shrank while it was being delivered.');
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
    onMoved(bytesRead);
  }
}

/** The connection, not the request, failed: worth another try. */
class Interrupted extends Error {
  override name = 'Interrupted';
}

async function persistently(signal: AbortSignal, work: (progressed: () => void) => Promise<void>): Promise<void> {
  for (let fruitless = 0; ;) {
    try {
      return await work(() => { fruitless = 0; });
    } catch (error) {
      signal.throwIfAborted();
      fruitless += 1;
      if (!isTransient(error)) throw error;
      if (fruitless >= maxFruitlessTries) throw new WeirError('server.unreachable', 'The server stopped answering while a file was on its way.', { cause: error });
    }
    await wait(randomInt(100, Math.min(100 * 2 ** (fruitless + 1), 5_000)), undefined, { signal });
  }
}

const networkErrors = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', 'ERR_STREAM_PREMATURE_CLOSE']);
function isTransient(error: unknown): boolean {
  if (error instanceof Interrupted) return true;
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && networkErrors.has(error.code);
}

/** Resolves with a response of 2xx; a refusal becomes its `WeirError`, a trouble of the server `Interrupted`. */
async function send(transfer: Transfer, method: string, headers: Record<string, string>, body?: () => AsyncGenerator<Buffer>): Promise<IncomingMessage> {
  const { link, path, token, signal } = transfer;
  const target = new URL(path, link.origin);
  const request = link.request(target, { method, agent: link.agent, signal, headers: { ...headers, authorization: `Bearer ${token}` } });
  request.setTimeout(idleMs, () => request.destroy(new Interrupted('The server was silent for a minute.')));
  // The listener for errors stays: a server that answers before it has read everything breaks the sending, and its answer is what counts.
  const responding = new Promise<IncomingMessage>((resolve, reject) => request.once('response', resolve).on('error', reject));
  if (body === undefined) request.end();
  else pipeline(Readable.from(body()), request).catch((error: Error) => request.destroy(error));
  const response = await responding;
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  const text = await shortText(response, maxErrorBytes);
  request.destroy();
  if (status >= 500 || status === 408 || status === 429) throw new Interrupted(`The server answered ${status}.`);
  throw refusalOf(text, status);
}

/** The body as text; undefined when it is longer than `maxBytes`. */
export async function shortText(response: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of buffersOf(response)) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* buffersOf(response: IncomingMessage): AsyncGenerator<Buffer> {
  const chunks: AsyncIterable<unknown> = response;
  for await (const chunk of chunks) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('A response is read as bytes.');
    yield chunk;
  }
}

/** The server's own code and sentence where its answer has them. */
export function refusalOf(text: string | undefined, status: number): WeirError {
  try {
    const body: unknown = JSON.parse(text ?? '');
    const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined;
    if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error && isErrorCode(error.code)) {
      return new WeirError(error.code, String(error.message).slice(0, 500));
    }
  } catch {
    // Not JSON: a proxy's page, which says nothing more than its status.
  }
  return new WeirError('server.unreachable', `The server answered with status ${status}.`);
}
