import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessagePace } from '../src/message-pace.ts';
import { runs } from './runs.ts';

test('a burst passes, ten more are answered, and then the socket is ended', () => {
  const pace = new MessagePace({ limit: 20, periodSeconds: 1 });
  const verdicts = Array.from({ length: 40 }, () => pace.take(1_000));
  expect(verdicts).toEqual([...Array(20).fill('kept'), ...Array(10).fill('exceeded'), ...Array(10).fill('ended')]);
});

test('who speaks at the pace is never warned, and who exceeds it once in a while is never ended', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 50, max: 500 }), { maxLength: 300 }), (pauses) => {
    const pace = new MessagePace({ limit: 20, periodSeconds: 1 });
    let at = 0;
    for (const pause of pauses) expect(pace.take(at += pause)).toBe('kept');
    for (let minute = 0; minute < 20; minute += 1) {
      at += 60_000;
      expect(Array.from({ length: 25 }, () => pace.take(at))).not.toContain('ended');
    }
  }), { numRuns: runs(200) });
});
