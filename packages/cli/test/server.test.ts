/** A real server under the command: starting, refusing to start, and moving bytes. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launcher, readyUrl, Sandbox } from './support/weir.ts';

let sandbox: Sandbox;
let url: string;
beforeAll(async () => {
  sandbox = await Sandbox.open();
  ({ url } = await sandbox.serve());
});
afterAll(() => sandbox[Symbol.asyncDispose]());

/** A file that the command's user owns. */
async function file(name: string, bytes: string | Buffer, mode = 0o600): Promise<string> {
  const target = path.join(sandbox.folder, name);
  await writeFile(target, bytes);
  await chmod(target, mode);
  const { uid, gid } = await stat(sandbox.folder);
  await chown(target, uid, gid);
  return target;
}

test('an interrupted download goes on where it was and is the whole file in the end', { timeout: 60_000 }, async () => {
  const bytes = randomBytes(3 << 20);
  await file('long.bin', bytes);
  const cid = (await sandbox.weir(['upload', 'long.bin', '--quiet'])).stdout.trim();
  await file(`back.bin.${cid.slice(-12)}.part`, bytes.subarray(0, 1 << 20));
  const { code, stderr } = await sandbox.weir(['get', cid, '-o', 'back.bin']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'back.bin: 3.0 MiB, 1.0 MiB of it from before\n' });
  expect(sha256(await readFile(path.join(sandbox.folder, 'back.bin')))).toBe(sha256(bytes));
  expect((await readdir(sandbox.folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
  await sandbox.weir(['get', cid, '-o', 'piece.bin', '--range', '10-19']);
  expect(await readFile(path.join(sandbox.folder, 'piece.bin'))).toEqual(bytes.subarray(10, 20));
});

test('bytes go through pipes', { timeout: 60_000 }, async () => {
  const { stdout } = await sandbox.weir(['upload', '-', '--title', 'From a pipe', '--json'], { input: 'piped' });
  const { items: [sent] } = JSON.parse(stdout) as { items: [{ cid: string; size: number }] };
  expect(sent.size).toBe(5);
  expect((await sandbox.weir(['get', sent.cid])).stdout).toBe('piped');
});

test('a token in a file is used where only its owner can read it', { timeout: 60_000 }, async () => {
  const token = (await sandbox.weir(['token', 'issue', '--principal', 'alice', '--quiet'])).stdout;
  const environment = { WEIR_SERVER: url, WEIR_TOKEN_FILE: await file('alice.token', token) };
  expect(JSON.parse((await sandbox.weir(['ls', '--json'], { environment })).stdout)).toEqual({ items: [], next_cursor: null });
  await file('alice.token', token, 0o644);
  const refused = await sandbox.weir(['ls'], { environment });
  expect({ code: refused.code, stderr: refused.stderr }).toEqual({ code: 2, stderr: expect.stringContaining('chmod 600') });
});

test('a key in a file signs every request, where only its owner can read it', { timeout: 60_000 }, async () => {
  const key = (await sandbox.weir(['admin', 'user', 'add', 'signer', '--role', 'user', '--quiet'])).stdout.trim();
  const keyFile = await file('signer.key', `${key}\n`);
  const environment = { WEIR_SERVER: url, WEIR_KEY_FILE: keyFile, WEIR_PRINCIPAL: 'signer' };
  await file('signed.bin', 'signed');
  const cid = (await sandbox.weir(['upload', 'signed.bin', '--quiet'], { environment })).stdout.trim();
  expect((await sandbox.weir(['get', cid, '--server', url, '--key-file', keyFile, '--as', 'signer'])).stdout).toBe('signed');
  expect(await sandbox.weir(['ls'], { environment: { ...environment, WEIR_PRINCIPAL: 'admin' } })).toMatchObject({ code: 3, stderr: expect.stringContaining('Sign in') });
  expect(await sandbox.weir(['ls'], { environment: { ...environment, WEIR_PRINCIPAL: '' } })).toMatchObject({ code: 2, stderr: expect.stringContaining('--as NAME') });
  await file('signer.key', key, 0o640);
  const refused = await sandbox.weir(['ls'], { environment });
  expect({ code: refused.code, stderr: refused.stderr }).toEqual({ code: 2, stderr: expect.stringContaining('chmod 600') });
  expect(refused.stderr).not.toContain(key);
});

test('permissions says who the caller is and what he may do', { timeout: 60_000 }, async () => {
  const token = (await sandbox.weir(['token', 'issue', '--principal', 'vera', '--role', 'viewer', '--quiet'])).stdout.trim();
  const environment = { WEIR_SERVER: url, WEIR_TOKEN: token };
  const viewer = ['list_sessions', 'list_nodes', 'list_samples', 'read_samples', 'use_account', 'read_content', 'view_streams'];
  const { stdout } = await sandbox.weir(['permissions'], { environment });
  expect(stdout).toMatch(new RegExp(`^principal  vera\nrole       viewer\nmay        ${viewer.join(', ')}\nmay not    create_sessions, `));
  expect((await sandbox.weir(['permissions', '--quiet'], { environment })).stdout.trim().split('\n')).toEqual(viewer);
  expect(JSON.parse((await sandbox.weir(['permissions', '--json'], { environment })).stdout)).toMatchObject({ principal: 'vera', role: 'viewer', permissions: { list_nodes: true, create_sessions: false } });
});

test('what the operator makes beside the running server counts at once', { timeout: 60_000 }, async () => {
  const token = (await sandbox.weir(['token', 'issue', '--principal', 'erin', '--quiet'])).stdout.trim();
  const ask = async (): Promise<number> => (await fetch(`${url}/api/v1/library`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await ask()).toBe(200);
  expect((await sandbox.weir(['admin', 'user', 'disable', 'erin'])).code).toBe(0);
  // The server looks for moved rights every quarter of a second.
  await expect.poll(ask, { timeout: 2_000 }).toBe(401);
});

test('no token of the operator goes to a server that is not the one of this machine', { timeout: 60_000 }, async () => {
  const seen: (string | undefined)[] = [];
  const { createServer: createHttpServer } = await import('node:http');
  const stranger = createHttpServer((request, response) => { seen.push(request.headers.authorization); response.end('{}'); }).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const place = stranger.address();
  const { code, stderr } = await sandbox.weir(['ls', '--server', `http://127.0.0.1:${typeof place === 'object' ? place?.port : 0}`]);
  stranger.close();
  expect({ code, stderr, seen }).toEqual({ code: 3, stderr: expect.stringContaining('Set WEIR_TOKEN'), seen: [] });
});

test('where admin was deleted, a command does not make it anew, and says whose token to take', { timeout: 60_000 }, async () => {
  await using other = await Sandbox.open();
  await other.serve();
  expect((await other.weir(['admin', 'user', 'add', 'boss', '--role', 'admin'])).code).toBe(0);
  expect((await other.weir(['admin', 'user', 'delete', 'admin'])).code).toBe(0);
  expect(await other.weir(['permissions'])).toMatchObject({ code: 3, stderr: expect.stringContaining('weir token issue --principal NAME') as string });
  expect((await other.weir(['admin', 'user', 'show', 'admin'])).code).toBe(4);
  expect(await other.weir(['token', 'issue', '--principal', 'nobody', '--existing'])).toMatchObject({ code: 4, stderr: expect.stringContaining('There is no principal "nobody"') as string });
  expect((await other.weir(['admin', 'user', 'show', 'nobody'])).code).toBe(4);
});

test('what is not safe about a configuration is said by its check, and stands in the log of a service', { timeout: 60_000 }, async () => {
  await using other = await Sandbox.open();
  const environment = { WEIR_PERMISSIONS__DEFAULT_ROLE: 'admin' };
  expect(await other.weir(['config', 'check'], { environment })).toMatchObject({ code: 0, stderr: expect.stringContaining('Requests without evidence act as "admin"') as string });
  const settings = path.join(other.folder, 'unsafe.toml');
  await writeFile(settings, `[permissions]\ndefault_role = "admin"\n[streaming_security]\nsecret_key = "${randomBytes(32).toString('base64')}"\n`, { mode: 0o644 });
  expect((await other.weir(['config', 'check', settings])).stderr).toContain('WEIR_STREAMING_SECURITY__SECRET_KEY_FILE');
  const child = other.start(process.execPath, [launcher, 'serve', '--port', '0', '--config', settings]);
  let log = '';
  child.stderr?.on('data', (text: Buffer) => { log += text.toString(); });
  await readyUrl(child);
  await expect.poll(() => log, { timeout: 10_000 }).toContain('Requests without evidence act as');
  expect(log).toContain('"code":"config.secret_key"');
});

test('a port in use is named, with the way out', { timeout: 60_000 }, async () => {
  await using other = await Sandbox.open();
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const place = holder.address();
  const { code, stderr } = await other.weir(['serve', '--port', String(typeof place === 'object' ? place?.port : 0)]);
  holder.close();
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/Port \d+ on 127.0.0.1 is in use. Choose another with --port/) });
});

