/** Server-sent events (WHATWG HTML §9.2): one event per value, a comment every fifteen seconds, an end when the values end. */
import { once } from 'node:events';
import type { Reply } from './reply.ts';

const heartbeatMs = 15_000;

/** Sends what `values` yields as events named `name`; a reader that does not read holds the generator back, nothing piles up here. */
export async function sendEvents<T>(reply: Reply, name: string | ((value: T) => string), values: AsyncIterable<T>, signal: AbortSignal): Promise<void> {
  const response = reply.header('content-type', 'text/event-stream; charset=utf-8').header('cache-control', 'no-store').header('x-accel-buffering', 'no').stream();
  response.writeHead(200);
  response.flushHeaders();
  // What is waited for may never come: the end does not wait for it.
  const end = (): void => { response.destroy(); };
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  const heartbeat = setInterval(() => response.write(':\n\n'), heartbeatMs);
  let id = 0;
  try {
    for await (const value of values) {
      id += 1;
      const text = `id: ${id}\nevent: ${typeof name === 'string' ? name : name(value)}\ndata: ${JSON.stringify(value)}\n\n`;
      if (!response.write(text)) await once(response, 'drain', { signal });
    }
    response.end();
  } catch (error) {
    response.destroy();
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(heartbeat);
    signal.removeEventListener('abort', end);
  }
}
