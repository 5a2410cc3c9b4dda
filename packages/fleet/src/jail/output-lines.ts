/** Reads the text that a jailed process prints: bounded in line length and in rate, whatever it prints. */
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

export type LineBounds = Readonly<{ lineLength: number; bytesPerSecond: number }>;

/**
 * The lines of a stream, split on `\n` and `\r` (ffmpeg's status line), without empty ones and without control characters.
 * A longer line is cut. Above the rate the stream is left unread, so a flooding process waits instead of this one working.
 */
export async function* outputLines(stream: Readable, bounds: LineBounds): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let line = '', secondEnds = 0, bytes = 0;
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('A stream of bytes is needed.');
    const pieces = decoder.decode(chunk, { stream: true }).split(/[\r\n]/);
    const rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      const whole = cleaned(line + piece, bounds.lineLength);
      line = '';
      if (whole !== '') yield whole;
    }
    line = (line + rest).slice(0, bounds.lineLength);
    const now = performance.now();
    if (now >= secondEnds) [secondEnds, bytes] = [now + 1_000, 0];
    bytes += chunk.length;
    if (bytes > bounds.bytesPerSecond) await sleep(secondEnds - now);
  }
  const last = cleaned(line, bounds.lineLength);
  if (last !== '') yield last;
}

/** Control and direction characters would act on the terminal or page that shows the log. */
function cleaned(line: string, length: number): string {
  return line.slice(0, length).replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, ' ').trimEnd();
}