test('a lost master key and newer data stop the start and change nothing', { timeout: 120_000 }, async () => {
  await using other = await Sandbox.open();
  const { child } = await other.serve();
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(child.exitCode).toBe(0);
  const [key = ''] = await readdir(path.join(other.folder, 'keys'));
  const [there, away] = [path.join(other.folder, 'keys', key), path.join(other.folder, key)];
  await rename(there, away);
  const lost = await other.weir(['serve', '--port', '0']);
  expect({ code: lost.code, stderr: lost.stderr }).toEqual({ code: 1, stderr: expect.stringContaining(there) });
  await rename(away, there);
  using database = new DatabaseSync(path.join(other.folder, 'data/weir.db'));
  database.prepare('insert into kysely_migration (name, timestamp) values (?, ?)').run('9999-later', new Date().toISOString());
  const newer = await other.weir(['serve', '--port', '0']);
  expect({ code: newer.code, stderr: newer.stderr }).toEqual({ code: 1, stderr: expect.stringContaining('newer version of Weir') });
});

test('weir up shows the way in', { timeout: 120_000 }, async () => {
  await using other = await Sandbox.open();
  const child = other.start(process.execPath, [launcher, 'up', '--no-open', '--port', '0']);
  let said = '';
  child.stdout?.on('data', (data: Buffer) => { said += data.toString(); });
  const address = await readyUrl(child);
  await expect.poll(() => said, { timeout: 5_000 }).toContain('let somebody else in');
  expect(said).toContain(`ready ${address}\n`);
  const [, secret] = /\/sign-in#([A-Za-z0-9_-]{43})/.exec(said) ?? [];
  const signIn = async (): Promise<number> => (await fetch(`${address}/auth/login`, {
    method: 'POST', headers: { 'content-type': 'application/json', origin: address }, body: JSON.stringify({ secret }),
  })).status;
  expect([await signIn(), await signIn()]).toEqual([200, 401]);
});

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
