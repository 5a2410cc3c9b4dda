/** Bytes: send them, fetch them, drop them. */
import { Content } from '@weir/contracts/content';
import { address, command, fetchChecked, path, type CallOptions, type Client } from './client.ts';
import { parseReply } from './parse-reply.ts';
import { bearer } from './proven.ts';
import { readText } from './read-text.ts';
import { uploadWithProgress } from './upload-browser.ts';
import { countedStream, type ByteSource } from './upload-stream.ts';

const maxReplyBytes = 64 * 1024;

export type UploadOptions = CallOptions & Readonly<{
  filename: string;
  contentType?: string | undefined;
  /** In bytes. With it the server can refuse early, and a source that ends short is an error instead of a shorter content. */
  size?: number | undefined;
  /** Bytes handed to the network so far. */
  onProgress?: (sentBytes: number) => void;
}>;

/** Uploads a `Blob` (browser or Node) or a stream of bytes (Node), holding no more than a chunk of it in memory. */
export async function upload(client: Client, source: Blob | ByteSource, options: UploadOptions): Promise<Content> {
  const url = address(client, '/api/v1/content', { filename: options.filename });
  const contentType = options.contentType ?? (source instanceof Blob && source.type !== '' ? source.type : 'application/octet-stream');
  const headers = { accept: 'application/json', 'content-type': contentType };
  if (source instanceof Blob && 'XMLHttpRequest' in globalThis) {
    return parseReply(Content, await uploadWithProgress(url, source, { ...headers, ...await bearer(client) }, options));
  }
  const stream = source instanceof Blob ? source.stream() : source;
  const size = options.size ?? (source instanceof Blob ? source.size : undefined);
  const response = await fetchChecked(client, url, {
    method: 'POST',
    duplex: 'half',
    body: countedStream(stream, options),
    headers: size === undefined ? headers : { ...headers, 'content-length': String(size) },
    signal: options.signal ?? null,
  });
  return parseReply(Content, await readText(response, maxReplyBytes));
}

/** Where a player or a download fetches the bytes; the cookie, or `grant`, is the evidence. */
export const url = (client: Client, cid: string, grant?: string): string =>
  address(client, path`/api/v1/content/${cid}`, { grant }).href;

export type DownloadOptions = CallOptions & Readonly<{ grant?: string | undefined; range?: Readonly<{ start: number; end?: number | undefined }> | undefined }>;

/** The bytes, or a range of them (`start` and `end` inclusive), as a stream. */
export async function download(client: Client, cid: string, { grant, range, signal }: DownloadOptions = {}): Promise<Response> {
  return fetchChecked(client, new URL(url(client, cid, grant)), {
    signal: signal ?? null,
    headers: { accept: '*/*', ...(range === undefined ? {} : { range: `bytes=${range.start}-${range.end ?? ''}` }) },
  });
}

/**
 * Asks whether the content may be read now, by its first byte: throws the refusal with the server's reason, which an answer to HEAD could
 * not carry, and opens the reading that a player goes on with. `size` in bytes, null when not told.
 */
export async function check(client: Client, cid: string, { grant, signal }: DownloadOptions = {}): Promise<Readonly<{ contentType: string; size: number | null }>> {
  const deadline = AbortSignal.timeout(client.timeoutMs);
  const response = await download(client, cid, { grant, range: { start: 0, end: 0 }, signal: signal ? AbortSignal.any([signal, deadline]) : deadline });
  await response.body?.cancel();
  const total = /^bytes 0-0\/(\d{1,15})$/.exec(response.headers.get('content-range') ?? '')?.[1];
  return { contentType: response.headers.get('content-type') ?? 'application/octet-stream', size: total === undefined ? null : Number(total) };
}

/** Drops the caller's holding; others' holdings of the same bytes stay. */
export const remove = (client: Client, cid: string, options: CallOptions = {}) =>
  command(client, { method: 'DELETE', path: path`/api/v1/content/${cid}`, ...options });
