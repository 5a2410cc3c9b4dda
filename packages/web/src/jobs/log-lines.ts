/** The lines of a log that arrive twice: as what was stored, and as they are printed. */
import type { LogLine } from '@weir/contracts/jobs';

/** Stored lines, then those that came after the last of them: the event stream repeats what the log already held. */
export function mergeLines(stored: readonly LogLine[], fresh: readonly LogLine[]): readonly LogLine[] {
  const known = new Set(stored.map(keyOf));
  return [...stored, ...fresh.filter((line) => !known.has(keyOf(line)))];
}

const keyOf = ({ at, attempt, text }: LogLine): string => `${attempt} ${at} ${text}`;
