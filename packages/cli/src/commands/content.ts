/** `weir upload`, `get`, `ls`, `rm`. */
import { buildCommand } from '@stricli/core';
import type { GetFlags, LsFlags, UploadFlags } from '../actions/content.ts';
import type { Context } from '../context.ts';
import { documented } from '../documentation.ts';
import { jsonFlag, quietFlag, serverFlags, type ServerFlags } from '../flags.ts';
import { byteRange, count, text } from '../parse.ts';

export const cid = { brief: 'The content id', placeholder: 'CID', parse: text } as const;

export const upload = buildCommand<UploadFlags, string[], Context>({
  loader: async () => (await import('../actions/content.ts')).upload,
  parameters: {
    positional: { kind: 'array', minimum: 1, parameter: { brief: 'Files; - is standard input', placeholder: 'FILE', parse: text } },
    flags: {
      title: { kind: 'parsed', parse: text, brief: 'Its name in the library, in place of the file name', placeholder: 'TITLE', optional: true },
      type: { kind: 'parsed', parse: text, brief: 'Its media type; else the server looks', placeholder: 'TYPE', optional: true },
      quiet: quietFlag, json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({
    brief: 'Store files and print their content ids', details: 'Only you may use them until you say otherwise: see `weir policy set`.',
    examples: ['weir upload talk.mp4 --title "The talk"', 'ffmpeg -i in.mkv -f mpegts - | weir upload - --title live.ts', 'cid=$(weir upload talk.mp4 --quiet)'],
  }),
});

export const get = buildCommand<GetFlags, [string], Context>({
  loader: async () => (await import('../actions/content.ts')).get,
  parameters: {
    positional: { kind: 'tuple', parameters: [cid] }, aliases: { o: 'output' },
    flags: {
      output: { kind: 'parsed', parse: text, brief: 'Where to; an interrupted download goes on there', placeholder: 'FILE', optional: true },
      range: { kind: 'parsed', parse: byteRange, brief: 'First and last byte, both counted', placeholder: 'A-B', optional: true }, quiet: quietFlag, ...serverFlags,
    },
  },
  docs: documented({ brief: 'Fetch content', examples: ['weir get bafk… -o talk.mp4', 'weir get bafk… --range 0-1023 | xxd | head', 'weir get bafk… | ffprobe -'] }),
});

export const ls = buildCommand<LsFlags, [], Context>({
  loader: async () => (await import('../actions/content.ts')).ls,
  parameters: {
    flags: {
      limit: { kind: 'parsed', parse: count(1, 500), brief: 'How many', placeholder: 'N', default: '50' },
      cursor: { kind: 'parsed', parse: text, brief: 'Go on where the page before ended', placeholder: 'CURSOR', optional: true },
      quiet: quietFlag, json: jsonFlag, ...serverFlags,
    },
  },
  docs: documented({ brief: 'List your library, newest first', examples: ['weir ls', 'weir ls --json', 'weir ls --quiet --limit 1'] }),
});

export const rm = buildCommand<ServerFlags & Readonly<{ quiet?: boolean; json?: boolean }>, string[], Context>({
  loader: async () => (await import('../actions/content.ts')).rm,
  parameters: { positional: { kind: 'array', minimum: 1, parameter: cid }, flags: { quiet: quietFlag, json: jsonFlag, ...serverFlags } },
  docs: documented({ brief: 'Drop your holding of content; its key is destroyed', details: 'What others hold of the same bytes stays theirs.', examples: ['weir rm bafk…'] }),
});
