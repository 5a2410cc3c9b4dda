/** Options of ffmpeg that a job may use, by where they may stand, each with the check of its value. Everything else is refused. */
import { encoderParameterKeys, vetEncoderParameters } from '../encoder-parameters.ts';
import { vetFilterGraph } from '../filtergraph.ts';
import { encoders } from './formats.ts';
import { printable, refuseValue } from './refusal.ts';
import { flags, frameRate, frameSize, metadata, number, oneOf, pattern, quantity, ratio, time, type Check } from './values.ts';

/** `anywhere` is before an input or an output; `global` belongs to no file. */
export type Scope = 'input' | 'output' | 'anywhere' | 'global';
/** A value is checked text; a file is a declared output that this option writes; `ignored` options are Weir's own business. */
export type Option = Readonly<
  | { kind: 'switch'; scope: Scope }
  | { kind: 'value'; scope: Scope; check: Check }
  | { kind: 'file'; scope: Scope; form: 'path' | 'name' }
  | { kind: 'input' } | { kind: 'format' }
  | { kind: 'ignored'; check: Check | null }
>;

const encoder: Check = (value) => (encoders.has(value) ? value : refuseValue(`the encoder "${printable(value)}" is not allowed`));
const bits = quantity(1_000_000_000), bigNumber = number(0, 2_000_000_000), small = number(-1, 1_000), yesNo = oneOf('0', '1', 'true', 'false');
const quality = number(-1, 255), identifier = pattern(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}$/, 'a plain word');
const graph: Check = vetFilterGraph;

const globalValues = {
  filter_complex: graph, lavfi: graph, filter_threads: number(1, 64), filter_complex_threads: number(1, 64),
  vsync: oneOf('0', '1', '2', '-1', 'auto', 'cfr', 'vfr', 'passthrough', 'drop'), max_error_rate: number(0, 1),
} as const satisfies Record<string, Check>;

const anywhereValues = {
  ss: time, to: time, t: time, r: frameRate, s: frameSize, pix_fmt: identifier, ar: number(1_000, 384_000), ac: number(1, 16),
  channel_layout: pattern(/^[A-Za-z0-9.()+_]{1,64}$/, 'a channel layout'), threads: number(0, 64),
  fflags: flags('genpts', 'igndts', 'discardcorrupt', 'nobuffer', 'bitexact', 'shortest', 'flush_packets', 'autobsf', 'sortdts', 'fastseek', 'ignidx'),
  flags: flags('cgop', 'global_header', 'bitexact', 'low_delay', 'ildct', 'ilme', 'loop', 'qscale', 'mv4', 'gray', 'output_corrupt'),
  strict: oneOf('experimental', 'unofficial', 'normal', 'strict', 'very', '-2', '-1', '0', '1', '2'),
  err_detect: flags('crccheck', 'bitstream', 'buffer', 'explode', 'ignore_err', 'careful', 'compliant', 'aggressive'),
  color_primaries: identifier, color_trc: identifier, colorspace: identifier, color_range: identifier, chroma_sample_location: identifier,
} as const satisfies Record<string, Check>;

const inputValues = {
  sseof: time, itsoffset: time, itsscale: number(0, 1_000), stream_loop: number(-1, 10_000), probesize: number(32, 200_000_000),
  analyzeduration: number(0, 300_000_000), thread_queue_size: number(1, 4_096), seek_timestamp: yesNo, framerate: frameRate,
} as const satisfies Record<string, Check>;

