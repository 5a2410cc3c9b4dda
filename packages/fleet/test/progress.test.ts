/** That progress is read from whatever ffmpeg prints, and that lines are bounded whatever a process prints. */
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Progress } from '@weir/contracts/jobs';
import { outputLines } from '../src/jail/output-lines.ts';
import { ProgressParser, progressOf, type ProgressBlock } from '../src/worker/progress-parser.ts';
import { runs } from './jail-support.ts';

const printed = `frame=118
fps=58.60
stream_0_0_q=29.0
bitrate=1172.4kbits/s
total_size=524336
out_time_us=3577868
out_time_ms=3577868
out_time=00:00:03.577868
dup_frames=0
drop_frames=0
speed=1.78x
progress=continue`;

function lastBlock(lines: readonly string[]): ProgressBlock | null {
  const parser = new ProgressParser();
  return lines.reduce<ProgressBlock | null>((last, line) => parser.read(line) ?? last, null);
}

test('a block of ffmpeg 5.1 becomes progress', () => {
  const block = lastBlock(printed.split('\n'));
  expect(block).toEqual({ outTimeUs: 3_577_868, frame: 118, fps: 58.6, speed: 1.78, totalBytes: 524_336, ended: false });
  expect(block && progressOf(block, 12_000_000)).toEqual({ percent: 29.8, eta_seconds: 4.7, fps: 58.6, speed: 1.78, out_time_us: 3_577_868 });
  expect(block && progressOf(block, null)).toMatchObject({ percent: 0, eta_seconds: null });
});

test('what is not known yet is null, and the end is 100 percent', () => {
  const block = lastBlock(['out_time_us=N/A', 'speed=N/A', 'fps=0.00', 'total_size=N/A', 'progress=end']);
  expect(block && progressOf(block, 5_000_000)).toEqual({ percent: 100, eta_seconds: 0, fps: null, speed: null, out_time_us: 0 });
});

test('any lines give valid progress', () => {
  const line = fc.oneof(fc.string(), fc.tuple(fc.constantFrom('out_time_us', 'frame', 'fps', 'speed', 'total_size', 'progress'), fc.oneof(fc.string(), fc.double().map(String), fc.constantFrom('end', 'continue', '-9223372036854775807', '1e999', '1x')))
    .map(([key, value]) => `${key}=${value}`));
  fc.assert(fc.property(fc.array(line, { maxLength: 50 }), fc.option(fc.integer()), (lines, durationUs) => {
    const block = lastBlock([...lines, 'progress=continue']);
    expect(Progress.safeParse(block && progressOf(block, durationUs)).success).toBe(true);
  }), { numRuns: runs(1_000) });
});

async function linesOf(chunks: readonly Uint8Array[], lineLength = 20): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of outputLines(Readable.from(chunks), { lineLength, bytesPerSecond: 1e9 })) lines.push(line);
  return lines;
}

test('lines end at \\n and \\r, also inside a character and without an end', async () => {
  const bytes = Buffer.from('one\rtwo\r\nthrée\n\nlast');
  expect(await linesOf([bytes.subarray(0, 12), bytes.subarray(12, 13), bytes.subarray(13)])).toEqual(['one', 'two', 'thrée', 'last']);
});

test('control and direction characters become blanks', async () => {
  expect(await linesOf([Buffer.from('a\u001b[31mb\u202ec\n')])).toEqual(['a [31mb c']);
});

test('however the bytes are cut, the lines are the same and bounded', async () => {
  await fc.assert(fc.asyncProperty(fc.string({ unit: fc.constantFrom('a', 'é', '\n', '\r', 'bbbbbbbbbbbb', '\t') }), fc.array(fc.nat(80), { maxLength: 6 }), async (text, cuts) => {
    const bytes = Buffer.from(text), at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
    const whole = await linesOf([bytes]);
    expect(await linesOf(at.slice(1).map((end, index) => bytes.subarray(at[index], end)))).toEqual(whole);
    expect(whole.every((line) => line !== '' && line.length <= 20)).toBe(true);
  }), { numRuns: runs(300) });
});
