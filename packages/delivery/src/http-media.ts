/** Sends stored content over HTTP: whole or in ranges, verified before it leaves, no faster than the reader takes it, ended the moment the right ends. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { contentRange, parseRange, rangeApplies, type ByteRange } from '@weir/content/ranges';
import type { BlobReader } from '@weir/content/reader';
import { newUlid } from '@weir/contracts/clock';
import { safeDisposition, servedType } from './media-types.ts';
import { ReaderPace } from './reader-pace.ts';
import { closeByReset } from './tcp-facts.ts';

export type MediaReply = Readonly<{
  /** Bytes of the content. */
  size: number;
  contentType: string;
  title: string;
  /** Strong entity tag, with its quotes. */
  etag: string;
  cacheControl: string;
  /** `reader`: the right may be withdrawn, so no more is sent than the reader keeps up with. */
  pace: 'reader' | 'kernel';
  open: () => Promise<BlobReader>;
}>;

/** Headers that keep user bytes from ever acting as a page of ours, and proxies from running ahead of the reader. */
const guardHeaders = {
  'accept-ranges': 'bytes',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "sandbox; default-src 'none'",
  'x-accel-buffering': 'no',
  'cross-origin-resource-policy': 'same-origin',
};

/** Answers a GET or HEAD. Throws `content.range` before anything is sent; once bytes flow, a failure resets the connection. */
export async function sendContent(response: ServerResponse, headers: IncomingHttpHeaders, media: MediaReply, signal: AbortSignal): Promise<void> {
  const method = response.req.method;
  const common = {
    ...guardHeaders, etag: media.etag, 'cache-control': media.cacheControl,
    'content-disposition': safeDisposition(media.title, media.contentType), vary: 'authorization, cookie, origin',
  };
  if (matchesAny(headers['if-none-match'], media.etag)) {
    response.writeHead(304, common).end();
    return;
  }
  const ranges = rangeApplies(single(headers['if-range']), media.etag) ? parseRange(headers.range, media.size) : undefined;
  const type = servedType(media.contentType);
  const [first] = ranges ?? [];
  if (ranges === undefined || first === undefined) {
    const head = { ...common, 'content-type': type, 'content-length': media.size };
    await sendParts(response, 200, head, media, method === 'HEAD' ? [] : [{ range: { start: 0, end: media.size } }], signal);
    return;
  }
  if (ranges.length === 1) {
    const head = { ...common, 'content-type': type, 'content-length': first.end - first.start, 'content-range': contentRange(first, media.size) };
    await sendParts(response, 206, head, media, method === 'HEAD' ? [] : [{ range: first }], signal);
    return;
  }
  const boundary = newUlid();
  const parts = multipart(ranges, boundary, type, media.size);
  const length = parts.reduce((sum, part) => sum + (part.before?.length ?? 0) + (part.range === undefined ? 0 : part.range.end - part.range.start), 0);
  const head = { ...common, 'content-type': `multipart/byteranges; boundary=${boundary}`, 'content-length': length };
  await sendParts(response, 206, head, media, method === 'HEAD' ? [] : parts, signal);
}

type Part = Readonly<{ before?: string; range?: ByteRange }>;

/** RFC 9110 §14.6. */
function multipart(ranges: readonly ByteRange[], boundary: string, type: string, size: number): Part[] {
  const parts = ranges.map((range, index): Part => ({
    before: `${index === 0 ? '' : '\r\n'}--${boundary}\r\ncontent-type: ${type}\r\ncontent-range: ${contentRange(range, size)}\r\n\r\n`, range,
  }));
  return [...parts, { before: `\r\n--${boundary}--\r\n` }];
}

/** Opens the content before the head is sent, so that what is missing or cut off is still answered as an error. */
async function sendParts(
  response: ServerResponse, status: 200 | 206, head: OutgoingHttpHeaders, media: MediaReply, parts: readonly Part[], signal: AbortSignal,
): Promise<void> {
  if (parts.length === 0) {
    response.writeHead(status, head).end();
    return;
  }
  await using reader = await media.open();
  try {
    response.writeHead(status, head);
    const pace = media.pace === 'reader' ? ReaderPace.of(response.socket) : undefined;
    for (const { before, range } of parts) {
      if (before !== undefined) await write(response, Buffer.from(before, 'latin1'), signal);
      if (range === undefined) continue;
      for await (const piece of reader.lend(range.start, range.end, signal)) await writePaced(response, piece, pace, signal);
    }
    response.end();
  } catch (error) {
    // The length was promised: a clean end would pass a part off as the whole.
    resetConnection(response);
    throw error;
  }
}

async function writePaced(response: ServerResponse, bytes: Buffer, pace: ReaderPace | undefined, signal: AbortSignal): Promise<void> {
  if (pace === undefined) return write(response, bytes, signal);
  for (let from = 0; from < bytes.length;) {
    const end = from + await pace.room(bytes.length - from, signal);
    await write(response, bytes.subarray(from, end), signal);
    from = end;
  }
}

/** Waits until the kernel has taken all the bytes: at most one piece is ahead of it, and the memory may be used again. */
async function write(response: ServerResponse, bytes: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const settle = (error: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      response.off('close', onClose);
      if (error === undefined || error === null) resolve();
      else reject(error instanceof Error ? error : new Error('aborted'));
    };
    const onAbort = (): void => settle(signal.reason ?? new Error('aborted'));
    const onClose = (): void => settle(new Error('the reader went away'));
    signal.addEventListener('abort', onAbort, { once: true });
    response.once('close', onClose);
    if (response.destroyed) onClose();
    else response.write(bytes, settle);
  });
}

/** Ends a response at once, not politely: what waits in the kernel is dropped with a TCP reset. */
export function resetConnection({ socket }: ServerResponse): void {
  if (socket === null || socket.destroyed) return;
  closeByReset(socket);
  socket.destroy();
}

function matchesAny(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((item) => item.trim().replace(/^W\//, '') === etag);
}

const single = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header[0] : header);
