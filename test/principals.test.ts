/** Principals and their keys: made, changed and taken over, over HTTP and by the command; what would lock them out or open too much is refused when it is said. */
import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { chmod, chown, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newDffmpegKey, parseDffmpegKey } from '../packages/security/src/request-signing/dffmpeg.ts';
import { runCommand, type Ran } from './support/command.ts';
import { makeProofsStale } from './support/stale-proofs.ts';
import { dffmpegSigned, startWeir, testUser, type Client, type TestWeir } from './support/weir.ts';

let weir: TestWeir;
let admin: Client;
beforeAll(async () => {
  weir = await startWeir({ environment: { WEIR_LOG__LEVEL: 'debug' } });
  admin = await weir.admin();
});
afterAll(async () => { await weir[Symbol.asyncDispose](); });

type Principal = { principal: string; kind: string; role: string; networks: string[]; max_skew_seconds: number | null };
let count = 0;
const newName = (): string => `who-${count += 1}`;
const user = (...args: string[]): Promise<Ran> => runCommand(weir, ['admin', 'user', ...args]);
const show = (name: string): Promise<Principal> => admin.json('GET', `/api/v1/principals/${name}`);
const signed = (name: string, key: string, secondsOff = 0): Promise<Response> =>
  fetch(`${weir.url}/api/v1/status`, { headers: dffmpegSigned(name, key, 'GET', '/api/v1/status', '', Math.floor(Date.now() / 1_000) + secondsOff) });

/** A file in the home of the server's user, mode 0600. */
async function privateFile(name: string, text: string): Promise<string> {
  const file = path.join(weir.home, name);
  await writeFile(file, text, { mode: 0o600 });
  await ownedByServer(file);
  return file;
}
async function ownedByServer(file: string): Promise<void> {
  await chmod(file, 0o600);
  if (process.getuid?.() === 0) await chown(file, testUser, testUser);
}

