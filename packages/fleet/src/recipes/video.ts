/** What the recipes that make H.264 share: the size that is never above the source's, and sound as AAC. */
import type { Probe } from '@weir/contracts/jobs';
import { hasAudio, type ExpectedOutput } from './recipe.ts';

/**
 * At most `height` lines, never more than the picture has, both sides even, square or other pixels kept, 8-bit 4:2:0 for every player.
 * The height is compared inside ffmpeg, because a rotation in the file swaps the sides that a probe says.
 */
export function scaledTo(height: number): readonly string[] {
  return ['-vf', `scale=w=-2:h='max(2,trunc(min(${height},ih)/2)*2)':flags=bicubic,format=yuv420p`];
}

/** First picture stream that is no cover, first sound if any; no subtitles, data or chapters, and no tags (a camera writes its place there). */
export const firstStreams: readonly string[] =
  ['-map', '0:V:0', '-map', '0:a:0?', '-sn', '-dn', '-map_metadata', '-1', '-map_chapters', '-1'];

export function stereoAac(kbps: number): readonly string[] {
  return ['-c:a', 'aac', '-b:a', `${kbps}k`, '-ac', '2'];
}

export function expectedStreams(input: Probe): ExpectedOutput['streams'] {
  return [{ kind: 'video', codec: 'h264' }, ...(hasAudio(input) ? [{ kind: 'audio', codec: 'aac' } as const] : [])];
}
