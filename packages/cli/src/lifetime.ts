/** What ends a command that runs for long: a signal, or the end of the process that started it. */
import { isatty } from 'node:tty';
import type { Environment } from './context.ts';

export type Lifetime = Readonly<{
  /** The first request to end: finish what runs. */
  drain: AbortSignal;
  /** The second request, or 1.5 s after the parent is gone: end now. */
  stop: AbortSignal;
}>;

const parentPollMs = 500;
/** A terminal sends Ctrl-C to every process of a group, and npm hands it on once more: that is one request. */
const sameRequestMs = 500;
/** How long what lost its parent may take to end well: with the poll, well within three seconds. */
const orphanMs = 1_500;

/** `WEIR_PARENT` is set by who started this process, for the case that it ends before anybody looks. */
export function watchLifetime(environment: Environment): Lifetime {
  const drain = new AbortController();
  const stop = new AbortController();
  let requestedAt = -Infinity;
  const request = (): void => {
    const now = performance.now();
    if (now - requestedAt < sameRequestMs) return;
    requestedAt = now;
    (drain.signal.aborted ? stop : drain).abort();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, request);
  // The terminal was closed; a service, which has none, is told by it to read its certificate again.
  process.on('SIGHUP', isatty(0) ? request : () => undefined);
  const parent = Number(environment['WEIR_PARENT'] ?? process.ppid);
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    drain.abort();
    setTimeout(() => stop.abort(), orphanMs).unref();
  }, parentPollMs);
  timer.unref();
  return { drain: drain.signal, stop: stop.signal };
}
