/** What the command prints, and how it ends. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { check } from './support/transcripts.ts';
import { Sandbox } from './support/weir.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await Sandbox.open();
});
afterAll(() => sandbox[Symbol.asyncDispose]());

const archive = (name: string): string => fileURLToPath(new URL(`transcripts/${name}.txt`, import.meta.url));

test.for(['usage', 'config', 'absent'])('%s', { timeout: 120_000 }, async (name) => {
  const { wanted, got } = await check(sandbox, archive(name));
  expect(got).toBe(wanted);
});

// These change the instance, each in the state that the one before left it in.
test('commands beside a running server', { timeout: 240_000 }, async () => {
  await sandbox.serve();
  for (const name of ['token', 'user', 'audit', 'client']) {
    const { wanted, got } = await check(sandbox, archive(name));
    expect(got, name).toBe(wanted);
  }
});
