/**
 * The server's own worker, as a process of its own without the server's keys: reads one line of JSON from standard input, then works.
 * It ends when the input closes or its parent is gone, so no worker outlives a killed server.
 */
import { createInterface } from 'node:readline';
import { WeirError } from '@weir/contracts/errors';
import { Secret } from '@weir/security/secret';
import { ChildSettings } from './child-settings.ts';
import { runWorker } from './main.ts';
import { openMediaRunner } from './media-runner.ts';

const maxLineLength = 16_384;
const parentPollMs = 500;

async function main(): Promise<void> {
  const drain = new AbortController();
  const stop = new AbortController();
  endWithParent(stop);
  onSignals(drain, stop);
  const settings = await readSettings(stop);
  const { run, capabilities } = await openMediaRunner();
  await runWorker({
    server: new URL(settings.server), ...(settings.fingerprint !== undefined && { fingerprint: settings.fingerprint }),
    name: settings.name, credentials: { kind: 'hmac', key: new Secret(Buffer.from(settings.key, 'base64')) }, slots: settings.slots,
    scratch: settings.scratch, capabilities, run, onEvent: (line) => process.stderr.write(`${line}\n`),
  }, { drain: drain.signal, stop: stop.signal });
}

async function readSettings(stop: AbortController): Promise<ChildSettings> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  lines.once('close', () => stop.abort());
  const line = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    lines.once('close', () => reject(new WeirError('config.invalid', 'The worker process got no settings on its standard input.')));
  });
  const settings = line.length <= maxLineLength ? ChildSettings.safeParse(parsed(line)) : undefined;
  // What was wrong is not repeated: the line holds a key.
  if (settings?.success !== true) throw new WeirError('config.invalid', 'The settings of the worker process are not of the expected form.');
  return settings.data;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // refused by the caller
  }
}

function endWithParent(stop: AbortController): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) stop.abort();
  }, parentPollMs).unref();
}

/** The first signal drains, the second gives up. */
function onSignals(drain: AbortController, stop: AbortController): void {
  const handle = (): void => (drain.signal.aborted ? stop : drain).abort();
  process.on('SIGTERM', handle).on('SIGINT', handle);
}

try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof WeirError ? error.message : 'The worker failed.'}\n`);
  process.exit(error instanceof WeirError ? error.exitCode : 1);
}
