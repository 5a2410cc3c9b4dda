/** HTTP Live Streaming on demand: fragmented MP4 with byte ranges, one file and one playlist for each rendition. */
import { z } from 'zod';
import { defineRecipe, requireStream } from './recipe.ts';
import { expectedStreams, firstStreams, scaledTo, stereoAac } from './video.ts';

const segmentSeconds = 4;
/** How many renditions this version makes; the form of the parameter admits six. */
const maxRenditions = 1;
const playlist = 'video.m3u8', media = 'video.mp4';

const Heights = z.string().regex(/^\d{3,4}(,\d{3,4}){0,5}$/, 'heights are numbers joined by commas, such as 720')
  .refine((text) => heightsOf(text).every((height) => height >= 144 && height <= 2_160), 'each height is from 144 to 2160')
  .refine((text) => heightsOf(text).length <= maxRenditions, `at most ${maxRenditions} rendition is made by this version`);

export const hlsLadder = defineRecipe({
  recipe: 'hls-ladder', title: 'HLS (CMAF)', class: 'cpu', outputs: [playlist, media],
  description: 'A playlist and a fragmented MP4 for players that stream, with a key frame every four seconds.',
  parameters: z.strictObject({
    heights: Heights.default('720').describe('Lines of each rendition, joined by commas; less when the source has less.'),
    crf: z.int().min(15).max(40).default(23).describe('Quality: 15 is the best, 40 the smallest file.'),
    preset: z.enum(['ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium']).default('veryfast').describe('Slower presets make smaller files.'),
    audio_bitrate_kbps: z.int().min(48).max(320).default(128).describe('Kilobits per second of the sound.'),
  }),
  plan: (parameters, input) => {
    requireStream('hls-ladder', input, 'video', 'For sound alone use audio-opus.');
    const [height = 720] = heightsOf(parameters.heights);
    const durationSeconds = input.duration_seconds;
    return {
      arguments: [
        '-i', '{in:0}', ...firstStreams, ...scaledTo(height),
        '-c:v', 'libx264', '-preset', parameters.preset, '-crf', String(parameters.crf), ...rateCeiling(height), ...alignedKeyFrames,
        ...stereoAac(parameters.audio_bitrate_kbps), '-max_muxing_queue_size', '1024',
        '-f', 'hls', '-hls_time', String(segmentSeconds), '-hls_list_size', '0', '-hls_playlist_type', 'vod', '-hls_segment_type', 'fmp4',
        '-hls_flags', 'single_file+independent_segments', '-hls_segment_filename', `{out:${media}}`, `{out:${playlist}}`,
      ],
      outputs: [
        { name: playlist, contentType: 'application/vnd.apple.mpegurl', form: 'playlist', streams: null, durationSeconds },
        { name: media, contentType: 'video/mp4', form: 'media', streams: expectedStreams(input), durationSeconds },
      ],
      durationSeconds,
    };
  },
});

/** The same moments in every rendition, so that a player can change between them. */
const alignedKeyFrames: readonly string[] = ['-force_key_frames', `expr:gte(t,n_forced*${segmentSeconds})`, '-sc_threshold', '0'];

/** A player on a line of that rate never waits: about 3.5 Mbit/s at 720 lines, growing with the area of the picture. */
function rateCeiling(height: number): readonly string[] {
  const kbps = Math.round(3_500 * (height / 720) ** 1.5);
  return ['-maxrate', `${kbps}k`, '-bufsize', `${kbps * 2}k`];
}

function heightsOf(text: string): number[] {
  return text.split(',').map(Number);
}
