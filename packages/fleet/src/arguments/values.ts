/** What the value of an option or of a filter's key may look like. Each check returns the value to use or refuses it with a reason. */
import { printable, refuseValue } from './refusal.ts';

export type Check = (value: string) => string;

/** A decimal number within bounds, nothing else: no exponent, no unit. */
export function number(min: number, max: number): Check {
  return (value) => {
    if (!/^-?\d{1,12}(\.\d{1,9})?$/.test(value)) refuseValue(`a number is needed, not "${printable(value)}"`);
    return within(value, Number(value), min, max);
  };
}

function within(text: string, value: number, min: number, max: number): string {
  if (!(value >= min && value <= max)) refuseValue(`a number from ${min} to ${max} is needed, not ${printable(text)}`);
  return text;
}

export function oneOf(...words: readonly string[]): Check {
  return (value) => (words.includes(value) ? value : refuseValue(`"${printable(value)}" is not one of the allowed values (${words.join(', ')})`));
}

export function pattern(shape: RegExp, what: string): Check {
  return (value) => (shape.test(value) ? value : refuseValue(`${what} is needed, not "${printable(value)}"`));
}

/** `+a-b`: flags of which every one is known. */
export function flags(...known: readonly string[]): Check {
  return (value) => {
    if (!/^[+-]?[a-z0-9_]+([+-][a-z0-9_]+)*$/.test(value)) refuseValue('flags joined by + or - are needed');
    for (const flag of value.split(/[+-]/)) if (flag !== '' && !known.includes(flag)) refuseValue(`the flag "${printable(flag)}" is not allowed`);
    return value;
  };
}

const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9 };

/** Bits (or bytes) with an SI unit, such as `128k`, up to `max`. */
export function quantity(max: number): Check {
  return (value) => {
    const match = /^(\d{1,12}(?:\.\d{1,3})?)([kKMG]?)$/.exec(value);
    if (!match) refuseValue(`a quantity such as 128k is needed, not "${printable(value)}"`);
    return within(value, Number(match?.[1]) * (units[match?.[2] ?? ''] ?? Number.NaN), 0, max);
  };
}

const maxSeconds = 360_000;

/** `[-]HH:MM:SS[.m…]`, `MM:SS` or seconds with an optional unit; up to 100 hours. */
export const time: Check = (value) => {
  const clock = /^-?(?:(\d{1,3}):)?(\d{1,2}):(\d{2})(\.\d{1,6})?$/.exec(value);
  const plain = /^-?(\d{1,12}(?:\.\d{1,6})?)(us|ms|s)?$/.exec(value);
  if (!clock && !plain) refuseValue(`a time such as 00:01:30 or 90.5 is needed, not "${printable(value)}"`);
  const seconds = clock
    ? Number(clock[1] ?? 0) * 3_600 + Number(clock[2]) * 60 + Number(clock[3])
    : Number(plain?.[1]) / ({ us: 1e6, ms: 1e3 }[plain?.[2] ?? ''] ?? 1);
  if (seconds > maxSeconds) refuseValue('a time of at most 100 hours is needed');
  return value;
};

/** Frames per second as `25`, `29.97`, `30000/1001` or a name such as `ntsc`; at most 240. */
export const frameRate: Check = (value) => {
  if (/^(ntsc|pal|film|ntsc-film|source_fps)$/.test(value)) return value;
  const match = /^(\d{1,7}(?:\.\d{1,6})?)(?:\/(\d{1,7}))?$/.exec(value);
  if (!match) refuseValue(`a frame rate such as 25 or 30000/1001 is needed, not "${printable(value)}"`);
  return within(value, Number(match?.[1]) / Number(match?.[2] ?? 1), 0.001, 240);
};

/** The largest width or height, in pixels. */
export const maxSide = 16_384;

/** `WIDTHxHEIGHT`, or the field's name for one (`hd720`). */
export const frameSize: Check = (value) => {
  if (/^(sqcif|qcif|cif|4cif|qvga|vga|svga|xga|hd480|hd720|hd1080|2k|4k|uhd2160)$/.test(value)) return value;
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(value);
  if (!match) refuseValue(`a size such as 1280x720 is needed, not "${printable(value)}"`);
  within(value, Number(match?.[1]), 1, maxSide);
  return within(value, Number(match?.[2]), 1, maxSide);
};

/**
 * An expression of ffmpeg's evaluator whose literal numbers are at most `max`. Loops and printing are refused;
 * what a product of small numbers asks for is bounded by the jail's memory.
 */
export function expression(max: number): Check {
  return (value) => {
    if (!/^[A-Za-z0-9_.+\-*/()^<>=!|&?,:; %]{1,1000}$/.test(value)) refuseValue(`an expression is needed, not "${printable(value)}"`);
    for (const [token] of value.matchAll(/[A-Za-z_]\w*|\d[\w.]*/g)) {
      if (/^(while|print)$/.test(token)) refuseValue(`the function ${token} is not allowed in an expression`);
      if (/^\d/.test(token)) number(0, max)(token);
    }
    return value;
  };
}

export const word = pattern(/^[A-Za-z0-9_+][A-Za-z0-9_.+|-]{0,99}$/, 'a plain word');
export const color = pattern(/^(0x|#)?[A-Za-z0-9]{1,24}(@(0x[0-9A-Fa-f]{2}|[01](\.\d{1,4})?))?$/, 'a color');
export const ratio = pattern(/^\d{1,5}([:/]\d{1,5}|\.\d{1,6})?$/, 'a ratio such as 16:9');

/** Text for a tag of the output: one line, up to a kilobyte. */
export const metadata = pattern(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}=[^\p{Cc}]{0,1024}$/u, 'key=value without control characters');

/** Numbers joined by `|` or blanks, each within the bounds. */
export function numbers(min: number, max: number): Check {
  const one = number(min, max);
  return (value) => {
    const parts = value.split(/[| ]/);
    if (parts.length > 64) refuseValue('at most 64 numbers');
    for (const part of parts) one(part.replace(/[sS]$/, ''));
    return value;
  };
}
