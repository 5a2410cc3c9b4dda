/** Master keys are added, made the default and removed while the server runs; what is stored is sealed anew and never lies open. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { sealedUnder } from '../packages/security/src/key-ring.ts';
import { runCommand } from './support/command.ts';
import { StoredState } from './support/state.ts';
import { dffmpegSigned, startWeir, type TestWeir } from './support/weir.ts';

type Keys = { items: { key_id: string; default: boolean; sealed_values: number }[] };
const keysOf = async (weir: TestWeir): Promise<Keys['items']> => (JSON.parse((await runCommand(weir, ['admin', 'security', 'list-keys', '--json'])).stdout) as Keys).items;
const signedStatus = (weir: TestWeir, name: string, key: string): Promise<Response> =>
  fetch(`${weir.url}/api/v1/status`, { headers: dffmpegSigned(name, key, 'GET', '/api/v1/status') });

/** Every sealed value of the database, whatever command says what of them. */
function sealedValues(weir: TestWeir): Uint8Array[] {
  using state = new StoredState(weir.dataPath);
  return [['principal_key', 'secret'], ['signing_key', 'secret'], ['user_key', 'secret'], ['holding', 'data_key']]
    .flatMap(([table, column]) => state.rows(`select ${column} as value from ${table} where ${column} is not null`)).map(({ value }) => value as Uint8Array);
}

test('everything that is stored is sealed under a new master key while the server works, and the old key can go', async () => {
  await using weir = await startWeir({ environment: { WEIR_STREAMING_SECURITY__ENCRYPTION__KEY_SCOPE: 'user' } });
  const alice = await weir.principal('alice', 'user');
  const films = await Promise.all(Array.from({ length: 30 }, async () => { const bytes = randomBytes(3_000); return { bytes, cid: await alice.upload(bytes) }; }));
  const [first] = await keysOf(weir);
  expect((await runCommand(weir, ['admin', 'security', 'generate-key', 'autumn'])).stdout).toBe('autumn\n');
  expect((await keysOf(weir)).map((key) => [key.key_id, key.default])).toEqual([[first?.key_id, true], ['autumn', false]]);
  // Uploads go on while it works, and before it ends they are sealed under the new key.
  const working = runCommand(weir, ['admin', 'security', 're-encrypt', '--key-id', 'autumn']);
  let done = false;
  void working.then(() => { done = true; });
  while (!done) films.push(await (async () => { const bytes = randomBytes(3_000); return { bytes, cid: await alice.upload(bytes) }; })());
  const { code, stdout, stderr } = await working;
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^\d+ stored keys are sealed under autumn\.\n$/);
  expect(sealedValues(weir).length).toBeGreaterThan(30);
  for (const value of sealedValues(weir)) expect(sealedUnder(value)).toBe('autumn');
  expect((await runCommand(weir, ['admin', 'security', 'remove-key', first?.key_id ?? ''])).code).toBe(0);
  expect((await signedStatus(weir, 'alice', alice.key)).status).toBe(200);
  const check = async (): Promise<void> => {
    for (const { bytes, cid } of films) expect(Buffer.from(await (await alice.get(cid)).arrayBuffer()).equals(bytes)).toBe(true);
  };
  await check();
  await weir.kill('SIGTERM');
  await weir.start();
  await check();
  expect((await signedStatus(weir, 'alice', alice.key)).status).toBe(200);
  expect(await keysOf(weir)).toMatchObject([{ key_id: 'autumn', default: true }]);
});

test('sealing anew without saying a key never decrypts, and asking for plain text is refused (dffmpeg §2 #10)', async () => {
  await using weir = await startWeir();
  const alice = await weir.principal('alice', 'client');
  for (const args of [['re-encrypt'], ['re-encrypt', '--key-id', 'nobody'], ['re-encrypt', '--decrypt']]) await runCommand(weir, ['admin', 'security', ...args]);
  const refused = await runCommand(weir, ['admin', 'security', 're-encrypt', '--decrypt']);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('never stores a key in plain');
  expect((await runCommand(weir, ['admin', 'security', 're-encrypt', '--key-id', 'nobody'])).code).toBe(4);
  const [current] = await keysOf(weir);
  for (const value of sealedValues(weir)) expect(sealedUnder(value)).toBe(current?.key_id);
  const plain = Buffer.from(alice.key, 'base64');
  for (const file of ['weir.db', 'weir.db-wal']) {
    const bytes = await readFile(path.join(weir.dataPath, file)).catch(() => Buffer.alloc(0));
    for (const form of [plain, Buffer.from(alice.key), Buffer.from(plain.toString('hex'))]) expect(bytes.includes(form)).toBe(false);
  }
});

test('a master key that still opens something is not removed, nor the default one', async () => {
  await using weir = await startWeir();
  const [first] = await keysOf(weir);
  await runCommand(weir, ['admin', 'security', 'generate-key', 'other']);
  expect(await runCommand(weir, ['admin', 'security', 'remove-key', first?.key_id ?? ''])).toMatchObject({ code: 1, stdout: '' });
  expect((await runCommand(weir, ['admin', 'security', 'generate-key', 'other'])).code).toBe(1);
  expect(await runCommand(weir, ['admin', 'security', 'generate-key', '../x'])).toMatchObject({ code: 2, stderr: expect.stringContaining('A master key is named with') as string });
  expect((await runCommand(weir, ['admin', 'security', 'remove-key', 'other'])).code).toBe(0);
  expect(await keysOf(weir)).toHaveLength(1);
  expect(JSON.stringify(await keysOf(weir))).not.toMatch(/[A-Za-z0-9+/]{43}=/);
});
