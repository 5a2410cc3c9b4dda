/** Argument lists as people write them; each is accepted and runs to its end in the jail. The input has picture and stereo sound. */
export type LegitimateList = Readonly<{ name: string; args: readonly string[]; inputs: number; outputs: readonly string[] }>;

export const legitimateLists: readonly LegitimateList[] = [
  {
    name: 'a smaller MP4 for the web', inputs: 1, outputs: ['small.mp4'],
    args: ['-y', '-ss', '00:00:00.5', '-i', '{in:0}', '-map', '0:v:0', '-map', '0:a?', '-c:v', 'libx264', '-preset', 'veryfast', '-crf', '28', '-vf', "scale=w='min(320,iw)':h=-2,fps=30,format=yuv420p", '-c:a', 'aac', '-b:a', '128k', '-movflags', '+faststart', '{out:small.mp4}'],
  },
  { name: 'the shortest of all', inputs: 1, outputs: ['small.mp4'], args: ['-i', '{in:0}', '-c:v', 'libx264', '{out:small.mp4}'] },
  { name: 'another container', inputs: 1, outputs: ['copy.mkv'], args: ['-hide_banner', '-loglevel', 'error', '-i', '{in:0}', '-map', '0', '-c', 'copy', '-metadata', 'title=A day at the sea', '-metadata:s:a:0', 'language=eng', '-disposition:a:0', 'default', '{out:copy.mkv}'] },
  { name: 'sound alone as MP3', inputs: 1, outputs: ['sound.mp3'], args: ['-i', '{in:0}', '-vn', '-c:a', 'libmp3lame', '-q:a', '2', '-id3v2_version', '3', '{out:sound.mp3}'] },
  { name: 'loudness for broadcast', inputs: 1, outputs: ['loud.flac'], args: ['-i', '{in:0}', '-af', 'loudnorm=I=-23:LRA=7:TP=-2:print_format=summary', '-ar', '48000', '-vn', '{out:loud.flac}'] },
  { name: 'a thumbnail', inputs: 1, outputs: ['thumb.jpg'], args: ['-ss', '1', '-i', '{in:0}', '-frames:v', '1', '-vf', 'thumbnail=n=10,scale=160:-1', '-q:v', '3', '-update', '1', '{out:thumb.jpg}'] },
  { name: 'a contact sheet', inputs: 1, outputs: ['sheet.png'], args: ['-i', '{in:0}', '-vf', "select='not(mod(n\\,10))',scale=80:-1,tile=3x2:padding=2:color=white", '-frames:v', '1', '-an', '-update', '1', '{out:sheet.png}'] },
  {
    name: 'two sizes at once', inputs: 1, outputs: ['large.mp4', 'tiny.mp4'],
    args: ['-i', '{in:0}', '-filter_complex', '[0:v]split=2[a][b]; [a]scale=-2:180[x]; [b]scale=-2:90[y]', '-map', '[x]', '-map', '0:a', '-c:v:0', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', '{out:large.mp4}', '-map', '[y]', '-c:v', 'libx264', '-preset', 'ultrafast', '-an', '{out:tiny.mp4}'],
  },
  {
    name: 'HLS in one file', inputs: 1, outputs: ['index.m3u8', 'index.ts'],
    args: ['-i', '{in:0}', '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '30', '-sc_threshold', '0', '-c:a', 'aac', '-f', 'hls', '-hls_time', '1', '-hls_list_size', '0', '-hls_playlist_type', 'vod', '-hls_flags', 'single_file', '-hls_segment_filename', '{out:index.ts}', '{out:index.m3u8}'],
  },
  { name: 'a loop without end, shortened', inputs: 1, outputs: ['anim.gif'], args: ['-t', '1', '-i', '{in:0}', '-filter_complex', 'fps=8,scale=120:-1:flags=lanczos,split[s0][s1];[s0]palettegen=max_colors=32[p];[s1][p]paletteuse=dither=bayer', '-loop', '0', '{out:anim.gif}'] },
  { name: 'one picture inside another', inputs: 2, outputs: ['pip.mp4'], args: ['-i', '{in:0}', '-i', '{in:1}', '-filter_complex', "[1:v]scale=iw/3:-1[small];[0:v][small]overlay=main_w-overlay_w-10:main_h-overlay_h-10:enable='between(t,0.2,1)'[v]", '-map', '[v]', '-map', '0:a', '-c:v', 'libx264', '-preset', 'ultrafast', '-shortest', '{out:pip.mp4}'] },
  { name: 'one after the other', inputs: 2, outputs: ['joined.mp4'], args: ['-i', '{in:0}', '-i', '{in:1}', '-filter_complex', '[0:v][0:a][1:v][1:a]concat=n=2:v=1:a=1[v][a]', '-map', '[v]', '-map', '[a]', '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac', '{out:joined.mp4}'] },
  { name: 'encoder parameters of x264', inputs: 1, outputs: ['p.mp4'], args: ['-i', '{in:0}', '-c:v', 'libx264', '-preset', 'ultrafast', '-profile:v', 'high', '-level', '4.1', '-x264-params', 'keyint=48:min_keyint=48:no-scenecut=1:ref=3', '-maxrate', '2M', '-bufsize', '4M', '-c:a', 'copy', '{out:p.mp4}'] },
  { name: 'HEVC for Apple players', inputs: 1, outputs: ['h.mp4'], args: ['-i', '{in:0}', '-frames:v', '20', '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'pools=2:aq-mode=2', '-tag:v', 'hvc1', '-an', '{out:h.mp4}'] },
  { name: 'VP9 and Opus', inputs: 1, outputs: ['v.webm'], args: ['-i', '{in:0}', '-t', '0.5', '-c:v', 'libvpx-vp9', '-crf', '40', '-b:v', '0', '-deadline', 'realtime', '-cpu-used', '8', '-row-mt', '1', '-c:a', 'libopus', '-b:a', '64k', '{out:v.webm}'] },
  { name: 'a picture of the sound', inputs: 1, outputs: ['wave.png'], args: ['-i', '{in:0}', '-filter_complex', 'showwavespic=s=400x80:colors=0x3366ff', '-frames:v', '1', '-update', '1', '{out:wave.png}'] },
  { name: 'a look for silence', inputs: 1, outputs: ['copy.ts'], args: ['-i', '{in:0}', '-af', 'silencedetect=n=-50dB:d=0.5', '-f', 'null', '-', '-c', 'copy', '-bsf:v', 'h264_mp4toannexb', '{out:copy.ts}'] },
];
