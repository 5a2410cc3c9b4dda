/** What reaches a terminal: nothing that draws on it, and lines that fit. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { failureText, exitCodeOf } from '../src/failure.ts';
import { printable, printableLine } from '../src/terminal/printable.ts';
import { jobText, liveLine, transferText } from '../src/terminal/progress.ts';
import { tableText } from '../src/terminal/table.ts';
import { formatBytes, formatSeconds } from '../src/terminal/units.ts';
import { WeirError } from '@weir/contracts/errors';
import { runs } from './support/runs.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 300 });

test('no control, format or half character of foreign text reaches the terminal', () => {
  fc.assert(fc.property(anyText, (text) => {
    expect(printable(text)).not.toMatch(/[^\P{C}\n]/u);
    expect(printableLine(text)).not.toMatch(/\p{C}/u);
    expect(printable(text, 20).length).toBeLessThanOrEqual(20);
    expect(tableText(['A'], [[text]]).replaceAll('\n', '')).not.toMatch(/\p{C}/u);
  }), { numRuns: runs(2_000) });
  expect(printableLine('a\u001B[31mred\u0007\u202Eb')).toBe('a·[31mred··b');
});

test('a bar shows share, rate and remaining time', () => {
  expect(transferText('talk.mp4', 512 * 1024, 1024 * 1024, 1_000)).toBe('talk.mp4                       ████████████░░░░░░░░░░░░  50 %  512 KiB/s  0:01 left');
  expect(transferText('pipe', 2_048, undefined, 1_000)).toBe('pipe                           2.0 KiB  2.0 KiB/s');
  expect(jobText('mp4-h264', 'running', { percent: 100, eta_seconds: null, speed: 2.25 })).toBe('mp4-h264                       ████████████████████████ 100 %  running  2.3x');
});

test('a bar has its width whatever the numbers are', () => {
  fc.assert(fc.property(fc.double(), fc.double(), fc.double({ min: 0 }), (moved, total, elapsed) => {
    expect([...transferText('x', moved, total, elapsed)].filter((part) => part === '█' || part === '░')).toHaveLength(24);
  }), { numRuns: runs(1_000) });
});

test('nothing is drawn where there is no terminal', () => {
  const written: string[] = [];
  const screen = { write: (text: string) => { written.push(text); } };
  liveLine(screen).show('half');
  expect(written).toEqual([]);
  const live = liveLine({ ...screen, isTTY: true, columns: 10 });
  live.show('much longer than ten');
  live[Symbol.dispose]();
  expect(written).toEqual(['\r\u001B[2Kmuch longe'.slice(0, 14), '\r\u001B[2K']);
});

test('sizes and durations', () => {
  expect([0, 1_023, 1_536, 157_286_400].map(formatBytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '150 MiB']);
  expect([0, 75, 3_675].map(formatSeconds)).toEqual(['0:00', '1:15', '1:01:15']);
});

test('a failure is one block that says the next step; where it came from only when asked', () => {
  const error = new WeirError('keys.lost', 'Put the file back.', { cause: new Error('inner') });
  expect(failureText(error, {})).toBe('weir: Put the file back.');
  expect(failureText(error, { WEIR_DEBUG: '1' })).toMatch(/WeirError: Put the file back[\s\S]*caused by:[\s\S]*inner/);
  expect([error, new WeirError('object.absent'), new DOMException('x', 'AbortError'), new Error('x')].map(exitCodeOf)).toEqual([1, 4, 130, 1]);
});
