/** How fast a transfer is and when it ends, from its latest seconds. */

const windowMs = 6_000;

export type Sample = Readonly<{ atMs: number; bytes: number }>;

/** The samples that still count, with the new one; the oldest kept is the first before the window, so that the window is full. */
export function addSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const start = samples.findLastIndex(({ atMs }) => atMs <= sample.atMs - windowMs);
  return [...samples.slice(Math.max(0, start)), sample];
}

/** Bytes per second, or null while there is too little to tell. */
export function rateOf(samples: readonly Sample[]): number | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.atMs - first.atMs < 250) return null;
  return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
}

/** Seconds to the end, or null while that can't be said. */
export function etaSeconds(samples: readonly Sample[], totalBytes: number): number | null {
  const rate = rateOf(samples);
  const last = samples.at(-1);
  if (rate === null || rate <= 0 || last === undefined) return null;
  return Math.max(0, totalBytes - last.bytes) / rate;
}
