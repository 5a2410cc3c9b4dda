/** A response runs no further ahead of its reader than about half a second, over TCP and TLS; one that keeps up is not held back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import http, { createServer, type RequestListener, type Server } from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openBlobStore } from '@weir/content/blob-store';
import { ingest } from '@weir/content/ingest';
import { openReader } from '@weir/content/reader';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resetConnection, sendContent, type MediaReply } from '../src/http-media.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'weir-pace-'));
const size = 48 * 2 ** 20;
let media: MediaReply;
beforeAll(async () => {
  const store = await openBlobStore(folder);
  const film = await ingest(store, (async function* film() { for (let at = 0; at < size; at += 2 ** 20) yield Buffer.alloc(2 ** 20, at / 2 ** 20); })(), { maxBytes: size });
  const { blob, leafDigests } = film;
  media = { size, contentType: 'video/mp4', title: 'film', etag: '"film"', cacheControl: 'no-store', pace: 'reader', open: () => openReader(store, { blob, size, leafDigests }) };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Running = AsyncDisposable & Readonly<{ url: string; written: () => number; end: () => void }>;

async function serveFilm(scheme: 'http' | 'https'): Promise<Running> {
  let end = (): void => { throw new Error('nobody reads'); };
  let written = (): number => 0;
  const handler: RequestListener = (request, response) => {
    const aborter = new AbortController();
    written = () => response.socket?.bytesWritten ?? 0;
    end = () => { aborter.abort(); resetConnection(response); };
    sendContent(response, request.headers, media, aborter.signal).catch(() => undefined);
  };
  const server: Server = scheme === 'http' ? createServer(handler) : https.createServer(await certificate(), handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `${scheme}://127.0.0.1:${address.port}/`, written: () => written(), end: () => end(),
    [Symbol.asyncDispose]: async () => { server.closeAllConnections(); server.close(); await once(server, 'close'); },
  };
}

async function certificate(): Promise<{ key: string; cert: string }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', curve: 'P-256' });
  return { key, cert };
}

function read(url: string, rate: string | undefined): { received: () => number; exit: Promise<number> } {
  const child = spawn('curl', ['--silent', '--insecure', ...(rate === undefined ? [] : ['--limit-rate', rate]), '--max-time', '60', url], { stdio: ['ignore', 'pipe', 'inherit'] });
  let received = 0;
  child.stdout.on('data', (piece: Buffer) => { received += piece.length; });
  return { received: () => received, exit: once(child, 'close').then(([code]) => Number(code)) };
}

test.each(['http', 'https'] as const)('a reader of 1 MB/s gets at most what it would take in two seconds after the end, by %s', async (scheme) => {
  await using running = await serveFilm(scheme);
  const curl = read(running.url, '1M');
  await expect.poll(curl.received, { timeout: 20_000 }).toBeGreaterThan(4_000_000);
  const before = curl.received();
  running.end();
  expect(await curl.exit).not.toBe(0);
  const after = curl.received() - before;
  expect(after).toBeLessThanOrEqual(2 * 2 ** 20);
});

test.each(['http', 'https'] as const)('a reader that stops is soon sent no more, and gets the whole when it reads again, by %s', async (scheme) => {
  await using running = await serveFilm(scheme);
  const [response] = await once((scheme === 'http' ? http : https).get(running.url, { rejectUnauthorized: false, agent: false }), 'response') as [http.IncomingMessage];
  let received = 0;
  const ended = once(response, 'end');
  response.on('data', (piece: Buffer) => {
    received += piece.length;
    if (received - piece.length < 2_000_000 && received >= 2_000_000) response.pause();
  });
  await expect.poll(() => received, { timeout: 20_000 }).toBeGreaterThanOrEqual(2_000_000);
  await expect.poll(async () => {
    const before = running.written();
    await wait(1_500);
    return running.written() - before;
  }, { timeout: 20_000 }).toBeLessThan(64 * 1_024);
  expect(running.written() - received).toBeLessThan(3_000_000);
  response.resume();
  await ended;
  expect(received).toBe(size);
});
