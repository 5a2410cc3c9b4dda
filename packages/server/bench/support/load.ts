/**
 * A load generator: keep-alive connections that each send the next of some prepared requests when the last answer is complete. For small answers
 * it is told never to sleep: a server that writes to a sleeping reader pays for waking it, and pays that for each answer the more, the slower it is
 * itself. For large ones it sleeps: they keep it busy anyway, and the threads of a server need the other core.
 */
import net from 'node:net';
import { parentPort, workerData, Worker } from 'node:worker_threads';

type Order = Readonly<{ port: number; requests: readonly string[]; connections: number; seconds: number; neverSleeps: boolean }>;
export type Load = Readonly<{ requestsPerSecond: number; failures: number; megabytesPerSecond: number }>;

/** Runs in a thread of its own, so that the measuring process only waits. */
export function measureLoad(order: Order): Promise<Load> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: order });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function run({ port, requests, connections, seconds, neverSleeps }: Order): Promise<Load> {
  let done = 0;
  let failures = 0;
  let bytes = 0;
  let next = 0;
  const started = performance.now();
  const until = started + seconds * 1_000;
  const stayAwake = (): void => { if (performance.now() < until) setImmediate(stayAwake); };
  if (neverSleeps) stayAwake();
  await Promise.all(Array.from({ length: connections }, () => new Promise<void>((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let head = '';
    let left = -1;
    const send = (): void => {
      if (performance.now() >= until) { socket.destroy(); return; }
      socket.write(requests[next++ % requests.length] ?? '');
    };
    socket.once('connect', send);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      if (performance.now() < until) failures += 1;
      resolve();
    });
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      let body = chunk.length;
      if (left < 0) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!head.startsWith('HTTP/1.1 20')) failures += 1;
        left = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        body = head.length - end - 4;
        head = '';
      }
      left -= body;
      if (left > 0) return;
      left = -1;
      done += 1;
      send();
    });
  })));
  const elapsed = (performance.now() - started) / 1_000;
  return { requestsPerSecond: done / elapsed, failures, megabytesPerSecond: bytes / elapsed / 1e6 };
}

if (parentPort !== null) parentPort.postMessage(await run(workerData as Order));
