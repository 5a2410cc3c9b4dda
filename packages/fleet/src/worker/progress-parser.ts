/** Reads ffmpeg's `-progress` blocks and turns them into the job's progress. */
import type { Progress } from '@weir/contracts/jobs';

/** One block: what ffmpeg had done when it wrote it. Unknown values are null. */
export type ProgressBlock = Readonly<{ outTimeUs: number; frame: number; fps: number | null; speed: number | null; totalBytes: number; ended: boolean }>;

/** Collects `key=value` lines; gives a block at each `progress=` line, else null. Unknown keys and odd values count as not said. */
export class ProgressParser {
  #values = new Map<string, string>();

  read(line: string): ProgressBlock | null {
    const split = line.indexOf('=');
    if (split < 1 || split > 32) return null;
    const key = line.slice(0, split);
    if (key === 'progress') return this.#finish(line.slice(split + 1).trim() === 'end');
    if (this.#values.size < 64) this.#values.set(key, line.slice(split + 1).trim());
    return null;
  }

  #finish(ended: boolean): ProgressBlock {
    const values = this.#values;
    this.#values = new Map();
    return {
      outTimeUs: Math.max(0, whole(values.get('out_time_us'))), frame: whole(values.get('frame')), fps: positive(values.get('fps')),
      speed: positive(values.get('speed')?.replace(/x$/, '')), totalBytes: whole(values.get('total_size')), ended,
    };
  }
}

/**
 * Progress of a job whose input lasts `durationUs` (null when nobody knows; then percent stays 0 to the end).
 * 100 percent is said only of a finished one: the last tenths belong to writing the trailer.
 */
export function progressOf(block: ProgressBlock, durationUs: number | null): Progress {
  const known = durationUs !== null && durationUs > 0;
  const done = known ? Math.min(99.9, (block.outTimeUs / durationUs) * 100) : 0;
  const left = known && block.speed !== null ? Math.max(0, durationUs - block.outTimeUs) / 1e6 / block.speed : null;
  return {
    percent: block.ended ? 100 : round(done), eta_seconds: block.ended ? 0 : left === null ? null : round(left),
    fps: block.fps, speed: block.speed, out_time_us: block.outTimeUs,
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

function whole(text: string | undefined): number {
  const value = Number(text);
  return text !== undefined && text !== '' && Number.isSafeInteger(value) ? value : 0;
}

/** Beyond a million to either side nothing is believed, so what is computed from it stays finite. */
function positive(text: string | undefined): number | null {
  const value = Number(text);
  return value >= 1e-6 && value <= 1e6 ? value : null;
}