test('a new key is on a line of its own, and with --quiet nothing else is on standard output', async () => {
  const name = newName();
  const added = await user('add', name, '--role', 'client', '--quiet');
  expect(added.stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
  expect((await signed(name, added.stdout.trim())).status).toBe(200);
  const rotated = await user('rotate-key', name);
  expect(rotated.stdout).toMatch(/\nkey {8}[A-Za-z0-9+/]{43}=\n$/);
});

test('every generated key decodes in the standard alphabet to 32 bytes (dffmpeg §2 #8)', async () => {
  for (let index = 0; index < 20_000; index += 1) expect(parseDffmpegKey(newDffmpegKey()).symmetricKeySize).toBe(32);
  for (let index = 0; index < 3; index += 1) {
    const name = newName();
    const { key } = await admin.json<{ key: string }>('POST', '/api/v1/principals', { principal: name, role: 'admin' });
    expect((await signed(name, key)).status).toBe(200);
  }
});

test('a network that is none is refused when it is said, by HTTP and by the command, and nobody is locked out (dffmpeg §2 #9)', async () => {
  const name = newName();
  const { key } = await admin.json<{ key: string }>('POST', '/api/v1/principals', { principal: name, role: 'client' });
  for (const bad of ['not-a-cidr', '300.1.1.1', '10.0.0.0/33', '10.0.0.0/-1', '::/129', '10.0.0.0/8x', '', 'fe80::1%eth0', '0x7f000001', '10.1/16']) {
    expect((await admin.send('PATCH', `/api/v1/principals/${name}`, { networks: [bad] })).status, bad).toBe(400);
    expect((await admin.send('POST', '/api/v1/principals', { principal: newName(), role: 'client', networks: [bad] })).status, bad).toBe(400);
  }
  const refused = await user('set-scope', name, '--allowed-cidrs', 'not-a-cidr');
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('is not a network');
  expect((await show(name)).networks).toEqual([]);
  expect((await signed(name, key)).status).toBe(200);
  expect((await user('list')).code).toBe(0);
});

test('nobody gets a name that the audit log means somebody else by, or a permission that there is not, by HTTP or by the command', async () => {
  for (const taken of ['anonymous', 'operator', 'weir', 'many']) {
    expect((await admin.send('POST', '/api/v1/principals', { principal: taken, role: 'user' })).status, taken).toBe(400);
    expect(await user('add', taken, '--role', 'user'), taken).toMatchObject({ code: 2, stderr: expect.stringContaining('Take another name') as string });
  }
  const name = newName();
  const strange = await admin.send('POST', '/api/v1/principals', { principal: name, role: 'user', permissions: ['fly'] });
  expect({ status: strange.status, text: await strange.text() }).toEqual({ status: 400, text: expect.stringContaining('There is no permission') as string });
  expect(await user('add', name, '--role', 'user', '--permission', 'fly')).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no permission "fly"') as string });
  expect((await user('add', name, '--role', 'user')).code).toBe(0);
  expect((await admin.send('PATCH', `/api/v1/principals/${name}`, { permissions: ['fly'] })).status).toBe(400);
  expect((await admin.send('POST', '/api/v1/tokens', { principal: name, permissions: ['fly'] })).status).toBe(400);
  expect(await runCommand(weir, ['token', 'issue', '--principal', name, '--permission', 'fly'])).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no permission "fly"') as string });
});

test('the key before a new one goes on for a week at most, by HTTP and by the command', async () => {
  const name = newName();
  expect((await user('add', name, '--role', 'user')).code).toBe(0);
  expect((await admin.send('POST', `/api/v1/principals/${name}/key`, { overlap_seconds: 604_801 })).status).toBe(400);
  expect(await user('rotate-key', name, '--overlap', '8d')).toMatchObject({ code: 2, stderr: expect.stringContaining('7d') as string });
  expect((await user('rotate-key', name, '--overlap', '7d')).code).toBe(0);
});

test('a key that the other side has is taken over, from a private file or standard input, and not shown again', async () => {
  const [one, two, three] = [newDffmpegKey(), newDffmpegKey(), newDffmpegKey()];
  const [first, second, third] = [newName(), newName(), newName()];
  const added = await user('add', first, '--role', 'worker', '--key-file', await privateFile('one.key', `${one}\n`));
  expect(added).toMatchObject({ code: 0 });
  expect(added.stdout + added.stderr).not.toContain(one);
  const piped = await runCommand(weir, ['admin', 'user', 'add', second, '--role', 'client', '--key-file', '-', '--quiet'], { input: `${two}\n` });
  expect(piped).toMatchObject({ code: 0, stdout: '' });
  expect(await admin.json('POST', '/api/v1/principals', { principal: third, role: 'client', key: three })).toEqual({ principal: third, role: 'client', key: null });
  expect((await signed(second, two)).status).toBe(200);
  expect((await signed(third, three)).status).toBe(200);
  expect(await admin.json('POST', `/api/v1/principals/${third}/key`, { key: one, overlap_seconds: 60 })).toMatchObject({ key: null });
  expect((await signed(third, one)).status).toBe(200);
  expect((await signed(third, three)).status).toBe(200);
  for (const bad of ['short', one.replace('=', ''), `${one}\n${two}`, one.replaceAll(/[A-Za-z]/g, '-')]) {
    const failed = await user('add', newName(), '--role', 'client', '--key-file', await privateFile('bad.key', bad));
    expect(failed.code, bad).toBe(2);
    expect(failed.stderr).not.toContain(bad.slice(0, 20));
  }
  const open = await privateFile('open.key', two);
  await chmod(open, 0o644);
  expect((await user('rotate-key', first, '--key-file', open)).stderr).toContain('chmod 600');
});

test('a service account signs and has tokens, and nobody signs in as it', async () => {
  const name = newName();
  expect((await user('add', name, '--role', 'user', '--kind', 'service', '--quiet')).code).toBe(0);
  expect(await show(name)).toMatchObject({ kind: 'service', role: 'user' });
  expect((await admin.send('POST', `/api/v1/principals/${name}/sign-in-link`)).status).toBe(409);
  expect((await user('link', name)).code).toBe(1);
  await admin.json('PATCH', `/api/v1/principals/${name}`, { role: 'viewer' });
  expect(await show(name)).toMatchObject({ kind: 'service', role: 'viewer' });
  const other = newName();
  await admin.json('POST', '/api/v1/principals', { principal: other, role: 'user', kind: 'service' });
  expect(await show(other)).toMatchObject({ kind: 'service' });
  expect((await admin.send('POST', '/api/v1/principals', { principal: newName(), role: 'user', kind: 'anonymous' })).status).toBe(400);
});

test('a wider window for signatures needs TLS or networks, holds for that principal alone, and doctor shows it', async () => {
  const [name, other] = [newName(), newName()];
  const { key } = await admin.json<{ key: string }>('POST', '/api/v1/principals', { principal: name, role: 'client' });
  const { key: otherKey } = await admin.json<{ key: string }>('POST', '/api/v1/principals', { principal: other, role: 'client' });
  expect((await signed(name, key, -60)).status).toBe(401);
  expect((await user('set-skew', name, '120')).code).toBe(2);
  expect((await admin.send('PATCH', `/api/v1/principals/${name}`, { max_skew_seconds: 120 })).status).toBe(400);
  expect((await admin.send('PATCH', `/api/v1/principals/${name}`, { max_skew_seconds: 120, networks: ['0.0.0.0/0', '127.0.0.0/8'] })).status).toBe(400);
  for (const bad of [0, 301, 1.5, '60']) expect((await admin.send('PATCH', `/api/v1/principals/${name}`, { max_skew_seconds: bad, networks: ['127.0.0.0/8'] })).status).toBe(400);
  expect((await user('set-skew', name, '20')).code).toBe(0);
  await admin.json('PATCH', `/api/v1/principals/${name}`, { max_skew_seconds: 120, networks: ['127.0.0.0/8'] });
  expect((await signed(name, key, -60)).status).toBe(200);
  expect((await signed(name, key, 60)).status).toBe(200);
  expect((await signed(name, key, -125)).status).toBe(401);
  expect((await signed(other, otherKey, -60)).status).toBe(401);
  expect((await user('set-scope', name)).code).toBe(2);
  expect(await show(name)).toMatchObject({ max_skew_seconds: 120, networks: ['127.0.0.0/8'] });
  expect((await runCommand(weir, ['doctor'])).stdout).toContain(`${name} (120 s)`);
  expect((await user('set-skew', name, '30')).code).toBe(0);
  expect((await user('set-scope', name)).code).toBe(0);
  expect((await show(name)).max_skew_seconds).toBe(null);
});

test('the command ends all tokens and sessions of a principal', async () => {
  const client = await weir.principal(newName(), 'user');
  expect((await client.fetch('/api/v1/status')).status).toBe(200);
  expect((await user('end-everything', client.name)).code).toBe(0);
  const startedAt = performance.now();
  while ((await client.fetch('/api/v1/status')).status !== 401) if (performance.now() - startedAt > 1_000) throw new Error('its token still works');
  expect((await user('end-everything', 'nobody-there')).code).toBe(4);
});

test('an unknown name, a wrong network, a disabled principal and a wrong signature get the same answer (dffmpeg §2 #11)', async () => {
  const [good, elsewhere, disabled] = [newName(), newName(), newName()];
  const keys = new Map<string, string>();
  for (const [name, networks] of [[good, []], [elsewhere, ['192.0.2.0/24']], [disabled, []]] as const) {
    keys.set(name, (await admin.json<{ key: string }>('POST', '/api/v1/principals', { principal: name, role: 'client', networks })).key);
  }
  await admin.json('PATCH', `/api/v1/principals/${disabled}`, { disabled: true });
  const answers = await Promise.all([
    signed('nobody-at-all', newDffmpegKey()), signed(elsewhere, keys.get(elsewhere) ?? ''), signed(disabled, keys.get(disabled) ?? ''), signed(good, newDffmpegKey()), signed(good, newDffmpegKey(), -31),
  ]);
  const told = await Promise.all(answers.map(async (answer) => {
    const { error: { request_id: _its, ...error } } = await answer.json() as { error: Record<string, unknown> };
    return JSON.stringify([answer.status, error, [...answer.headers.keys()].sort()]);
  }));
  expect(new Set(told).size).toBe(1);
  expect(told[0]).toMatch(/^\[401,/);
  // Whoever has the key may hear that its clock is off.
  expect(await (await signed(good, keys.get(good) ?? '', -31)).json()).toMatchObject({ error: { code: 'identity.clock' } });
});

test('no key, signature or token reaches the log, at the chattiest level either (dffmpeg §2 #6)', async () => {
  const name = newName();
  const key = newDffmpegKey();
  await admin.json('POST', '/api/v1/principals', { principal: name, role: 'client', key });
  const headers = dffmpegSigned(name, key, 'GET', '/api/v1/status');
  await fetch(`${weir.url}/api/v1/status`, { headers });
  const signature = headers['x-dffmpeg-signature'] ?? '';
  await fetch(`${weir.url}/api/v1/status`, { headers: { ...headers, 'x-dffmpeg-signature': `${signature}x` } });
  const { token } = await admin.json<{ token: string }>('POST', '/api/v1/tokens', { principal: name, expires_in: 60 });
  await fetch(`${weir.url}/api/v1/status?token=${token}`, { headers: { authorization: `Bearer ${token}` } });
  expect(weir.log.length).toBeGreaterThan(0);
  for (const secret of [key, Buffer.from(key, 'base64').toString('hex'), signature, token, token.split('.')[2] ?? '']) expect(weir.log).not.toContain(secret);
});

const fernetKey = randomBytes(32);
/** As a DFFmpeg coordinator stores a key. */
function fernet(text: string): string {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-128-cbc', fernetKey.subarray(16), iv);
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(1_700_000_000n);
  const body = Buffer.concat([Buffer.of(0x80), time, iv, cipher.update(text), cipher.final()]);
  const bytes = Buffer.concat([body, createHmac('sha256', fernetKey.subarray(0, 16)).update(body).digest()]);
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

test('the accounts of a DFFmpeg database are taken over with their keys, and what can not be is named with the reason', async () => {
  const file = path.join(weir.home, 'dffmpeg.sqlite');
  const [plain, sealed] = [newDffmpegKey(), newDffmpegKey()];
  {
    using database = new DatabaseSync(file);
    database.exec('create table auth (client_id text primary key, role text, hmac_key text, key_id text, allowed_cidrs text, created_at text)');
    const add = database.prepare('insert into auth values (?, ?, ?, ?, ?, ?)');
    const everywhere = '["0.0.0.0/0", "::/0"]';
    for (const row of [
      ['old-client', 'client', plain, null, everywhere], ['old-worker', 'worker', fernet(sealed), 'k1', '["127.0.0.0/8"]'], ['localadmin', 'admin', 'x'.repeat(44), null, everywhere],
      ['Old Client', 'client', plain, null, everywhere], ['other-key', 'client', fernet(sealed), 'k2', everywhere], ['odd-role', 'emperor', plain, null, everywhere],
      ['bad-scope', 'client', plain, null, '["not-a-cidr"]'], ['bad-key', 'client', 'nonsense', null, everywhere], ['tampered', 'client', `${fernet(sealed).slice(0, -6)}AAAA==`, 'k1', everywhere], ['admin', 'admin', plain, null, everywhere],
    ] as const) add.run(...row, '2025-01-01');
  }
  await ownedByServer(file);
  const keys = await privateFile('keys.yaml', `encryption_keys:\n  k1: "fernet:${fernetKey.toString('base64')}"\n`);
  const ran = await runCommand(weir, ['admin', 'security', 'import-dffmpeg', file, '--keys', keys]);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toBe('2 imported: old-client (client), old-worker (worker)\n');
  for (const name of ['Old Client', 'other-key', 'odd-role', 'bad-scope', 'bad-key', 'tampered', 'admin']) expect(ran.stderr).toContain(`not imported: "${name}": `);
  expect(ran.stderr).not.toContain('localadmin');
  for (const secret of [plain, sealed, fernetKey.toString('base64')]) expect(ran.stdout + ran.stderr).not.toContain(secret);
  expect((await signed('old-client', plain)).status).toBe(200);
  expect(await show('old-client')).toMatchObject({ kind: 'client', role: 'client', networks: [] });
  expect(await show('old-worker')).toMatchObject({ kind: 'worker', role: 'worker', networks: ['127.0.0.0/8'] });
  expect((await user('show', 'old-worker', '--show-key')).stdout).toContain(sealed);
  const again = await runCommand(weir, ['admin', 'security', 'import-dffmpeg', file, '--keys', keys, '--json']);
  expect(JSON.parse(again.stdout)).toMatchObject({ imported: [] });
  expect((await runCommand(weir, ['admin', 'security', 'import-dffmpeg', keys])).code).toBe(2);
});

test('the command shows a key through a server elsewhere by a signed request, and says there why a token does not do', async () => {
  const boss = await weir.principal(newName(), 'admin');
  const name = newName();
  const { key } = await admin.json<{ key: string }>('POST', '/api/v1/principals', { principal: name, role: 'client' });
  const elsewhere = { WEIR_DATA: path.join(weir.home, 'no-data-here'), WEIR_SERVER: weir.url };
  const ask = (args: readonly string[], environment = {}) => runCommand(weir, ['admin', 'user', 'show', name, '--json', ...args], { environment: { ...elsewhere, ...environment } });
  const keyFile = await privateFile('boss.key', boss.key);
  expect(JSON.parse((await ask(['--show-key', '--key-file', keyFile, '--as', boss.name])).stdout)).toMatchObject({ principal: name, role: 'client', key });
  const token = boss.evidence()['authorization']?.slice('Bearer '.length) ?? '';
  const plain = await ask([], { WEIR_TOKEN: token });
  expect(JSON.parse(plain.stdout)).toMatchObject({ principal: name });
  expect(plain.stdout).not.toContain(key);
  const refused = await ask(['--show-key'], { WEIR_TOKEN: token });
  expect(refused).toMatchObject({ code: 3, stdout: '' });
  expect(refused.stderr).toContain('signs the request');
});

test('a given key that is no 32 bytes of canonical base64 is refused as what was sent, not as a failure', async () => {
  const admin = await weir.admin();
  const name = newName();
  await admin.json('POST', '/api/v1/principals', { principal: name, role: 'user' });
  const good = randomBytes(32).toString('base64');
  for (const key of [`${good.slice(0, 42)}${String.fromCharCode(good.charCodeAt(42) + 1)}=`, good.slice(0, 43), `${good}=`, good.replace(/^./, '-'), `${good}\n`, '']) {
    expect((await admin.send('POST', `/api/v1/principals/${name}/key`, { key })).status, key).toBe(400);
    expect((await admin.send('POST', '/api/v1/principals', { principal: newName(), role: 'user', key })).status, key).toBe(400);
  }
  expect((await admin.send('POST', `/api/v1/principals/${name}/key`, { key: good })).status).toBe(201);
});

test('a key is shown to who manages users and proved it afresh, and the log names key and viewer; a token, an old session and other roles see nothing', async () => {
  const name = newName();
  const { key } = await admin.json<{ key: string }>('POST', '/api/v1/principals', { principal: name, role: 'client' });
  const target = `/api/v1/principals/${name}/key/show`;
  const codeOf = async (reply: Response): Promise<string> => `${reply.status} ${((await reply.json()) as { error: { code: string } }).error.code}`;
  const shown = await admin.json<{ key: string; key_id: string }>('POST', target);
  expect(shown).toEqual({ principal: name, key, key_id: expect.stringMatching(/^[0-9A-Z]{26}$/) });
  expect((await admin.json<{ items: unknown[] }>('GET', `/api/v1/audit?action=key.show&object=principal:${name}`)).items)
    .toMatchObject([{ class: 'A', principal: 'admin', decision: 'allowed', reason: `key ${shown.key_id} shown` }]);

  const boss = await weir.principal(newName(), 'admin');
  expect(await codeOf(await boss.send('POST', target))).toBe('403 step_up.required');
  expect(await (await fetch(`${weir.url}${target}`, { method: 'POST', headers: dffmpegSigned(boss.name, boss.key, 'POST', target) })).json()).toMatchObject({ key });
  for (const role of ['user', 'operator', 'viewer']) {
    const other = await weir.principal(newName(), role);
    expect((await fetch(`${weir.url}${target}`, { method: 'POST', headers: dffmpegSigned(other.name, other.key, 'POST', target) })).status, role).toBe(403);
  }
  expect((await weir.anonymous.send('POST', target)).status).toBe(401);
  expect(await codeOf(await admin.send('POST', '/api/v1/principals/nobody-at-all/key/show'))).toBe('404 principal.absent');

  const again = await admin.json<{ key: string }>('POST', `/api/v1/principals/${name}/key`, { overlap_seconds: 60 });
  expect(await admin.json('POST', target)).toMatchObject({ key: again.key });
  const database = new DatabaseSync(path.join(weir.dataPath, 'weir.db'), { timeout: 5_000 });
  database.prepare(`update principal_key set algorithm = 'ed25519', secret = null, public_key = ? where principal = ?`).run('A'.repeat(43), name);
  expect(await codeOf(await admin.send('POST', target))).toBe('409 key.not_held');
  database.close();
  await makeProofsStale(weir.dataPath, 'admin');
  expect(await codeOf(await admin.send('POST', target))).toBe('403 step_up.required');
});
