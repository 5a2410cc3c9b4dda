import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Config } from '../src/config/schema.ts';
import { followCertificate } from '../src/tls-reload.ts';
import { openTls, type ServerTls } from '../src/tls.ts';

let folder = '';
beforeAll(async () => { folder = await mkdtemp(path.join(tmpdir(), 'weir-tls-')); });
afterAll(() => rm(folder, { recursive: true, force: true }));

type Pair = Readonly<{ cert: string; private: string }>;
const pair = (lifeMs = 86_400_000): Promise<Pair> =>
  generate([{ name: 'commonName', value: 'Weir' }], { keyType: 'ec', curve: 'P-256', algorithm: 'sha256', notBeforeDate: new Date(Date.now() - 86_400_000), notAfterDate: new Date(Date.now() + lifeMs) });

async function place(name: string, made: Pair): Promise<{ cert: string; key: string }> {
  const files = { cert: path.join(folder, `${name}.pem`), key: path.join(folder, `${name}.key`) };
  for (const [file, text] of [[files.key, made.private], [files.cert, made.cert]] as const) {
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
  return files;
}

const open = async (files: { cert: string; key: string }): Promise<ServerTls> => {
  const tls = await openTls(Config.parse({ server: { tls: true, cert_path: files.cert, key_path: files.key } }), folder, 'weir-test');
  if (tls === undefined) throw new Error('no TLS');
  return tls;
};

async function listening(tls: ServerTls): Promise<AsyncDisposable & { port: number }> {
  const server = tls.createServer({}, (_request, response) => { response.end('ok'); });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: (server.address() as AddressInfo).port, async [Symbol.asyncDispose]() { server.closeAllConnections(); server.close(); await once(server, 'close'); } };
}

async function connected(port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}
async function fingerprintAt(port: number): Promise<string> {
  const socket = await connected(port);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256.replaceAll(':', '').toLowerCase();
}

test('new files are taken up by themselves, for new connections, while open ones go on', async () => {
  const tls = await open(await place('own', await pair()));
  await using server = await listening(tls);
  using _following = followCertificate(tls, pino({ level: 'silent' }), 20);
  const before = tls.fingerprint;
  expect(await fingerprintAt(server.port)).toBe(before);
  const early = await connected(server.port);
  let told = 0;
  tls.onChange(() => { told += 1; });
  await place('own', await pair());
  await expect.poll(() => fingerprintAt(server.port), { timeout: 5_000 }).not.toBe(before);
  expect(await fingerprintAt(server.port)).toBe(tls.fingerprint);
  expect(told).toBe(1);
  early.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  const [answer] = await once(early, 'data') as [Buffer];
  expect(answer.toString()).toContain('200 OK');
  early.destroy();
});

test('a pair that does not fit, ended, is damaged or open to others keeps the old one and says why', async () => {
  const good = await pair();
  const files = await place('kept', good);
  const tls = await open(files);
  await using server = await listening(tls);
  const kept = tls.fingerprint;
  const attempt = async (files_: Partial<Record<'cert' | 'key', string>>, mode = 0o600): Promise<string> => {
    for (const [part, text] of Object.entries(files_)) await writeFile(files[part as 'cert' | 'key'], text, { mode });
    const problem = await tls.reload().then(() => 'taken', (error: unknown) => (error instanceof Error ? error.message : ''));
    expect(await fingerprintAt(server.port)).toBe(kept);
    await place('kept', good);
    return problem;
  };
  const other = await pair();
  const ended = await pair(-1_000);
  expect(await attempt({ cert: other.cert })).toMatch(/is not the private key of the certificate/);
  expect(await attempt({ key: other.private })).toMatch(/is not the private key/);
  expect(await attempt({ cert: ended.cert, key: ended.private })).toMatch(/ended on/);
  expect(await attempt({ cert: good.cert.slice(0, 200) })).toMatch(/is not a PEM certificate/);
  expect(await attempt({ cert: '' })).toMatch(/is not a PEM certificate/);
  expect(await attempt({ key: good.private.slice(0, 100) })).toMatch(/is not the private key/);
  await rm(files.cert);
  expect(await attempt({})).toMatch(/can not be read/);
  expect(await tls.reload()).toBe(false);
  const fresh = await place('kept', other);
  expect([await tls.reload(), await fingerprintAt(server.port) === kept, fresh]).toEqual([true, false, files]);
});

test('a certificate with another’s key stops the start', async () => {
  const files = await place('mixed', await pair());
  await writeFile(files.key, (await pair()).private);
  await expect(open(files)).rejects.toMatchObject({ code: 'config.invalid', message: expect.stringContaining('is not the private key') });
});
