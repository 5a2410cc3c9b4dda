/**
 * Filters that a job may use, with the keys of each that are known to be harmless: no key here names a file, an address, a device, a plug-in
 * or a command. `order` lists the keys that values without a key stand for, in ffmpeg's own order.
 */
import { color, expression, frameRate, frameSize, maxSide, number, numbers, oneOf, pattern, ratio, time, word, type Check } from './values.ts';

export type Filter = Readonly<{ order: readonly string[]; keys: ReadonlyMap<string, Check> }>;

const side = expression(maxSide), value = expression(1_000_000_000), switched = oneOf('0', '1', 'true', 'false');
const count = number(1, 64), amount = number(-1_000_000, 1_000_000);
const checks = {
  side, value, switched, count, amount, time, word, color, ratio, size: frameSize, rate: frameRate,
  times: numbers(0, 90_000), weights: numbers(-100, 100),
  formats: pattern(/^[a-z0-9_|]{1,300}$/, 'formats joined by |'), layouts: pattern(/^[A-Za-z0-9.()+|_-]{1,300}$/, 'channel layouts joined by |'),
  channels: pattern(/^[A-Za-z0-9_.()+*|=<>& -]{1,500}$/, 'a channel mapping'),
  decibels: pattern(/^-?\d{1,3}(\.\d{1,4})?(dB)?$/, 'a level such as -30dB'),
  colors: pattern(/^[A-Za-z0-9#@.|]{1,200}$/, 'colors joined by |'), grid: pattern(/^\d{1,2}x\d{1,2}$/, 'a grid such as 4x3'),
} as const satisfies Record<string, Check>;
type Kind = keyof typeof checks;

/** `order` and `named` list kind and keys: `{ side: 'w h' }` are two keys of kind side. Timeline filters also take `enable`. */
type Row = Readonly<{ order?: readonly (readonly [key: string, kind: Kind])[]; named?: Readonly<Partial<Record<Kind, string>>> }>;

const sized: Row['named'] = { side: 'w width h height' };
const timing: Row = { named: { time: 'start end duration', amount: 'start_pts end_pts start_frame end_frame start_sample end_sample' }, order: [['start', 'time'], ['end', 'time']] };
const pass: Row = { order: [['f', 'amount']], named: { amount: 'frequency f width w poles p mix m', word: 'width_type t' } };
const curveOrder = [['contrast', 'value'], ['brightness', 'value'], ['saturation', 'value'], ['gamma', 'value']] as const;

const rows: Readonly<Record<string, Row>> = {
  // Geometry
  scale: {
    order: [['w', 'side'], ['h', 'side']],
    named: { ...sized, word: 'flags in_range out_range in_color_matrix out_color_matrix force_original_aspect_ratio eval interl', amount: 'force_divisible_by param0 param1' },
  },
  zscale: {
    order: [['w', 'side'], ['h', 'side']],
    named: { ...sized, word: 'f filter d dither r range rin rangein p primaries pin primariesin t transfer tin transferin m matrix min matrixin', amount: 'npl' },
  },
  crop: { order: [['w', 'side'], ['h', 'side'], ['x', 'side'], ['y', 'side']], named: { side: 'w h out_w out_h x y', switched: 'exact keep_aspect' } },
  pad: { order: [['w', 'side'], ['h', 'side'], ['x', 'side'], ['y', 'side'], ['color', 'color']], named: { side: 'w h width height x y', color: 'color', ratio: 'aspect', word: 'eval' } },
  setsar: { order: [['sar', 'ratio']], named: { ratio: 'sar r ratio', count: 'max' } },
  setdar: { order: [['dar', 'ratio']], named: { ratio: 'dar r ratio', count: 'max' } },
  transpose: { order: [['dir', 'word']], named: { word: 'dir passthrough' } },
  hflip: {}, vflip: {},
  rotate: { order: [['a', 'value']], named: { value: 'a angle', side: 'ow oh out_w out_h', color: 'c fillcolor', switched: 'bilinear' } },
  overlay: { order: [['x', 'side'], ['y', 'side']], named: { side: 'x y', word: 'format alpha eof_action eval', switched: 'shortest repeatlast' } },
  tile: { order: [['layout', 'grid']], named: { grid: 'layout', count: 'nb_frames', amount: 'margin padding', color: 'color' } },
  drawbox: { order: [['x', 'side'], ['y', 'side'], ['w', 'side'], ['h', 'side'], ['color', 'color'], ['t', 'side']], named: { side: 'x y w h width height t thickness', color: 'c color', switched: 'replace' } },
  // Time
  fps: { order: [['fps', 'rate']], named: { rate: 'fps', amount: 'start_time', word: 'round eof_action' } },
  framerate: { order: [['fps', 'rate']], named: { rate: 'fps', amount: 'interp_start interp_end scene' } },
  setpts: { order: [['expr', 'value']], named: { value: 'expr' } }, asetpts: { order: [['expr', 'value']], named: { value: 'expr' } },
  settb: { order: [['expr', 'value']] }, asettb: { order: [['expr', 'value']] },
  trim: timing, atrim: timing,
  select: { order: [['expr', 'value'], ['n', 'count']], named: { value: 'e expr', count: 'n outputs' } },
  aselect: { order: [['expr', 'value'], ['n', 'count']], named: { value: 'e expr', count: 'n outputs' } },
  thumbnail: { order: [['n', 'count']], named: { count: 'n' } },
  fade: { order: [['t', 'word'], ['s', 'amount'], ['n', 'amount']], named: { word: 't type', amount: 's start_frame n nb_frames', time: 'st start_time d duration', color: 'c color', switched: 'alpha' } },
  afade: { order: [['t', 'word'], ['ss', 'amount'], ['ns', 'amount']], named: { word: 't type c curve', amount: 'ss start_sample ns nb_samples', time: 'st start_time d duration' } },
  xfade: { order: [['transition', 'word'], ['duration', 'time'], ['offset', 'time']], named: { word: 'transition', time: 'duration offset' } },
  acrossfade: { order: [['ns', 'amount'], ['d', 'time']], named: { amount: 'ns nb_samples', time: 'd duration', switched: 'o overlap', word: 'c1 curve1 c2 curve2' } },
  // Picture
  format: { order: [['pix_fmts', 'formats']], named: { formats: 'pix_fmts' } },
  yadif: { order: [['mode', 'word'], ['parity', 'word'], ['deint', 'word']], named: { word: 'mode parity deint' } },
  bwdif: { order: [['mode', 'word'], ['parity', 'word'], ['deint', 'word']], named: { word: 'mode parity deint' } },
  setfield: { order: [['mode', 'word']] }, setparams: { named: { word: 'field_mode range color_primaries color_trc colorspace' } },
  hqdn3d: { order: [['luma_spatial', 'amount'], ['chroma_spatial', 'amount'], ['luma_tmp', 'amount'], ['chroma_tmp', 'amount']] },
  unsharp: { order: [['lx', 'amount'], ['ly', 'amount'], ['la', 'amount'], ['cx', 'amount'], ['cy', 'amount'], ['ca', 'amount']] },
  gblur: { order: [['sigma', 'amount'], ['steps', 'amount']] },
  boxblur: { order: [['lr', 'value'], ['lp', 'amount']], named: { value: 'luma_radius chroma_radius cr', amount: 'luma_power chroma_power cp' } },
  eq: { order: curveOrder, named: { value: 'gamma_r gamma_g gamma_b gamma_weight', word: 'eval' } },
  hue: { order: [['h', 'value'], ['s', 'value']], named: { value: 'H b' } },
  vignette: { order: [['a', 'value']], named: { value: 'angle x0 y0', word: 'mode eval' } },
  colorspace: { order: [['all', 'word']], named: { word: 'space range primaries trc format iall ispace irange iprimaries itrc dither', switched: 'fast' } },
  tonemap: { order: [['tonemap', 'word']], named: { amount: 'param desat peak' } },
  deband: { named: { amount: '1thr 2thr 3thr 4thr range r direction d', switched: 'blur b coupling c' } },
  palettegen: { order: [['max_colors', 'amount']], named: { switched: 'reserve_transparent use_alpha', color: 'transparency_color', word: 'stats_mode' } },
  paletteuse: { order: [['dither', 'word']], named: { amount: 'bayer_scale alpha_threshold', word: 'diff_mode', switched: 'new use_alpha' } },
  split: { order: [['outputs', 'count']] }, null: {}, anull: {},
  concat: { order: [['n', 'count'], ['v', 'amount'], ['a', 'amount']], named: { switched: 'unsafe' } },
  blackdetect: { order: [['d', 'amount']], named: { amount: 'black_min_duration pic_th picture_black_ratio_th pix_th pixel_black_th' } },
  cropdetect: { order: [['limit', 'amount'], ['round', 'amount'], ['reset', 'amount']], named: { amount: 'skip reset_count' } },
  // Sound
  volume: { order: [['volume', 'decibels']], named: { word: 'precision eval' } },
  loudnorm: { order: [['I', 'amount'], ['LRA', 'amount'], ['TP', 'amount']], named: { amount: 'i lra tp measured_I measured_i measured_LRA measured_lra measured_TP measured_tp measured_thresh offset', switched: 'linear dual_mono', word: 'print_format' } },
  aresample: { order: [['sample_rate', 'amount']], named: { amount: 'osr async min_hard_comp first_pts', word: 'resampler osf ocl' } },
  aformat: { order: [['sample_fmts', 'formats'], ['sample_rates', 'formats'], ['channel_layouts', 'layouts']], named: { formats: 'f r', layouts: 'cl' } },
  atempo: { order: [['tempo', 'amount']] }, asplit: { order: [['outputs', 'count']] },
  amix: { order: [['inputs', 'count'], ['duration', 'word'], ['dropout_transition', 'amount']], named: { weights: 'weights', switched: 'normalize' } },
  amerge: { order: [['inputs', 'count']] },
  join: { named: { count: 'inputs', layouts: 'channel_layout', channels: 'map' } },
  pan: { order: [['args', 'channels']] },
  channelmap: { order: [['map', 'channels'], ['channel_layout', 'layouts']] }, channelsplit: { order: [['channel_layout', 'layouts']], named: { layouts: 'channels' } },
  adelay: { order: [['delays', 'times']], named: { switched: 'all' } },
  aecho: { order: [['in_gain', 'amount'], ['out_gain', 'amount'], ['delays', 'times'], ['decays', 'weights']] },
  apad: { named: { amount: 'pad_len whole_len', time: 'pad_dur whole_dur' } },
  dynaudnorm: { named: { amount: 'f framelen g gausssize p peak m maxgain r targetrms s compress t threshold', switched: 'n coupling c correctdc b altboundary' } },
  acompressor: { named: { amount: 'level_in ratio attack release makeup knee mix', decibels: 'threshold', word: 'mode link detection' } },
  alimiter: { named: { amount: 'level_in level_out attack release asc_level', decibels: 'limit', switched: 'asc level' } },
  highpass: pass, lowpass: pass,
  silencedetect: { named: { decibels: 'n noise', time: 'd duration', switched: 'm mono' } },
  silenceremove: { named: { amount: 'start_periods stop_periods', time: 'start_duration stop_duration start_silence stop_silence window', decibels: 'start_threshold stop_threshold', word: 'start_mode stop_mode detection' } },
  astats: { named: { amount: 'length reset', switched: 'metadata' } },
  ebur128: { named: { word: 'peak framelog', switched: 'metadata dualmono', amount: 'target panlaw' } },
  // Pictures of sound
  showwavespic: { order: [['s', 'size']], named: { size: 'size', switched: 'split_channels', colors: 'colors', word: 'scale draw filter' } },
  showspectrumpic: { order: [['s', 'size']], named: { size: 'size', word: 'mode color scale fscale win_func orientation', switched: 'legend', amount: 'gain saturation drange limit' } },
  // Sources
  color: { order: [['c', 'color'], ['s', 'size'], ['r', 'rate'], ['d', 'time']], named: { color: 'color', size: 'size', rate: 'rate', time: 'duration', ratio: 'sar' } },
  testsrc: { named: { size: 's size', rate: 'r rate', time: 'd duration' } },
  sine: { order: [['f', 'amount']], named: { amount: 'frequency b beep_factor r sample_rate', time: 'd duration' } },
  anullsrc: { named: { layouts: 'cl channel_layout', amount: 'r sample_rate', time: 'd duration' } },
};

export const filters: ReadonlyMap<string, Filter> = new Map(Object.entries(rows).map(([name, row]) => [name, filterOf(row)] as const));

function filterOf({ order = [], named = {} }: Row): Filter {
  const keys = new Map<string, Check>([['enable', checks.value]]);
  for (const [key, kind] of order) keys.set(key, checks[kind]);
  for (const [kind, names] of Object.entries(named)) {
    for (const name of names.split(' ')) keys.set(name, isKind(kind) ? checks[kind] : checks.word);
  }
  return { order: order.map(([key]) => key), keys };
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(checks, kind);
}
