/** What flags and arguments look like: each function reads one kind of value or says how it is written. */
import { WeirError } from '@weir/contracts/errors';

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };
const longestSeconds = 31_536_000;

const usage = (message: string): WeirError => new WeirError('request.invalid', message);

export const text = (value: string): string => value;

/** `90s`, `15m`, `1h`, `7d`, `2w`, or seconds; at most a year. Returns seconds. */
export function duration(value: string): number {
  const [, count, unit = 's'] = /^([0-9]{1,8})([smhdw])?$/.exec(value) ?? [];
  const seconds = Number(count) * (units[unit] ?? Number.NaN);
  if (!(seconds >= 1 && seconds <= longestSeconds)) throw usage('write a duration as 90s, 15m, 1h, 7d or 2w, at most a year');
  return seconds;
}

/** Like `duration`, and `0`. */
export const durationOrZero = (value: string): number => (/^0[smhdw]?$/.test(value) ? 0 : duration(value));

export function port(value: string): number {
  if (!/^[0-9]{1,5}$/.test(value) || Number(value) > 65_535) throw usage('a port is a number from 0 to 65535; 0 takes a free one');
  return Number(value);
}

export const count = (least: number, most: number) => (value: string): number => {
  if (!/^[0-9]{1,9}$/.test(value) || Number(value) < least || Number(value) > most) throw usage(`write a number from ${least} to ${most}`);
  return Number(value);
};

export const oneOf = <T extends string>(allowed: readonly T[]) => (value: string): T => {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw usage(`write one of ${allowed.join(', ')}`);
  return found;
};

export type ByteRange = Readonly<{ start: number; end: number | undefined }>;

/** `0-999`, `1000-`: first and last byte, both counted. */
export function byteRange(value: string): ByteRange {
  const [, start = '', end = ''] = /^([0-9]{1,15})-([0-9]{1,15})?$/.exec(value) ?? [];
  if (start === '' || (end !== '' && Number(end) < Number(start))) throw usage('write a range as 0-999 (first and last byte) or 1000-');
  return { start: Number(start), end: end === '' ? undefined : Number(end) };
}

/** A moment as RFC 3339, or a day, or a time from now such as `+2h`; returns RFC 3339 with milliseconds. */
export function instant(value: string, now: number = Date.now()): string {
  const at = value.startsWith('+') ? now + duration(value.slice(1)) * 1_000 : /^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(at)) throw usage('write a time as 2030-01-31T12:00:00Z, 2030-01-31, or +2h from now');
  return new Date(at).toISOString();
}

/** `key=value`, the value may hold more `=`. */
export function pair(value: string): readonly [string, string] {
  const at = value.indexOf('=');
  if (at < 1 || at > 64) throw usage('write it as key=value');
  return [value.slice(0, at), value.slice(at + 1)];
}

export function address(value: string): string {
  if (value.length > 64 || !/^[0-9a-fA-F:.]+$/.test(value)) throw usage('an address is written as 127.0.0.1, ::1 or 0.0.0.0');
  return value;
}

export function serverUrl(value: string): string {
  const url = value.length <= 1_000 ? URL.parse(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') throw usage('a server is written as https://weir.example:4545');
  return url.origin;
}
