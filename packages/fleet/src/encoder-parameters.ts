/**
 * Parameter strings that ffmpeg hands on to encoder libraries (`-x264-params key=value:key=value`), by an allowlist of keys.
 * Some keys of these libraries open or write files (`dump-yuv`, `stats`, `csv`, `film-grain-table`), so unknown keys are refused.
 */
import { printable, refuseValue } from './arguments/refusal.ts';

const keysOf = (...lines: readonly string[]): ReadonlySet<string> => new Set(lines.flatMap((line) => line.split(' ')));

const color = 'colorprim transfer colormatrix range chromaloc overscan videoformat';
const x264 = keysOf(color,
  'keyint min-keyint scenecut intra-refresh bframes b-adapt b-bias b-pyramid open-gop cabac ref deblock slices threads lookahead-threads',
  'sliced-threads rc-lookahead mbtree crf crf-max qp bitrate vbv-maxrate vbv-bufsize vbv-init qpmin qpmax qpstep ratetol ipratio pbratio',
  'chroma-qp-offset aq-mode aq-strength qcomp cplxblur qblur partitions direct weightb weightp me merange subme psy-rd psy trellis',
  'fast-pskip dct-decimate nr deadzone-inter deadzone-intra 8x8dct mixed-refs chroma-me aud nal-hrd force-cfr pic-struct level',
  'fullrange annexb repeat-headers cpu-independent tff bff fake-interlaced bluray-compat frame-packing filler stitchable');
const x265 = keysOf(color,
  'keyint min-keyint scenecut scenecut-bias hist-scenecut open-gop bframes b-adapt b-pyramid bframe-bias ref crf crf-max crf-min qp bitrate',
  'vbv-maxrate vbv-bufsize vbv-init rc-lookahead lookahead-slices aq-mode aq-strength aq-motion cutree psy-rd psy-rdoq rdoq-level rd',
  'rd-refine rskip me merange subme max-merge rect amp early-skip fast-intra b-intra sao selective-sao deblock strong-intra-smoothing',
  'limit-refs limit-modes limit-tu limit-sao tu-intra-depth tu-inter-depth max-tu-size ctu min-cu-size wpp pools frame-threads slices pmode',
  'pme hdr10 hdr10-opt hdr repeat-headers aud hrd annexb level-idc high-tier uhd-bd master-display max-cll min-luma max-luma weightp weightb',
  'tskip constrained-intra temporal-mvp qcomp qpstep qpmin qpmax ipratio pbratio qg-size cbqpoffs crqpoffs nr-intra nr-inter signhide',
  'strict-cbr sar interlace field');
const svtAv1 = keysOf(
  'preset rc tbr mbr crf qp max-qp min-qp keyint irefresh-type scd lookahead lp tile-rows tile-columns tune fast-decode enable-tf',
  'enable-overlays enable-cdef enable-restoration enable-dlf enable-tpl-la film-grain film-grain-denoise hierarchical-levels pred-struct',
  'scm aq-mode enable-qm qm-min qm-max buf-sz buf-initial-sz buf-optimal-sz undershoot-pct overshoot-pct bias-pct sharpness variance-boost',
  'input-depth color-primaries transfer-characteristics matrix-coefficients color-range chroma-sample-position mastering-display content-light');
const aom = keysOf(
  'aq-mode deltaq-mode sharpness tune row-mt threads tile-rows tile-columns enable-keyframe-filtering enable-fwd-kf film-grain-test',
  'denoise-noise-level denoise-block-size arnr-strength arnr-maxframes enable-cdef enable-restoration enable-qm qm-min qm-max quant-b-adapt',
  'min-partition-size max-partition-size max-reference-frames enable-palette enable-intrabc enable-obmc enable-warped-motion',
  'enable-global-motion enable-ref-frame-mvs enable-dual-filter enable-interintra-comp enable-smooth-interintra coeff-cost-upd-freq',
  'mode-cost-upd-freq mv-cost-upd-freq tune-content lag-in-frames cq-level end-usage');

/** By the option that carries the string. */
export const encoderParameterKeys = {
  'x264-params': x264, 'x264opts': x264, 'x265-params': x265, 'svtav1-params': svtAv1, 'aom-params': aom,
} as const satisfies Record<string, ReadonlySet<string>>;

const maxThreads = 64, maxNumber = 1_000_000;

/**
 * Checks a parameter string and writes it anew, keys with `-`, so that the encoder reads exactly what was checked here.
 * Quotes and backslashes, which ffmpeg would unescape, are refused. A key alone means `key=1` (as x264 itself reads it).
 */
export function vetEncoderParameters(option: keyof typeof encoderParameterKeys, text: string): string {
  const known = encoderParameterKeys[option];
  const items = text.split(':');
  if (items.length > 100) refuseValue('at most 100 encoder parameters');
  return items.map((item) => vetItem(known, item)).join(':');
}

function vetItem(known: ReadonlySet<string>, item: string): string {
  const match = /^([A-Za-z0-9_-]{1,40})(?:=([A-Za-z0-9.,+()/-]{1,200}))?$/.exec(item);
  const given = match?.[1];
  if (!match || given === undefined) return refuseValue(`encoder parameters are key=value joined by ":", not "${printable(item)}"`);
  const key = given.replaceAll('_', '-'), value = match[2] ?? '1';
  if (!known.has(key) && !(key.startsWith('no-') && known.has(key.slice(3)))) refuseValue(`the encoder parameter "${key}" is not allowed`);
  const most = /threads$|^pools$|^lp$/.test(key) ? maxThreads : maxNumber;
  for (const digits of value.match(/\d+/g) ?? []) if (Number(digits) > most) refuseValue(`${key} can be at most ${most}`);
  if (value.includes('/')) refuseValue(`the encoder parameter "${key}" can not hold "/"`);
  return `${key}=${value}`;
}
