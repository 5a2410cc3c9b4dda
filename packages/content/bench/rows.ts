/** How results are compared: rounds that alternate between the baseline and the candidates, medians, and ratios between them. */

/** `ratio`: baseline time over candidate time, so more is faster; `spread`: the lowest and highest ratio of a single round. */
export interface Row { readonly name: string; readonly baseline: string; readonly ratio: number; readonly spread: readonly [number, number]; readonly detail: string }

export interface Candidate { readonly name: string; readonly measure: () => Promise<number> }

/** Each `measure` does the work once and returns milliseconds; `bytes` is what it moved. One round beforehand warms caches and code. */
export async function interleaved(baseline: string, measureBaseline: () => Promise<number>, candidates: readonly Candidate[], { rounds, bytes }: { rounds: number; bytes: number }): Promise<Row[]> {
  const base: number[] = [];
  const times = candidates.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    const turns = [{ measure: measureBaseline, times: base }, ...candidates.map(({ measure }, i) => ({ measure, times: times[i] ?? [] }))];
    // Every second round runs backwards, so that nobody always inherits the same neighbour's disk and caches.
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) {
      const time = await turn.measure();
      if (round > 0) turn.times.push(time);
    }
  }
  return candidates.map((candidate, i) => row(candidate.name, baseline, base, times[i] ?? [], bytes));
}

function row(name: string, baseline: string, base: readonly number[], times: readonly number[], bytes: number): Row {
  const ratios = times.map((time, i) => (base[i] ?? Number.NaN) / time);
  const speed = (list: readonly number[]): string => `${Math.round(bytes / 1e3 / median(list))} MB/s`;
  return {
    name, baseline, ratio: round2(median(base) / median(times)), spread: [round2(Math.min(...ratios)), round2(Math.max(...ratios))],
    detail: `${speed(times)} against ${speed(base)}, median of ${times.length} interleaved rounds`,
  };
}

function median(list: readonly number[]): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const round2 = (value: number): number => Math.round(value * 100) / 100;
