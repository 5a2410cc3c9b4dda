import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import * as content from '../src/content.ts';
import { bytesOf, json, serve } from './local-server.ts';

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const reply = (cid: string, size: number) =>
  ({ cid, size, content_type: 'video/mp4', profile: 'unixfs-v1-2025', encrypted: true, created_at: '2026-11-22T10:00:00.000Z' });

const echo = () => serve(async (request, response) => {
  const bytes = await bytesOf(request);
  json(response, 201, { ...reply(digest(bytes), bytes.length), content_type: String(request.headers['content-type']) });
});

test('a stream arrives whole, with its size announced and its progress reported', async () => {
  const bytes = randomBytes(300_000);
  const progress: number[] = [];
  await using server = await serve(async (request, response) => {
    expect(request.url).toBe('/api/v1/content?filename=my+clip.mp4');
    expect(request.headers['content-length']).toBe('300000');
    const received = await bytesOf(request);
    json(response, 201, reply(digest(received), received.length));
  });
  async function* source() {
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  }
  const stored = await content.upload(server.client, source(), {
    filename: 'my clip.mp4', contentType: 'video/mp4', size: bytes.length, onProgress: (sent) => progress.push(sent),
  });
  expect(stored.cid).toBe(digest(bytes));
  expect(progress.at(-1)).toBe(bytes.length);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
});

test('a blob brings its own size and type', async () => {
  await using server = await echo();
  const stored = await content.upload(server.client, new Blob(['weir'], { type: 'text/plain' }), { filename: 'a.txt' });
  expect(stored).toMatchObject({ size: 4, content_type: 'text/plain', cid: digest(Buffer.from('weir')) });
});

test('a source that ends short is an error, never a shorter content', async () => {
  await using server = await echo();
  async function* short() { yield Buffer.from('half'); }
  await expect(content.upload(server.client, short(), { filename: 'x', size: 8 })).rejects.toMatchObject({ code: 'server.unreachable' });
});

test('cancelling an upload stops reading the source', async () => {
  await using server = await serve(async (request) => { for await (const _ of request) { /* never answers */ } });
  const abort = new AbortController();
  let released = false;
  async function* endless() {
    try {
      for (;;) yield new Uint8Array(1_000);
    } finally {
      released = true;
    }
  }
  const upload = content.upload(server.client, endless(), {
    filename: 'x', signal: abort.signal, onProgress: (sent) => { if (sent > 5_000) abort.abort(); },
  });
  await expect(upload).rejects.toMatchObject({ name: 'AbortError' });
  await expect.poll(() => released).toBe(true);
});

test('a range is asked for as HTTP says, with the grant in its place', async () => {
  await using server = await serve((request, response) => {
    response.writeHead(206).end(`${request.headers.range} ${request.url}`);
  });
  const response = await content.download(server.client, 'bafk', { grant: 'g', range: { start: 2, end: 5 } });
  expect(await response.text()).toBe('bytes=2-5 /api/v1/content/bafk?grant=g');
});

test('a check tells type and size while the right holds, and the reason when it does not', async () => {
  let withdrawn = false;
  await using server = await serve((request, response) => {
    if (withdrawn) return json(response, 403, { error: { code: 'policy.refused', message: 'The link was revoked.', request_id: 'r' } });
    response.writeHead(206, { 'content-type': 'video/mp4', 'content-range': 'bytes 0-0/1234' }).end(request.headers.range === 'bytes=0-0' ? 'x' : '');
  });
  expect(await content.check(server.client, 'bafk', { grant: 'g' })).toEqual({ contentType: 'video/mp4', size: 1234 });
  withdrawn = true;
  await expect(content.check(server.client, 'bafk', { grant: 'g' })).rejects.toMatchObject({ code: 'policy.refused', message: 'The link was revoked.' });
});

test('a refusal without a body is told by its status', async () => {
  await using server = await serve((_, response) => { response.writeHead(403).end(); });
  await expect(content.check(server.client, 'bafk')).rejects.toMatchObject({ code: 'policy.refused', status: 403 });
});
