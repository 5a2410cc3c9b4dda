/** Argument lists that try to reach beyond their files, what is said to them, and what they would do unconfined. */

/** Things outside the jail that the lists reach for; tests put canaries there. */
export type Targets = Readonly<{ text: string; media: string; outside: string; port: number }>;

export type HostileList = Readonly<{
  name: string;
  args: readonly string[];
  /** The index that the refusal must name, and words of its reason. */
  argument: number;
  reason: string;
  /** What it achieves with a plain ffmpeg 5.1; `none` where only newer versions or other builds obey, or where it merely costs. */
  effect: 'reads' | 'writes' | 'connects' | 'none';
}>;

const input = ['-i', '{in:0}'] as const, output = '{out:o.mp4}';

export function hostileLists({ text, media, outside, port }: Targets): readonly HostileList[] {
  const list = (name: string, args: readonly string[], argument: number, reason: string, effect: HostileList['effect'] = 'none'): HostileList =>
    ({ name, args, argument, reason, effect });
  const read = [...input, '-frames:v', '1', '-c:v', 'mpeg4'] as const;
  return [
    // Inputs that are not declared
    list('an absolute path', ['-i', media, '-c', 'copy', output], 1, 'an input is {in:N}', 'reads'),
    list('a file address', ['-i', `file:${media}`, '-c', 'copy', output], 1, 'an input is {in:N}', 'reads'),
    list('the concat protocol', ['-i', `concat:${media}|${media}`, '-c', 'copy', output], 1, 'an input is {in:N}', 'reads'),
    list('the subfile protocol', ['-i', `subfile,,start,0,end,0,,:${media}`, '-c', 'copy', output], 1, 'an input is {in:N}', 'reads'),
    list('the data protocol', ['-i', 'data:text/plain;base64,AAAA', output], 1, 'an input is {in:N}'),
    list('an HTTP input', ['-i', `http://127.0.0.1:${port}/x`, output], 1, 'an input is {in:N}', 'connects'),
    list('a TCP input', ['-i', `tcp://127.0.0.1:${port}`, output], 1, 'an input is {in:N}', 'connects'),
    list('an input that was not declared', ['-i', '{in:7}', output], 1, 'an input is {in:N}'),
    list('a pipe', ['-i', 'pipe:0', output], 1, 'an input is {in:N}'),
    list('the terminal', ['-i', '-', output], 1, 'an input is {in:N}'),
    list('text as video', ['-f', 'tty', '-i', text, ...read.slice(2), output], 1, 'the format "tty" is not allowed', 'reads'),
    list('raw bytes as video', ['-f', 'rawvideo', '-s', '4x1', '-pix_fmt', 'gray', '-i', text, '-c:v', 'rawvideo', '-f', 'nut', output], 1, 'the format "rawvideo" is not allowed', 'reads'),
    list('a concat list', ['-f', 'concat', '-safe', '0', '-i', '{in:0}', output], 1, 'the format "concat" is not allowed'),
    list('a playlist', ['-f', 'hls', '-i', '{in:0}', output], 1, 'inputs can not be read in this format'),
    list('a generator that opens files', ['-f', 'lavfi', '-i', `movie=${media}`, output], 1, 'the format "lavfi" is not allowed', 'reads'),
    list('a camera', ['-f', 'v4l2', '-i', '{in:0}', output], 1, 'the format "v4l2" is not allowed'),
    list('the safe switch', ['-safe', '0', ...input, output], 0, 'the option -safe is not allowed'),
    list('a wider list of protocols', ['-protocol_whitelist', 'ALL', ...input, output], 0, 'the option -protocol_whitelist is not allowed'),
    list('a wider list of formats', ['-format_whitelist', 'hls', ...input, output], 0, 'the option -format_whitelist is not allowed'),
    list('references out of a MOV', ['-enable_drefs', '1', ...input, output], 0, 'the option -enable_drefs is not allowed'),
    // Filters
    list('movie', [...input, '-vf', `movie=${media}[m];[in][m]overlay`, '-frames:v', '1', '-c:v', 'mpeg4', output], 3, 'the filter "movie" is not allowed', 'reads'),
    list('movie behind a backslash', [...input, '-vf', `null,mo\\vie=${media}[m];[in][m]overlay`, '-frames:v', '1', '-c:v', 'mpeg4', output], 3, 'the filter "movie" is not allowed'),
    list('movie in quotes', [...input, '-vf', `'movie'=${media}[m];[in][m]overlay`, '-frames:v', '1', '-c:v', 'mpeg4', output], 3, 'the filter "movie" is not allowed'),
    list('movie with an instance name', [...input, '-vf', `movie@x=${media}[m];[in][m]overlay`, output], 3, "a filter's name is expected"),
    list('amovie in a complex graph', [...input, '-filter_complex', `[0:v]null[a];amovie=${media}[b]`, '-map', '[a]', '-map', '[b]', '-frames:v', '1', '-c:v', 'mpeg4', '-c:a', 'aac', '-shortest', output], 3, 'the filter "amovie" is not allowed', 'reads'),
    list('text from a file', [...input, '-vf', `drawtext=textfile=${text}:fontsize=20`, '-frames:v', '1', '-c:v', 'mpeg4', output], 3, 'the filter "drawtext" is not allowed'),
    list('subtitles from a file', [...input, '-vf', `subtitles=${media}`, '-frames:v', '1', '-c:v', 'mpeg4', output], 3, 'the filter "subtitles" is not allowed'),
    list('a color table', [...input, '-vf', `lut3d=${text}`, output], 3, 'the filter "lut3d" is not allowed'),
    list('frame metadata into a file', [...input, '-vf', `signalstats,metadata=print:file=${outside}/metadata`, '-frames:v', '2', '-c:v', 'mpeg4', output], 3, 'the filter "signalstats" is not allowed', 'writes'),
    list('comparison into a file', [...input, '-lavfi', `[0:v]split[a][b];[a][b]psnr=stats_file=${outside}/psnr`, '-frames:v', '2', '-f', 'null', '-'], 3, 'the filter "psnr" is not allowed', 'writes'),
    list('commands from a file', [...input, '-vf', `sendcmd=f=${text}`, output], 3, 'the filter "sendcmd" is not allowed', 'reads'),
    list('commands from the network', [...input, '-vf', `zmq=bind_address=tcp\\\\\\://127.0.0.1\\\\\\:${port}`, output], 3, 'the filter "zmq" is not allowed'),
    list('a foreign library', [...input, '-af', `ladspa=file=${outside}/evil.so:plugin=x`, output], 3, 'the filter "ladspa" is not allowed'),
    list('a video plug-in', [...input, '-vf', `frei0r=${outside}/evil`, output], 3, 'the filter "frei0r" is not allowed'),
    list('loudness report into a file', [...input, '-af', `loudnorm=I=-16:stats_file=${outside}/l`, output], 3, 'the key "stats_file" of the filter loudnorm'),
    list('curves from a file', [...input, '-vf', `curves=psfile=${text}`, output], 3, 'the filter "curves" is not allowed'),
    list('a hidden key behind quotes', [...input, '-vf', "scale=640:360:'fi''le'=/etc/passwd", output], 3, 'the key "file" of the filter scale'),
    list('a value from a file (newer ffmpeg)', [...input, '-vf', `scale=/w=${text}`, output], 3, 'the key "/w" of the filter scale'),
    list('more values than keys', [...input, '-vf', 'scale=640:360:1:2:3:4', output], 3, 'takes at most 2 values without a key'),
    list('scaler flags as a prefix', [...input, '-vf', 'sws_flags=bilinear;scale=640:360', output], 3, 'the filter "sws_flags" is not allowed'),
    list('an endless expression', [...input, '-vf', 'setpts=while(1\\,1)', output], 3, 'the function while is not allowed'),
    list('a picture of a billion pixels', [...input, '-vf', 'scale=32000:32000', output], 3, 'a number from 0 to 16384 is needed'),
    list('a thousand copies', [...input, '-filter_complex', '[0:v]split=1000', output], 3, 'a number from 1 to 64 is needed'),
    list('an open quote', [...input, '-vf', "scale='640:360", output], 3, 'a quote \' is not closed'),
    list('a filter script', [...input, '-filter_script:v', text, output], 2, 'the option -filter_script is not allowed', 'reads'),
    list('a complex filter script', [...input, '-filter_complex_script', text, output], 2, 'the option -filter_complex_script is not allowed', 'reads'),
    list('an option from a file (newer ffmpeg)', [...input, '-/vf', text, output], 2, 'not an option in the usual form'),
    // Options with files
    list('an attachment', [...input, '-map', '0:v', '-c', 'copy', '-attach', text, '-metadata:s:t', 'mimetype=text/plain', '-f', 'matroska', output], 6, 'the option -attach is not allowed', 'reads'),
    list('attachments written out', ['-dump_attachment:t', `${outside}/attachment`, ...input, output], 0, 'the option -dump_attachment is not allowed'),
    list('frame statistics', [...input, '-frames:v', '2', '-vstats_file', `${outside}/vstats`, '-c:v', 'mpeg4', output], 4, 'the option -vstats_file is not allowed', 'writes'),
    list('a pass log', [...input, '-frames:v', '2', '-pass', '1', '-passlogfile', `${outside}/pass`, '-c:v', 'libx264', output], 4, 'the option -pass is not allowed', 'writes'),
    list('a pass by flags', [...input, '-flags', '+pass1', output], 3, 'the flag "pass1" is not allowed'),
    list('x264 statistics', [...input, '-frames:v', '2', '-c:v', 'libx264', '-x264-params', `pass=1:stats=${outside}/x264`, output], 7, 'the encoder parameter "pass" is not allowed', 'writes'),
    list('x264 dump of pictures', [...input, '-frames:v', '2', '-c:v', 'libx264', '-x264-params', `dump_yuv=${outside}/yuv`, output], 7, 'the encoder parameter "dump-yuv" is not allowed', 'writes'),
    list('x264 options by their old name', [...input, '-frames:v', '2', '-c:v', 'libx264', '-x264opts', `dump-yuv=${outside}/yuv2`, output], 7, 'the encoder parameter "dump-yuv" is not allowed', 'writes'),
    list('x264 parameters behind a backslash', [...input, '-frames:v', '2', '-c:v', 'libx264', '-x264-params', `du\\mp_yuv=${outside}/yuv3`, output], 7, 'encoder parameters are key=value', 'writes'),
    list('x265 log as a table', [...input, '-frames:v', '2', '-c:v', 'libx265', '-x265-params', `csv=${outside}/csv`, output], 7, 'the encoder parameter "csv" is not allowed', 'writes'),
    list('x265 analysis', [...input, '-frames:v', '2', '-c:v', 'libx265', '-x265-params', `analysis_save=${outside}/analysis`, output], 7, 'the encoder parameter "analysis-save" is not allowed', 'writes'),
    list('AV1 statistics', [...input, '-frames:v', '2', '-c:v', 'libsvtav1', '-svtav1-params', `stats=${outside}/svt`, output], 7, 'the encoder parameter "stats" is not allowed'),
    list('a film grain table', [...input, '-frames:v', '2', '-c:v', 'libaom-av1', '-aom-params', `film-grain-table=${text}`, output], 7, 'the encoder parameter "film-grain-table" is not allowed'),
    list('ten thousand threads', [...input, '-c:v', 'libx264', '-x264-params', 'threads=10000', output], 5, 'threads can be at most 64'),
    list('a report', ['-report', ...input, output], 0, 'the option -report is not allowed'),
    list('progress over the network', ['-progress', `http://127.0.0.1:${port}/p`, ...input, '-frames:v', '2', '-c:v', 'mpeg4', output], 1, 'is not one of the allowed values', 'connects'),
    list('a session description', [...input, '-sdp_file', `${outside}/sdp`, output], 2, 'the option -sdp_file is not allowed'),
    list('a second output by an option', [...input, '-f', 'hls', '-hls_key_info_file', text, '{out:o.mp4}'], 4, 'the option -hls_key_info_file is not allowed'),
    list('a segment list', [...input, '-f', 'segment', '-segment_list', `${outside}/list`, '{out:o.mp4}'], 3, 'the format "segment" is not allowed'),
    // Outputs
    list('an absolute output', [...input, '-c', 'copy', `${outside}/x.mp4`], 4, 'an output is {out:name}', 'writes'),
    list('an output with a protocol', [...input, '-c', 'copy', '-f', 'mpegts', `tcp://127.0.0.1:${port}`], 6, 'an output is {out:name}', 'connects'),
    list('an output by HTTP', [...input, '-c', 'copy', '-f', 'mpegts', `http://127.0.0.1:${port}/put`], 6, 'an output is {out:name}', 'connects'),
    list('an output over UDP', [...input, '-t', '1', '-c', 'copy', '-f', 'mpegts', `udp://127.0.0.1:${port}`], 8, 'an output is {out:name}'),
    list('an output above the directory', [...input, '{out:../x.mp4}'], 2, 'an output is {out:name}'),
    list('an output in a folder', [...input, '{out:a/x.mp4}'], 2, 'an output is {out:name}'),
    list('an output that was not declared', [...input, '{out:other.mp4}'], 2, 'is not among the declared outputs'),
    list('the same output twice', [...input, output, output], 3, 'is written twice'),
    list('a tee', [...input, '-map', '0', '-c', 'copy', '-f', 'tee', `[f=mpegts]${outside}/tee.ts`], 7, 'the format "tee" is not allowed', 'writes'),
    list('segments without a name of their own', [...input, '-f', 'hls', '{out:o.mp4}'], 4, 'HLS needs'),
    list('standard output', [...input, '-f', 'mpegts', '-'], 4, 'an output is {out:name}'),
    list('an ending of no format', [...input, '{out:o.sdp}'], 2, 'its ending says no known format'),
    list('the null muxer into a file', [...input, '-f', 'null', output], 4, 'writes no file'),
    // Form
    list('no output', [...input], 1, 'the list has no output'),
    list('an option behind the last output', [...input, output, '-c:v', 'copy'], 3, 'behind the last output'),
    list('an output option before an input', ['-crf', '20', ...input, output], 0, 'it is an option of outputs'),
    list('an input option before an output', [...input, '-re', output], 2, 'it is an option of inputs'),
    list('an option without its value', [...input, output, '-metadata'], 3, 'it needs a value'),
    list('a semicolon in an option', [...input, '-c:v;x', 'copy', output], 2, 'not an option in the usual form'),
    list('a zero byte', [...input, '-metadata', 'a=b\0c', output], 3, 'it holds a control character'),
    list('a line break in a tag', [...input, '-metadata', 'a=b\n[x]', output], 3, 'it holds a control character'),
    list('a long value', [...input, '-metadata', `a=${'b'.repeat(9_000)}`, output], 3, 'at most 8192 characters'),
    list('four hundred arguments', Array.from({ length: 401 }, () => '-vn'), 400, 'at most 400 arguments'),
    list('an unknown encoder', [...input, '-c:v', 'h264_vaapi', output], 3, 'the encoder "h264_vaapi" is not allowed'),
    list('a filter of packets with options', [...input, '-bsf:v', 'filter_units=remove_types=1', output], 3, 'a known bitstream filter without options'),
    list('a thousand frames a second', [...input, '-r', '1000', output], 3, 'a number from 0.001 to 240'),
    list('a map with a path', [...input, '-map', '0:v;/etc', output], 3, 'a stream such as'),
  ];
}

/** What the lists declare. */
export const hostileDeclared = { inputs: [{}], outputs: ['o.mp4', 'o.sdp'] } as const;
