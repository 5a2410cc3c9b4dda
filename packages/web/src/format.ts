/** Numbers and instants as a person reads them. */

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Decimal units, three significant digits: 1 234 567 is "1.23 MB". */
export function formatBytes(bytes: number): string {
  const step = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** step;
  return `${step === 0 ? value : Number(value.toPrecision(3))} ${units[step] ?? 'B'}`;
}

/** "0:07", "12:05", "1:02:09". */
export function formatClock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** "8 s", "3 min", "2 h 10 min": how long something takes or took. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return 'less than a second';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const rest = minutes % 60;
  return rest === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${rest} min`;
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
const relativeSteps = [
  { unit: 'second', seconds: 1 }, { unit: 'minute', seconds: 60 }, { unit: 'hour', seconds: 3_600 },
  { unit: 'day', seconds: 86_400 }, { unit: 'month', seconds: 2_629_800 }, { unit: 'year', seconds: 31_557_600 },
] as const;

/** "3 min. ago", "in 2 days"; anything within ten seconds is "just now". */
export function formatRelative(instant: string, nowMs: number): string {
  const seconds = (Date.parse(instant) - nowMs) / 1000;
  if (Math.abs(seconds) < 10) return 'just now';
  const step = relativeSteps.findLast((candidate) => Math.abs(seconds) >= candidate.seconds) ?? relativeSteps[0];
  return relative.format(Math.round(seconds / step.seconds), step.unit);
}

const dateTime = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
export const formatInstant = (instant: string): string => dateTime.format(new Date(instant));

/** The first and last characters of a long name, for where it only has to be recognised. */
export const shorten = (text: string, head = 10, tail = 6): string =>
  (text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`);

/** "alice", "alice and bob", "alice, bob and carol". */
export function joinWords(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}