const outputValues = {
  // Streams and metadata
  map: pattern(/^-?(\d{1,2}(:[vVasdt])?(:\d{1,3})?\??|\[[A-Za-z0-9_]{1,32}\])$/, 'a stream such as 0:v:0 or [label]'),
  map_metadata: pattern(/^(-1|\d{1,2})(:[gs](:[vasdt])?(:\d{1,3})?)?$/, 'the number of an input'), map_chapters: number(-1, 15),
  metadata, disposition: pattern(/^(0|[+-]?[a-z_]{1,24}([+-][a-z_]{1,24}){0,8})$/, 'a disposition'), program: pattern(/^title=[A-Za-z0-9 _.-]{1,64}(:st=\d{1,2}){0,8}$/, 'a program'),
  tag: pattern(/^[A-Za-z0-9_][A-Za-z0-9 _.-]{0,7}$/, 'a four-character tag'), vtag: identifier, atag: identifier,
  bsf: pattern(/^(h264_mp4toannexb|hevc_mp4toannexb|aac_adtstoasc|extract_extradata|dump_extra|vp9_superframe|av1_frame_merge|null)(,(h264_mp4toannexb|hevc_mp4toannexb|aac_adtstoasc|extract_extradata|dump_extra|vp9_superframe|av1_frame_merge|null)){0,3}$/, 'a known bitstream filter without options'),
  // Codecs, rate, quality
  c: encoder, codec: encoder, vcodec: encoder, acodec: encoder, scodec: encoder, filter: graph, vf: graph, af: graph,
  b: bits, vb: bits, ab: bits, maxrate: bits, minrate: bits, bufsize: bits, q: quality, qscale: quality, crf: number(0, 63), qp: number(-1, 255),
  qmin: quality, qmax: quality, qdiff: quality, qcomp: number(0, 1), i_qfactor: number(-10, 10), b_qfactor: number(-10, 10),
  preset: identifier, tune: identifier, profile: identifier, level: identifier, g: number(0, 100_000), keyint_min: number(0, 100_000),
  sc_threshold: number(-100_000, 1_000_000), bf: number(-1, 16), refs: number(0, 16), slices: number(0, 64), trellis: number(-1, 2), subq: number(-1, 11),
  me_range: number(-1, 1_024), b_strategy: number(-1, 2), coder: identifier, 'rc-lookahead': number(-1, 250), 'aq-mode': number(-1, 6),
  'aq-strength': number(-1, 10), 'psy-rd': pattern(/^\d{1,2}(\.\d{1,3})?([:|]\d{1,2}(\.\d{1,3})?)?$/, 'a strength'), weightp: number(-1, 2), weightb: yesNo, mbtree: yesNo, 'b-pyramid': identifier, 'nal-hrd': identifier,
  'forced-idr': yesNo, aud: yesNo, deadline: identifier, quality: identifier, speed: number(-16, 16), 'cpu-used': number(-16, 16),
  'row-mt': yesNo, 'tile-columns': number(-1, 6), 'tile-rows': number(-1, 6), tiles: pattern(/^\d{1,2}x\d{1,2}$/, 'tiles such as 2x2'),
  'frame-parallel': yesNo, 'auto-alt-ref': number(-1, 6), 'lag-in-frames': number(-1, 48), 'arnr-maxframes': number(0, 15), 'arnr-strength': number(0, 6),
  'error-resilient': number(0, 3), 'static-thresh': number(0, 10_000), 'undershoot-pct': number(-1, 100), 'overshoot-pct': number(-1, 1_000),
  'tune-content': identifier, usage: identifier, lossless: yesNo, compression_level: small, pred: identifier, dpi: number(0, 10_000),
  application: oneOf('voip', 'audio', 'lowdelay'), vbr: identifier, frame_duration: number(2, 120), packet_loss: number(0, 100), fec: yesNo, mapping_family: number(-1, 255),
  cutoff: number(0, 100_000), joint_stereo: yesNo, abr: yesNo, sample_fmt: identifier, aac_coder: identifier, dialnorm: number(-31, -1),
  force_key_frames: pattern(/^(expr:gte\(t,n_forced\*\d{1,4}(\.\d{1,6})?\)|source|[\d.:,]{1,1000})$/, 'expr:gte(t,n_forced*SECONDS) or a list of times'),
  // Frames and time
  frames: bigNumber, vframes: bigNumber, aframes: bigNumber, fps_mode: oneOf('passthrough', 'cfr', 'vfr', 'drop', 'auto'), aspect: ratio,
  avoid_negative_ts: identifier, max_muxing_queue_size: number(1, 10_000), max_interleave_delta: bigNumber, muxdelay: number(0, 100), muxpreload: number(0, 100),
  video_track_timescale: number(0, 1_000_000), enc_time_base: pattern(/^-?\d{1,7}([:/]\d{1,7})?$/, 'a time base'), output_ts_offset: time,
  // Containers
  movflags: flags('faststart', 'frag_keyframe', 'empty_moov', 'default_base_moof', 'cmaf', 'dash', 'delay_moov', 'separate_moof', 'omit_tfhd_offset',
    'negative_cts_offsets', 'write_colr', 'use_metadata_tags', 'disable_chpl', 'skip_sidx', 'skip_trailer', 'frag_every_frame', 'global_sidx', 'prefer_icc'),
  frag_duration: bigNumber, min_frag_duration: bigNumber, brand: identifier, mpegts_flags: flags('resend_headers', 'latm', 'pat_pmt_at_frames', 'system_b', 'initial_discontinuity'),
  id3v2_version: number(0, 4), write_xing: yesNo, write_id3v1: yesNo, page_duration: bigNumber, serial_offset: bigNumber, reserve_index_space: number(0, 10_000_000), cluster_time_limit: bigNumber,
  loop: number(-1, 65_535), final_delay: number(-1, 65_535), update: yesNo,
  hls_time: number(0.5, 60), hls_list_size: number(0, 0), hls_playlist_type: oneOf('vod'), hls_segment_type: oneOf('mpegts', 'fmp4'),
  hls_flags: flags('single_file', 'independent_segments', 'round_durations', 'split_by_time', 'program_date_time', 'iframes_only'), start_number: number(0, 1_000_000_000),
} as const satisfies Record<string, Check>;

