/** What is known of the outputs of arguments that a client wrote: a name, and from its ending a content type. */
import type { ExpectedOutput } from './recipe.ts';

const contentTypes: Readonly<Record<string, string>> = {
  mp4: 'video/mp4', m4v: 'video/mp4', mov: 'video/quicktime', mkv: 'video/x-matroska', webm: 'video/webm', ts: 'video/mp2t', m2ts: 'video/mp2t',
  avi: 'video/x-msvideo', m4a: 'audio/mp4', m4b: 'audio/mp4', mka: 'audio/x-matroska', mp3: 'audio/mpeg', flac: 'audio/flac', wav: 'audio/wav',
  ogg: 'audio/ogg', oga: 'audio/ogg', opus: 'audio/ogg', aac: 'audio/aac', ac3: 'audio/ac3', aiff: 'audio/aiff', caf: 'audio/x-caf',
  m3u8: 'application/vnd.apple.mpegurl', jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', apng: 'image/apng', gif: 'image/gif',
  webp: 'image/webp', mjpeg: 'video/x-motion-jpeg', vtt: 'text/vtt', srt: 'application/x-subrip', ass: 'text/x-ssa',
};

/** An ending that is not known gives `application/octet-stream`, which no browser shows. */
export function expectedOfName(name: string): ExpectedOutput {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return {
    name, contentType: contentTypes[ending] ?? 'application/octet-stream', form: ending === 'm3u8' ? 'playlist' : 'media',
    streams: null, durationSeconds: null,
  };
}
