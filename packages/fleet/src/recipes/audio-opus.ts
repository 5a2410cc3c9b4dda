/** Sound alone, small and good: Opus in Ogg. */
import { z } from 'zod';
import { defineRecipe, requireStream } from './recipe.ts';

const name = 'audio.opus';

export const audioOpus = defineRecipe({
  recipe: 'audio-opus', title: 'Audio (Opus)', class: 'cpu', outputs: [name],
  description: 'The first sound track as Opus, at most stereo. Tags are kept.',
  parameters: z.strictObject({ bitrate_kbps: z.int().min(16).max(256).default(96).describe('Kilobits per second.') }),
  plan: (parameters, input) => {
    requireStream('audio-opus', input, 'audio', 'Choose another input.');
    const channels = input.streams.find((stream) => stream.kind === 'audio')?.channels ?? 2;
    return {
      arguments: [
        '-i', '{in:0}', '-map', '0:a:0', '-vn', '-sn', '-dn', '-map_chapters', '-1',
        '-c:a', 'libopus', '-b:a', `${parameters.bitrate_kbps}k`, '-vbr', 'constrained', '-ac', String(Math.min(2, channels)), '-f', 'opus', `{out:${name}}`,
      ],
      outputs: [{ name, contentType: 'audio/ogg', form: 'media', streams: [{ kind: 'audio', codec: 'opus' }], durationSeconds: input.duration_seconds }],
      durationSeconds: input.duration_seconds,
    };
  },
});