const switches = {
  input: ['re', 'accurate_seek', 'noaccurate_seek', 'noautorotate', 'fix_sub_duration'],
  output: ['shortest'],
  anywhere: ['vn', 'an', 'sn', 'dn', 'bitexact'],
  global: ['copyts', 'start_at_zero', 'xerror', 'ignore_unknown', 'copy_unknown'],
} as const satisfies Record<Scope, readonly string[]>;

/** What drop-in clients say about the process itself; Weir decides that, so it is accepted and left out. */
const logLevel = pattern(/^(repeat\+|level\+)*([a-z]{4,8}|-?\d{1,2})$/, 'a log level');
const ignored: Readonly<Record<string, Check | null>> = {
  y: null, n: null, hide_banner: null, nostdin: null, stdin: null, stats: null, nostats: null, loglevel: logLevel, v: logLevel,
  stats_period: number(0, 3_600), progress: oneOf('pipe:1', 'pipe:2', '-'),
};

export const options: ReadonlyMap<string, Option> = new Map<string, Option>([
  ...values('global', globalValues), ...values('input', inputValues), ...values('output', outputValues), ...values('anywhere', anywhereValues),
  ...Object.keys(encoderParameterKeys).filter(isParameterOption).map((name): [string, Option] =>
    [name, { kind: 'value', scope: 'output', check: (value) => vetEncoderParameters(name, value) }]),
  ...(['input', 'output', 'anywhere', 'global'] as const).flatMap((scope) => switches[scope].map((name): [string, Option] => [name, { kind: 'switch', scope }])),
  ...Object.entries(ignored).map(([name, check]): [string, Option] => [name, { kind: 'ignored', check }]),
  ['hls_segment_filename', { kind: 'file', scope: 'output', form: 'path' }],
  ['hls_fmp4_init_filename', { kind: 'file', scope: 'output', form: 'name' }],
  ['i', { kind: 'input' }], ['f', { kind: 'format' }],
]);

/** Options that take a stream specifier (`-b:v:0`). The metadata specifiers `:s:a:0` and `:g` are metadata's alone. */
export const perStream: ReadonlySet<string> = new Set([
  'c', 'codec', 'b', 'maxrate', 'minrate', 'bufsize', 'q', 'qscale', 'crf', 'qp', 'filter', 'frames', 'r', 's', 'aspect', 'pix_fmt', 'ar', 'ac',
  'channel_layout', 'sample_fmt', 'preset', 'tune', 'profile', 'level', 'g', 'keyint_min', 'sc_threshold', 'bf', 'refs', 'tag', 'bsf', 'disposition',
  'force_key_frames', 'fps_mode', 'flags', 'strict', 'threads', 'x264-params', 'x265-params', 'svtav1-params', 'aom-params', 'enc_time_base',
  'color_primaries', 'color_trc', 'colorspace', 'color_range', 'vbr', 'application', 'compression_level', 'cpu-used', 'row-mt',
]);

function values(scope: Scope, checks: Readonly<Record<string, Check>>): [string, Option][] {
  return Object.entries(checks).map(([name, check]) => [name, { kind: 'value', scope, check }]);
}

function isParameterOption(name: string): name is keyof typeof encoderParameterKeys {
  return Object.hasOwn(encoderParameterKeys, name);
}
