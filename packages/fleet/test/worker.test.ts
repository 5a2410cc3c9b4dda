import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { newUlid } from '@weir/contracts/clock';
import { WorkerMessage, type Assignment } from '@weir/contracts/workers';
import { Secret } from '@weir/security/secret';
import { temporaryFolder } from '../../data/test/support/temporary.ts';
import { assignmentKeyOfHmac, signAssignment } from '../src/assignment.ts';
import type { MediaRunner } from '../src/worker/attempt.ts';
import { runWorker } from '../src/worker/main.ts';
import { eventually } from './support/workers.ts';

/** A server that only speaks the protocol: what it sends is up to the test. */
async function stage(run: MediaRunner) {
  const cleanup = new AsyncDisposableStack();
  const folder = cleanup.use(await temporaryFolder());
  const server = http.createServer((_request, response) => { response.writeHead(404).end(); });
  const sockets: WebSocket[] = [];
  const heard: WorkerMessage[] = [];
  new WebSocketServer({ server }).on('connection', (socket) => {
    sockets.push(socket);
    socket.on('message', (data: Buffer) => {
      const message = WorkerMessage.parse(JSON.parse(data.toString()));
      heard.push(message);
      if (message.type === 'hello') socket.send(JSON.stringify({ type: 'welcome', worker: 'w', lease_seconds: 30, server_time: new Date().toISOString() }));
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address() as AddressInfo;
  const key = randomBytes(32);
  const [drain, stop] = [new AbortController(), new AbortController()];
  const scratch = folder.join('scratch');
  await mkdir(join(scratch, 'left', 'over'), { recursive: true });
  await writeFile(join(scratch, 'left', 'over', 'plain'), 'of an earlier life');
  const events: string[] = [];
  const done = runWorker({
    server: new URL(`http://127.0.0.1:${port}`), name: 'w', credentials: { kind: 'hmac', key: new Secret(key) }, slots: 2, scratch, run,
    capabilities: { ffmpeg: 'none', encoders: [], jail: 'none' }, onEvent: (line) => events.push(line),
  }, { drain: drain.signal, stop: stop.signal });
  cleanup.defer(async () => {
    stop.abort();
    await done;
    for (const socket of sockets) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
  await eventually(() => heard.some(({ type }) => type === 'renew'));
  const seconds = Math.floor(Date.now() / 1_000);
  return {
    heard, events, scratch, done, drain, sockets,
    assign: (change: Partial<Assignment> = {}, under: Uint8Array = key) => sockets.at(-1)?.send(JSON.stringify({
      type: 'assign', assignment: signAssignment(assignmentKeyOfHmac(under), {
        job_id: newUlid(), fence: 1, worker: 'w', instance: 'i', iat: seconds, exp: seconds + 60, work: { kind: 'recipe', recipe: 'probe', parameters: {} },
        inputs: [], outputs: [], limits: { wall_seconds: 60, stall_seconds: 60, output_bytes: 1_000 }, ...change,
      }),
    })),
    said: (type: WorkerMessage['type']) => heard.filter((message) => message.type === type),
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

const nothing: MediaRunner = async () => ({ outputs: [], extra: [], [Symbol.asyncDispose]: async () => undefined });

test('scratch of an earlier life is wiped at the start', async () => {
  await using s = await stage(nothing);
  expect(await readdir(s.scratch)).toEqual([]);
});

test('an assignment runs once: repeated, older, forged, foreign and expired ones do not', async () => {
  let begun = 0;
  await using s = await stage(async (job, signal) => { begun += 1; return await nothing(job, signal); });
  const id = newUlid();
  s.assign({ job_id: id, fence: 2 });
  await eventually(() => s.said('delivered').length > 0);
  s.assign({ job_id: id, fence: 2 });
  s.assign({ job_id: id, fence: 1 });
  s.assign({ worker: 'another' });
  s.assign({ exp: Math.floor(Date.now() / 1_000) - 1 });
  s.assign({}, randomBytes(32));
  s.sockets[0]?.send(JSON.stringify({ type: 'assign', assignment: 'rubbish' }));
  await eventually(() => s.events.filter((line) => line.includes('refused')).length === 6);
  expect(begun).toBe(1);
  s.assign({ job_id: id, fence: 3 });
  await eventually(() => begun === 2);
});

test('a result is reported until it is acknowledged, over any number of connections', async () => {
  await using s = await stage(nothing);
  const id = newUlid();
  s.assign({ job_id: id });
  await eventually(() => s.said('delivered').length >= 1);
  s.sockets[0]?.terminate();
  await eventually(() => s.sockets.length === 2 && s.said('hello').length === 2);
  expect(s.said('hello')[1]).toMatchObject({ active: [{ job_id: id, fence: 1 }] });
  const before = s.said('delivered').length;
  await eventually(() => s.said('delivered').length > before);
  s.sockets[1]?.send(JSON.stringify({ type: 'settled', job_id: id, fence: 1 }));
  await eventually(() => s.heard.at(-1)?.type === 'renew' && JSON.stringify(s.heard.at(-1)) === '{"type":"renew","attempts":[]}');
});

test('a grant that the server refuses ends the attempt with the reason; a message of an unknown form ends the connection', async () => {
  await using s = await stage(nothing);
  s.assign({ inputs: [{ index: 0, size: 5, content_type: 'video/mp4', token: 't' }] });
  await eventually(() => s.said('failed').length > 0);
  expect(s.said('failed')[0]).toMatchObject({ code: 'server.unreachable', retryable: true });
  expect(await readdir(s.scratch)).toEqual([]);
  s.sockets[0]?.send('{"type":"unknown"}');
  await eventually(() => s.sockets.length === 2);
});
