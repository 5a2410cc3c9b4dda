/** A worker pins the certificate that it met when it joined. It follows the server to a renewed one, and nobody else to any. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, rename, writeFile } from 'node:fs/promises';
import type http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assignmentKeyOfInstance } from '../packages/fleet/src/assignment.ts';
import { joinWorker } from '../packages/fleet/src/worker/join.ts';
import { runWorker } from '../packages/fleet/src/worker/main.ts';
import { pin, readProfile, type WorkerProfile } from '../packages/fleet/src/worker/profile.ts';
import { renewedCertificate } from '../packages/fleet/src/worker/renewed-certificate.ts';
import { runCommand } from './support/command.ts';
import { freePort } from './support/raw-http.ts';
import { privateFolder, startWeir, testUser, type TestWeir } from './support/weir.ts';

type Certificate = Readonly<{ cert: string; private: string }>;
const certificate = (): Promise<Certificate> => generate([{ name: 'commonName', value: 'Weir' }], {
  keyType: 'ec', curve: 'P-256', algorithm: 'sha256', notAfterDate: new Date(Date.now() + 86_400_000), extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
});

let weir: TestWeir;
let folder = '';
let port = 0;
beforeAll(async () => {
  [folder, port] = [await privateFolder('weir-renewed-'), await freePort()];
  await placeCertificate();
  weir = await startWeir({ environment: { WEIR_SERVER__TLS: 'true', WEIR_SERVER__CERT_PATH: path.join(folder, 'cert'), WEIR_SERVER__KEY_PATH: path.join(folder, 'key'), WEIR_SERVER__PORT: String(port) } });
});
afterAll(() => weir[Symbol.asyncDispose]());

async function placeCertificate(): Promise<void> {
  const made = await certificate();
  for (const [name, text] of [['key', made.private], ['cert', made.cert]] as const) {
    const file = path.join(folder, name);
    await writeFile(`${file}.new`, text);
    await chmod(`${file}.new`, 0o600);
    if (process.getuid?.() === 0) await chown(`${file}.new`, testUser, testUser);
    await rename(`${file}.new`, file);
  }
}

async function renew(): Promise<void> {
  await weir.kill('SIGTERM');
  await placeCertificate();
  await weir.start();
}

type Running = AsyncDisposable & Readonly<{ home: string; profile: () => Promise<WorkerProfile>; said: string[] }>;

/** Joins here; works with the server at `at`. */
async function startWorker(name: string): Promise<Running & { work: (at?: number) => void }> {
  const home = await privateFolder('weir-renewed-home-');
  const invited = await runCommand(weir, ['admin', 'worker', 'invite', '--quiet'], { environment: { WEIR_CA: path.join(folder, 'cert') } });
  expect(invited.code, invited.stderr).toBe(0);
  const file = await joinWorker(invited.stdout.trim(), name, home);
  const stop = new AbortController();
  const said: string[] = [];
  let running: Promise<void> = Promise.resolve();
  return {
    home, said, profile: () => readProfile(file),
    work: (at = port) => {
      running = readProfile(file).then(({ address, credentials }) => runWorker({
        ...address, server: new URL(`https://127.0.0.1:${at}`), name, credentials, slots: 1, scratch: path.join(home, 'scratch'), capabilities: { ffmpeg: 'none', encoders: [], jail: 'none' },
        run: () => Promise.reject(new Error('not asked for')), onEvent: (line) => { said.push(line); }, onCertificate: (fingerprint) => pin(home, name, { fingerprint }),
      }, { drain: new AbortController().signal, stop: stop.signal }));
      running.catch((error: unknown) => said.push(String(error)));
    },
    [Symbol.asyncDispose]: async () => { stop.abort(); await running.catch(() => undefined); },
  };
}

test('a worker follows the server to its renewed certificate, over any number of renewals, and writes down which it trusts', async () => {
  await using worker = await startWorker('attic');
  worker.work();
  const connected = (times: number) => expect.poll(() => worker.said.filter((line) => line.startsWith('Connected')).length, { timeout: 30_000, message: worker.said.join('\n') }).toBe(times);
  await connected(1);
  for (const times of [2, 3]) {
    const before = weir.ready.fingerprint;
    await renew();
    expect(weir.ready.fingerprint).not.toBe(before);
    await connected(times);
    expect((await worker.profile()).address.fingerprint).toBe(weir.ready.fingerprint);
  }
  expect(worker.said.filter((line) => line.includes('new certificate'))).toHaveLength(2);
});

/** Sits between with a certificate of its own, hands everything on, and notes what it saw. */
async function startBetween(answer?: (nonce: string) => string): Promise<AsyncDisposable & Readonly<{ port: number; seen: string[] }>> {
  const { cert, private: key } = await certificate();
  const seen: string[] = [];
  const note = (request: http.IncomingMessage): void => { seen.push(`${request.method} ${request.url?.split('?')[0]}${'authorization' in request.headers || 'signature' in request.headers ? ' with evidence' : ''}`); };
  const server = https.createServer({ cert, key }, (request, response) => {
    note(request);
    if (answer !== undefined) { response.end(answer(new URL(request.url ?? '', 'https://x').searchParams.get('nonce') ?? '')); return; }
    https.get({ host: '127.0.0.1', port, path: request.url, rejectUnauthorized: false, agent: false }, (reply) => { response.writeHead(reply.statusCode ?? 502); reply.pipe(response); }).on('error', () => response.destroy());
  });
  server.on('upgrade', (request, socket) => { note(request); socket.destroy(); });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: (server.address() as AddressInfo).port, seen, async [Symbol.asyncDispose]() { server.closeAllConnections(); server.close(); await once(server, 'close'); } };
}

test('who sits between, and hands the server’s words on, is not followed and sees no evidence', async () => {
  await using worker = await startWorker('cellar');
  const pinned = (await worker.profile()).address.fingerprint;
  await using between = await startBetween();
  worker.work(between.port);
  await expect.poll(() => worker.said.join('\n'), { timeout: 10_000 }).toContain('does not vouch for it');
  expect(new Set(between.seen)).toEqual(new Set(['GET /.well-known/weir-certificate']));
  expect((await worker.profile()).address.fingerprint).toBe(pinned);
});

test('a word for another question, another instance or by another key is none', async () => {
  await using worker = await startWorker('loft');
  const { credentials: { instance, instanceKey } } = await worker.profile();
  const key = assignmentKeyOfInstance(instanceKey);
  const real = new URL(weir.url);
  expect(await renewedCertificate(real, key, instance)).toBe(weir.ready.fingerprint);
  expect(await renewedCertificate(real, key, 'weir-other')).toBeUndefined();
  const other = assignmentKeyOfInstance({ ...instanceKey, x: randomBytes(32).toString('base64url') });
  expect(await renewedCertificate(real, other, instance)).toBeUndefined();
  const earlier = await new Promise<string>((resolve, reject) => {
    https.get(new URL(`/.well-known/weir-certificate?nonce=${'A'.repeat(22)}`, real), { rejectUnauthorized: false, agent: false }, (reply) => { reply.setEncoding('utf8').once('data', resolve); }).once('error', reject);
  });
  for (const text of [earlier, '', '{}', '{"words":[]}', '{"words":["a.b.c"]}', '['.repeat(10_000), 'x'.repeat(100_000)]) {
    await using between = await startBetween(() => text);
    expect(await renewedCertificate(new URL(`https://127.0.0.1:${between.port}`), key, instance), text.slice(0, 40)).toBeUndefined();
  }
  expect(await renewedCertificate(new URL(`https://127.0.0.1:${await freePort()}`), key, instance)).toBeUndefined();
});
