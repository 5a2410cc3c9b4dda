/** The worker that runs beside the server: a process of its own, with a key of its own, without the server's keys. It is started again when it ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeirError } from '@weir/contracts/errors';
import { addHmacKey, addPrincipal } from '@weir/data/security-stores/principals';
import type { App } from './app.ts';
import type { ServerTls } from './tls.ts';

export const builtInWorkerName = 'built-in';
const entry = fileURLToPath(import.meta.resolve('@weir/fleet/worker/child'));
const restartAfterMs = 1_000;
const stopWithinMs = 5_000;

/** Gives it a fresh key at each start, handed over on standard input: no file and no argument holds it. */
export async function startBuiltInWorker(app: App, tls: ServerTls | undefined, jobs: string): Promise<AsyncDisposable> {
  const key = await freshKey(app);
  const scratch = path.join(jobs, builtInWorkerName);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const settings = (): string => JSON.stringify({
    server: loopbackUrl(app), name: builtInWorkerName, key, slots: app.config.fleet.slots, scratch, ...(tls === undefined ? {} : { fingerprint: tls.fingerprint }),
  });
  let child: ChildProcess | undefined;
  let stopped = false;
  let again: NodeJS.Timeout | undefined;
  const start = (): void => {
    const started = spawn(process.execPath, [entry], { stdio: ['pipe', 'ignore', 'pipe'], env: workerEnvironment() });
    child = started;
    started.stdin.on('error', () => undefined);
    started.stdin.write(`${settings()}\n`);
    started.stderr.setEncoding('utf8').on('data', (text: string) => { for (const line of text.split('\n')) if (line !== '') app.log.info({ worker: builtInWorkerName }, line.slice(0, 2_000)); });
    started.once('error', (error) => { app.log.error({ err: error }, 'the built-in worker could not be started'); });
    started.once('exit', (code, signal) => {
      if (stopped) return;
      app.log.error({ code, signal }, 'the built-in worker ended; it is started again');
      again = setTimeout(start, restartAfterMs);
    });
  };
  start();
  // It knows the server by its certificate: with another one it starts again.
  tls?.onChange(() => child?.stdin?.end());
  return {
    async [Symbol.asyncDispose]() {
      stopped = true;
      clearTimeout(again);
      const running = child;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const ended = new Promise((resolve) => { running.once('exit', resolve); });
      // Closing its input tells it to stop at once; jobs go on with another worker or after the next start.
      running.stdin?.destroy();
      const deadline = setTimeout(() => running.kill('SIGKILL'), stopWithinMs);
      await ended;
      clearTimeout(deadline);
    },
  };
}

async function freshKey(app: App): Promise<string> {
  const key = await app.data.write(async (tx) => {
    const known = await tx.selectFrom('principal').select('role').where('id', '=', builtInWorkerName).executeTakeFirst();
    if (known === undefined) await addPrincipal(tx, app.roles, { id: builtInWorkerName, role: 'worker', networks: ['127.0.0.0/8', '::1'] }, app.clock());
    else if (known.role !== 'worker') throw new WeirError('worker.name_taken', `The principal "${builtInWorkerName}" is not a worker; rename it, or set [fleet] built_in_worker = false.`);
    return addHmacKey(tx, app.keyRing, builtInWorkerName, { now: app.clock() });
  });
  await app.gatekeeper.epochs.refresh();
  return key;
}

/** The listener itself, whatever address the public one is. */
function loopbackUrl(app: App): string {
  const url = new URL(app.publicUrl());
  const { address, tls, port } = app.config.server;
  if (app.config.server.public_url === undefined) return url.origin;
  const host = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address.includes(':') ? `[${address}]` : address;
  return `${tls ? 'https' : 'http'}://${host}:${port}`;
}

/** Nothing of the server's environment but what finds programs. */
function workerEnvironment(): NodeJS.ProcessEnv {
  const { PATH, FFMPEG_PATH, LANG } = process.env;
  return { ...(PATH === undefined ? {} : { PATH }), ...(FFMPEG_PATH === undefined ? {} : { FFMPEG_PATH }), ...(LANG === undefined ? {} : { LANG }) };
}
