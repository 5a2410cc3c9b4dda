/** `weir upload`, `get`, `ls`, `rm`: bytes to and from a server. */
import { createReadStream } from 'node:fs';
import { open, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Content } from '@weir/contracts/content';
import { WeirError } from '@weir/contracts/errors';
import type { Client } from '@weir/sdk/client';
import * as content from '@weir/sdk/content';
import * as library from '@weir/sdk/library';
import { RemoteError } from '@weir/sdk/remote-error';
import { connect } from '../client/connection.ts';
import { note, print, printJson, type Context } from '../context.ts';
import type { ServerFlags } from '../flags.ts';
import type { ByteRange } from '../parse.ts';
import { liveLine, transferText } from '../terminal/progress.ts';
import { tableText } from '../terminal/table.ts';
import { formatBytes } from '../terminal/units.ts';

type Common = ServerFlags & Readonly<{ quiet?: boolean; json?: boolean }>;
export type UploadFlags = Common & Readonly<{ title?: string; type?: string }>;
export type GetFlags = ServerFlags & Readonly<{ output?: string; range?: ByteRange; quiet?: boolean }>;
export type LsFlags = Common & Readonly<{ limit: number; cursor?: string }>;

const pieceBytes = 1 << 20;

export async function upload(this: Context, flags: UploadFlags, ...files: readonly string[]): Promise<void> {
  if (flags.title !== undefined && files.length > 1) throw new WeirError('request.invalid', '--title names one upload; upload the files one by one.');
  const client = await connect(this, flags);
  const items: (Content & { file: string })[] = [];
  for (const file of files) {
    const sent = await uploadFile(this, client, file, flags);
    items.push({ ...sent, file });
    if (flags.quiet === true) print(this, sent.cid);
    else if (flags.json !== true) print(this, `${sent.cid}  ${formatBytes(sent.size)}  ${file}`);
  }
  if (flags.json === true) printJson(this, { items });
}

/** `-` is standard input, whose length nobody knows. */
export async function uploadFile(context: Context, client: Client, file: string, flags: Pick<UploadFlags, 'title' | 'type'>): Promise<Content> {
  const size = file === '-' ? undefined : await sizeOf(file);
  using live = liveLine(context.process.stderr);
  const startedAt = performance.now();
  const name = file === '-' ? 'standard input' : path.basename(file);
  const source: AsyncIterable<Uint8Array> = file === '-' ? context.stdin : createReadStream(file, { highWaterMark: pieceBytes });
  return content.upload(client, source, {
    filename: flags.title ?? (file === '-' ? 'standard-input' : name), contentType: flags.type, size, signal: context.signal,
    onProgress: (sent) => live.show(transferText(name, sent, size, performance.now() - startedAt)),
  });
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file);
  if (!found.isFile()) throw new WeirError('request.invalid', `${file} is not a file; for a pipe use: … | weir upload -`);
  return found.size;
}

export async function get(this: Context, flags: GetFlags, cid: string): Promise<void> {
  const client = await connect(this, flags);
  if (flags.output === undefined || flags.output === '-') await toStandardOutput(this, client, cid, flags.range);
  else if (flags.range === undefined) await resumable(this, client, cid, { file: flags.output, quiet: flags.quiet === true });
  else {
    const response = await content.download(client, cid, { range: flags.range, signal: this.signal });
    const written = await save(this, response, flags.output, 0);
    if (flags.quiet !== true) note(this, `${flags.output}: ${formatBytes(written)}`);
  }
}

async function toStandardOutput(context: Context, client: Client, cid: string, range: ByteRange | undefined): Promise<void> {
  if (context.process.stdout.isTTY === true) throw new WeirError('request.invalid', 'Media on a terminal is no use; name a file with -o FILE, or pipe it on.');
  const response = await content.download(client, cid, { range, signal: context.signal });
  await pipeline(bodyOf(response), context.process.stdout, { end: false, signal: context.signal });
}

