/** Playlists of published outputs: they name their media by content id, so that a player finds them where the playlist itself is read. */
import { WeirError } from '@weir/contracts/errors';
import type { Context, ExaminedOutput } from './context.ts';

const playlistType = 'application/vnd.apple.mpegurl';
const maxPlaylistBytes = 1 << 20;

/**
 * The outputs, with each HLS playlist (RFC 8216) replaced by one in which the names of the other outputs are their content ids: relative
 * addresses beside `/api/v1/content/{cid}`. The bytes that came stay until
 * publication, in case it has to begin again; then nothing names them and they are collected. Errors: `job.failed` for a playlist over 1 MiB.
 */
export async function linkPlaylists(context: Context, outputs: readonly ExaminedOutput[], signal: AbortSignal): Promise<ExaminedOutput[]> {
  const linked: ExaminedOutput[] = [];
  for (const output of outputs) {
    if (output.contentType !== playlistType) { linked.push(output); continue; }
    const others = new Map(outputs.filter((other) => other !== output && other.contentType !== playlistType).map(({ name, received }) => [name, received.cid]));
    const text = Buffer.from(linkNames(await textOf(context, output, signal), others));
    const received = await context.content.receive(once(text), { maxBytes: maxPlaylistBytes, signal });
    linked.push({ ...output, received });
  }
  return linked;
}

/** Replaces whole URIs only: a line that is one, and the `URI` attribute of a tag. */
export function linkNames(playlist: string, names: ReadonlyMap<string, string>): string {
  return playlist.split('\n').map((line) => (line.startsWith('#')
    ? line.replace(/\bURI="([^"]*)"/g, (whole, name: string) => (names.has(name) ? `URI="${names.get(name)}"` : whole))
    : (names.get(line.trim()) ?? line))).join('\n');
}

async function textOf(context: Context, { name, received }: ExaminedOutput, signal: AbortSignal): Promise<string> {
  const { blob, size, sealedKey, leafDigests } = received;
  if (size > maxPlaylistBytes) throw new WeirError('job.failed', `The playlist ${name} is longer than ${maxPlaylistBytes} bytes.`);
  await using reader = await context.content.open({ blob, size, data_key: sealedKey, leaf_digests: leafDigests });
  const pieces: Buffer[] = [];
  for await (const piece of reader.read(0, size, signal)) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
