/** Workers for tests: the product's own, in this process or as a child, with media work that is as small as the test allows. */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import { noProgress } from '@weir/contracts/jobs';
import type { MediaRunner } from '../../src/worker/attempt.ts';
import { collectOutputs } from '../../src/worker/collect.ts';
import type { WorkerCredentials } from '../../src/worker/credentials.ts';
import { runWorker, type WorkerOptions } from '../../src/worker/main.ts';
import type { Fleet } from './fleet.ts';

/** Writes the input, reversed, to each output. */
export const reversing: MediaRunner = async ({ inputs, outputs, outputDirectory, onLog, onProgress }) => {
  const bytes = await inputs[0]?.readFile() ?? Buffer.alloc(0);
  onLog({ stream: 'stderr', text: `read ${bytes.length} bytes` });
  onProgress({ ...noProgress, percent: 50, out_time_us: 1 }, 1);
  for (const name of outputs) await writeFile(join(outputDirectory, name), Buffer.from(bytes).reverse());
  return await collectOutputs(outputDirectory, outputs);
};

/** Begins, and ends only when it is told to by `finish` or its signal. */
export function holding(): { run: MediaRunner; begun: Promise<void>; finish: () => void; aborted: () => boolean } {
  const begun = Promise.withResolvers<void>();
  const finished = Promise.withResolvers<void>();
  let aborted = false;
  return {
    begun: begun.promise, finish: () => finished.resolve(), aborted: () => aborted,
    run: async (job, signal) => {
      begun.resolve();
      signal.addEventListener('abort', () => { aborted = true; finished.reject(new Error('aborted')); }, { once: true });
      if (signal.aborted) finished.reject(new Error('aborted'));
      await finished.promise;
      return await reversing(job, signal);
    },
  };
}

export type TestWorker = AsyncDisposable & Readonly<{ done: Promise<void>; drain: () => void; stop: () => void; events: string[]; scratch: string }>;

export function startWorker(fleet: Fleet, name: string, run: MediaRunner, options: Partial<WorkerOptions> & { credentials?: WorkerCredentials } = {}): TestWorker {
  const [drain, stop] = [new AbortController(), new AbortController()];
  const events: string[] = [];
  const scratch = fleet.folder.join(`scratch-${name}`);
  const done = runWorker({
    server: fleet.url, name, credentials: options.credentials ?? fleet.worker(name), slots: 1, scratch, run,
    capabilities: { ffmpeg: 'none', encoders: [], jail: 'none' }, onEvent: (line) => events.push(line), ...options,
  }, { drain: drain.signal, stop: stop.signal });
  done.catch(() => undefined);
  return {
    done, events, scratch, drain: () => drain.abort(), stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.allSettled([done]);
    },
  };
}

/** The worker of `child.ts`, a process of its own that can be killed. */
export function startChild(fleet: Fleet, name: string, options: { slots?: number; wrap?: readonly string[]; scratch?: string } = {}) {
  const credentials = fleet.worker(name);
  const program = [...options.wrap ?? [], process.execPath, fileURLToPath(new URL('../../src/worker/child.ts', import.meta.url))];
  const child = spawn(program[0] ?? '', program.slice(1), { stdio: ['pipe', 'ignore', 'pipe'], env: { PATH: process.env['PATH'] } });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString(); });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const settings = { server: fleet.url.href, name, key: credentials.key.reveal().toString('base64'), slots: options.slots ?? 1, scratch: options.scratch ?? fleet.folder.join(`scratch-${name}`) };
  child.stdin.write(`${JSON.stringify(settings)}\n`);
  return {
    child, exited, said: () => said, kill: (signal: NodeJS.Signals = 'SIGKILL') => child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

export async function eventually(check: () => Promise<boolean> | boolean, timeoutMs = 10_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > end) throw new Error('it did not happen in time');
    await wait(25);
  }
}
