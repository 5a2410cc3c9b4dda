import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { agentName } from '../src/account/agent-name.ts';
import { formatBytes, formatClock, formatDuration, formatRelative, joinWords, shorten } from '../src/format.ts';
import { mergeLines } from '../src/jobs/log-lines.ts';
import { parameterFields, readParameters } from '../src/jobs/recipe-parameters.ts';
import { addSample, etaSeconds, rateOf, type Sample } from '../src/uploads/transfer-rate.ts';
import { readWatchLink, watchAddress } from '../src/watch/watch-link.ts';
import { untilRefused } from '../src/watch/watch-right.ts';

test('sizes, times and names read well', () => {
  expect([0, 999, 1_000, 1_234_567, 5e12].map(formatBytes)).toEqual(['0 B', '999 B', '1 kB', '1.23 MB', '5 TB']);
  expect([7, 725, 3_729].map(formatClock)).toEqual(['0:07', '12:05', '1:02:09']);
  expect([0.4, 8, 180, 7_800].map(formatDuration)).toEqual(['less than a second', '8 s', '3 min', '2 h 10 min']);
  expect(formatRelative('2026-11-22T10:00:00.000Z', Date.parse('2026-11-22T10:03:00.000Z'))).toBe('3 min. ago');
  expect(joinWords(['a', 'b', 'c'])).toBe('a, b and c');
  expect(shorten('bafkreiabcdefghijklmnop', 4, 3)).toBe('bafk…nop');
});

test('a browser is told by its name and system, and nothing is made up', () => {
  const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
  expect([chrome, `${chrome} Edg/140.0`, 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile/15E148 Safari/604.1', 'curl/8.5', 'weir-sdk', ''].map(agentName))
    .toEqual(['Chrome on Linux', 'Edge on Linux', 'Safari on iPhone', 'curl', 'weir-sdk', 'Another program']);
});

test('the rate is that of the latest seconds, and the rest takes as long as it says', () => {
  let samples: readonly Sample[] = [];
  for (let second = 0; second <= 20; second += 1) samples = addSample(samples, { atMs: second * 1_000, bytes: second < 10 ? second : 10 + (second - 10) * 1_000 });
  expect(rateOf(samples)).toBe(1_000);
  expect(etaSeconds(samples, 15_010)).toBe(5);
  expect(samples.length).toBeLessThan(9);
});

test('nothing is said before there is something to tell, or when nothing moves', () => {
  expect(rateOf([])).toBeNull();
  expect(etaSeconds([{ atMs: 0, bytes: 5 }, { atMs: 9_000, bytes: 5 }], 10)).toBeNull();
});

const schema = {
  type: 'object',
  properties: {
    height: { type: 'integer', minimum: 144, maximum: 2160, default: 720, description: 'Lines.' },
    preset: { type: 'string', enum: ['fast', 'slow'], default: 'fast' },
    crf: { type: 'integer', minimum: 15, maximum: 40 },
    burn_in: { type: 'boolean' },
    nested: { type: 'object' },
  },
};

test('a recipe’s schema becomes a form, and the form becomes typed parameters', () => {
  const fields = parameterFields(schema);
  expect(fields.map(({ name, kind, label, initial }) => [name, kind, label, initial])).toEqual([
    ['height', 'integer', 'Height', '720'], ['preset', 'choice', 'Preset', 'fast'], ['crf', 'integer', 'CRF', ''], ['burn_in', 'switch', 'Burn in', ''],
  ]);
  expect(readParameters(fields, { height: '360', preset: 'slow', crf: '', burn_in: 'true' })).toEqual({ parameters: { height: 360, preset: 'slow', burn_in: true }, errors: {} });
  expect(Object.keys(readParameters(fields, { height: '100', preset: 'x', crf: '1.5' }).errors)).toEqual(['height', 'preset', 'crf']);
});

test('no schema breaks the form', () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (properties) => {
    const fields = parameterFields({ properties });
    readParameters(fields, Object.fromEntries(fields.map(({ name, initial }) => [name, initial])));
  }), { numRuns: 200 });
});

test('log lines that came both ways are shown once, in order', () => {
  const line = (text: string) => ({ at: '2026-11-22T10:00:00.000Z', attempt: 1, stream: 'stderr' as const, text });
  expect(mergeLines([line('a'), line('b')], [line('b'), line('c')]).map(({ text }) => text)).toEqual(['a', 'b', 'c']);
});

test('a watch link survives being written and read, and half a link is none', () => {
  fc.assert(fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (cid, grant) => {
    expect(readWatchLink(new URL(watchAddress('https://weir.example', { cid, grant })).hash)).toEqual({ cid, grant });
  }));
  expect(readWatchLink('#cid=bafk')).toBeNull();
  expect(readWatchLink('')).toBeNull();
});

test('a right is asked for until it is refused; a network that is down is no refusal', async () => {
  const refusal = new Error('refused');
  const answers = [undefined, new Error('network'), refusal];
  const ask = async (): Promise<void> => {
    const answer = answers.shift();
    if (answer !== undefined) throw answer;
  };
  expect(await untilRefused(ask, (error) => error === refusal, new AbortController().signal)).toBe(refusal);
  expect(await untilRefused(ask, () => true, AbortSignal.abort())).toBeUndefined();
});
