/** Containers and encoders that a job may use. What is not here is refused: most of ffmpeg's muxers and demuxers open files or devices. */

/** Demuxers that read one file and nothing else. No playlist (hls, concat, dash), no device, no pattern of images. */
export const demuxers: ReadonlySet<string> = new Set([
  'mov', 'mp4', 'm4a', '3gp', '3g2', 'mj2', 'matroska', 'webm', 'mpegts', 'mpeg', 'mpegvideo', 'avi', 'flv', 'asf', 'mxf', 'm4v', 'h264',
  'hevc', 'ivf', 'obu', 'av1', 'dv', 'wav', 'w64', 'aiff', 'caf', 'mp3', 'flac', 'ogg', 'aac', 'ac3', 'eac3', 'dts', 'truehd', 'amr', 'au',
  'ape', 'wv', 'tta', 'tak', 'gif', 'apng', 'png_pipe', 'jpeg_pipe', 'webp_pipe', 'bmp_pipe', 'tiff_pipe', 'jpegxl_pipe', 'mjpeg',
  'srt', 'webvtt', 'ass', 'yuv4mpegpipe',
]);

/** Muxers that write one file, or exactly the files that the vetter saw, by the endings that stand for them. */
const endingsByMuxer = {
  mp4: ['mp4', 'm4v'], ipod: ['m4a', 'm4b'], mov: ['mov'], matroska: ['mkv', 'mka'], webm: ['webm'], mpegts: ['ts', 'm2ts'], avi: ['avi'],
  mp3: ['mp3'], flac: ['flac'], wav: ['wav'], ogg: ['ogg', 'oga'], opus: ['opus'], adts: ['aac'], ac3: ['ac3'], aiff: ['aiff'], caf: ['caf'],
  hls: ['m3u8'], image2: ['jpg', 'jpeg', 'png'], webp: ['webp'], gif: ['gif'], apng: ['apng'], mjpeg: ['mjpeg'],
  webvtt: ['vtt'], srt: ['srt'], ass: ['ass'], null: [],
} as const satisfies Record<string, readonly string[]>;

export const muxers: ReadonlySet<string> = new Set(Object.keys(endingsByMuxer));

const muxerByEnding: ReadonlyMap<string, string> =
  new Map(Object.entries(endingsByMuxer).flatMap(([muxer, endings]) => endings.map((ending) => [ending, muxer] as const)));

/** The muxer that an output's name asks for, or null for a name whose ending says none of ours. */
export function muxerForName(name: string): string | null {
  return muxerByEnding.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase()) ?? null;
}

export const encoders: ReadonlySet<string> = new Set([
  'copy', 'libx264', 'libx265', 'libvpx', 'libvpx-vp9', 'libaom-av1', 'libsvtav1', 'mpeg4', 'mpeg2video', 'prores_ks', 'dnxhd', 'ffv1',
  'mjpeg', 'png', 'apng', 'libwebp', 'libwebp_anim', 'gif', 'aac', 'libopus', 'libvorbis', 'libmp3lame', 'flac', 'alac', 'ac3', 'eac3',
  'pcm_s16le', 'pcm_s16be', 'pcm_s24le', 'pcm_s32le', 'pcm_f32le', 'webvtt', 'mov_text', 'srt', 'subrip', 'ass',
]);