/** Whole content goes to a file ending in `.part`, goes on there after an interruption, and gets its name when it is complete. */
async function resumable(context: Context, client: Client, cid: string, { file, quiet }: Readonly<{ file: string; quiet: boolean }>): Promise<void> {
  const part = `${file}.${cid.slice(-12)}.part`;
  const before = await bytesOf(part);
  const response = await downloadFrom(client, cid, before, context.signal);
  const total = response === undefined ? before : totalOf(response);
  const start = response?.status === 206 ? before : 0;
  if (response !== undefined) await save(context, response, part, start);
  const got = await bytesOf(part);
  if (got !== total) throw new WeirError('content.incomplete', `${got} of ${total} bytes arrived; run the same command again to go on.`);
  await rename(part, file);
  if (!quiet) note(context, `${file}: ${formatBytes(total)}${start > 0 ? `, ${formatBytes(start)} of it from before` : ''}`);
}

/** Undefined when nothing comes after `start`: the part on disk is all there is. */
async function downloadFrom(client: Client, cid: string, start: number, signal: AbortSignal): Promise<Response | undefined> {
  try {
    return await content.download(client, cid, { range: start === 0 ? undefined : { start }, signal });
  } catch (error) {
    if (start > 0 && error instanceof RemoteError && error.code === 'content.range') return undefined;
    throw error;
  }
}

/** Writes the body from `position` on; what is before it stays. Returns the number of bytes written. */
async function save(context: Context, response: Response, file: string, position: number): Promise<number> {
  const expected = position + Number(response.headers.get('content-length') ?? 0);
  await using target = await open(file, position > 0 ? 'r+' : 'w', 0o600);
  using live = liveLine(context.process.stderr);
  const startedAt = performance.now();
  let written = 0;
  for await (const bytes of bodyOf(response)) {
    await writeAll(target, bytes, position + written);
    written += bytes.length;
    live.show(transferText(path.basename(file), position + written, expected, performance.now() - startedAt));
  }
  await target.sync();
  return written;
}

async function writeAll(target: Awaited<ReturnType<typeof open>>, bytes: Uint8Array, position: number): Promise<void> {
  for (let offset = 0; offset < bytes.length;) offset += (await target.write(bytes, offset, bytes.length - offset, position + offset)).bytesWritten;
}

function totalOf(response: Response): number {
  const [, total] = /^bytes [0-9]+-[0-9]+\/([0-9]{1,15})$/.exec(response.headers.get('content-range') ?? '') ?? [];
  return Number(total ?? response.headers.get('content-length') ?? 0);
}

/** The bytes of a reply as they arrive; none when it has no body. */
export async function* bodyOf({ body }: Response): AsyncGenerator<Uint8Array, void> {
  if (body !== null) yield* body;
}

async function bytesOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

export async function ls(this: Context, flags: LsFlags): Promise<void> {
  const client = await connect(this, flags);
  const page = await library.list(client, { limit: flags.limit, cursor: flags.cursor, signal: this.signal });
  if (flags.json === true) return printJson(this, page);
  if (flags.quiet === true) return page.items.forEach(({ cid }) => print(this, cid));
  print(this, tableText(['CID', 'SIZE', 'TYPE', 'WHO', 'TITLE', 'CREATED'], page.items.map((item) =>
    [item.cid, formatBytes(item.size), item.content_type, item.level ?? 'owner only', item.title, item.created_at])));
  if (page.next_cursor !== null) note(this, `There are more: weir ls --cursor ${page.next_cursor}`);
}

export async function rm(this: Context, flags: Common, ...cids: readonly string[]): Promise<void> {
  const client = await connect(this, flags);
  for (const cid of cids) {
    await content.remove(client, cid, { signal: this.signal });
    if (flags.quiet !== true && flags.json !== true) print(this, `${cid} dropped`);
  }
  if (flags.json === true) printJson(this, { dropped: cids });
}
