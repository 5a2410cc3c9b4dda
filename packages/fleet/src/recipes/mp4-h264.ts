/** A file that plays everywhere: H.264 and AAC in MP4, index in front. */
import { z } from 'zod';
import { defineRecipe, requireStream } from './recipe.ts';
import { expectedStreams, firstStreams, scaledTo, stereoAac } from './video.ts';

const name = 'video.mp4';

export const mp4H264 = defineRecipe({
  recipe: 'mp4-h264', title: 'MP4 (H.264, AAC)', class: 'cpu', outputs: [name],
  description: 'One file that every player and browser opens. Never larger than the source.',
  parameters: z.strictObject({
    height: z.int().min(144).max(2_160).default(720).describe('Lines of the picture; less when the source has less.'),
    crf: z.int().min(15).max(40).default(23).describe('Quality: 15 is the best, 40 the smallest file.'),
    preset: z.enum(['ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium', 'slow', 'slower']).default('veryfast').describe('Slower presets make smaller files.'),
    audio_bitrate_kbps: z.int().min(48).max(320).default(128).describe('Kilobits per second of the sound.'),
  }),
  plan: (parameters, input) => {
    requireStream('mp4-h264', input, 'video', 'For sound alone use audio-opus.');
    return {
      arguments: [
        '-i', '{in:0}', ...firstStreams, ...scaledTo(parameters.height),
        '-c:v', 'libx264', '-preset', parameters.preset, '-crf', String(parameters.crf), ...stereoAac(parameters.audio_bitrate_kbps),
        '-max_muxing_queue_size', '1024', '-movflags', '+faststart', `{out:${name}}`,
      ],
      outputs: [{ name, contentType: 'video/mp4', form: 'media', streams: expectedStreams(input), durationSeconds: input.duration_seconds }],
      durationSeconds: input.duration_seconds,
    };
  },
});
