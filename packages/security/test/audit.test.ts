import { expect, test } from 'vitest';
import { RefusalTally } from '../src/audit.ts';

test('refusals that are alike are counted, and a flood of kinds stays bounded', () => {
  const tally = new RefusalTally(10);
  const entry = { class: 'C', principal: '', address: '10.0.0.1', action: 'content.read', object: '', decision: 'refused', reason: 'absent', requestId: '' } as const;
  for (let i = 0; i < 100; i += 1) tally.add(entry);
  for (let i = 0; i < 1_000; i += 1) tally.add({ ...entry, reason: `kind ${i}` });
  expect(tally.size).toBe(11);
  const taken = tally.take();
  expect(taken.find(({ reason }) => reason === 'absent')?.count).toBe(100);
  expect(taken.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(1_100);
  expect(tally.size).toBe(0);
});
