/** A server that is told to stop stops soon, whoever is connected; workers are told, and nothing waits for a visitor who says nothing. */
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { joinWorker } from '../packages/fleet/src/worker/join.ts';
import { runWorker } from '../packages/fleet/src/worker/main.ts';
import { readProfile } from '../packages/fleet/src/worker/profile.ts';
import { privateFolder, startWeir, type TestWeir } from './support/weir.ts';

/** Far less than the half minute and more for which Node, `ws` and TLS wait by themselves. */
const soonMs = 8_000;

async function expectStop(weir: TestWeir): Promise<void> {
  const stopped = weir.kill('SIGTERM').then(() => 'stopped');
  expect(await Promise.race([stopped, wait(soonMs, 'still running')])).toBe('stopped');
}

const clientHello = Buffer.from('1603010200010001fc0303', 'hex');
const visitors = [
  { place: 'TCP', what: 'nothing', said: Buffer.alloc(0) }, { place: 'TCP', what: 'half a request', said: Buffer.from('GET /healthz HTT') },
  { place: 'TCP', what: 'a part of an upload', said: Buffer.from('POST /api/v1/workers/join HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{') },
  { place: 'TLS', what: 'nothing', said: Buffer.alloc(0) }, { place: 'TLS', what: 'a part of a handshake', said: clientHello },
  { place: 'Unix socket', what: 'nothing', said: Buffer.alloc(0) }, { place: 'Unix socket', what: 'half a request', said: Buffer.from('GET /healthz HTT') },
] as const;

test.each(visitors)('a visitor at the $place listener who said $what does not keep it', async ({ place, said }) => {
  const socketPath = path.join(await privateFolder('weir-stop-'), 's');
  await using weir = await startWeir({ environment: {
    WEIR_FLEET__ENABLED: 'false', ...(place === 'TLS' ? { WEIR_SERVER__TLS: 'true' } : {}), ...(place === 'Unix socket' ? { WEIR_SERVER__SOCKET_PATH: socketPath } : {}),
  } });
  const visitor = place === 'Unix socket' ? net.connect(socketPath) : net.connect(Number(new URL(weir.url).port), '127.0.0.1');
  visitor.on('error', () => undefined);
  await once(visitor, 'connect');
  if (said.length > 0) visitor.write(said);
  await wait(100);
  expect(visitor.closed).toBe(false);
  await expectStop(weir);
  visitor.destroy();
});

test('workers that are connected are told, and cut off', async () => {
  await using weir = await startWeir();
  const home = await privateFolder('weir-stop-');
  const { link } = await (await weir.admin()).json<{ link: string }>('POST', '/api/v1/workers/invites');
  const { address, credentials, name } = await readProfile(await joinWorker(link, 'attic', home));
  const [stop, said] = [new AbortController(), [] as string[]];
  const running = runWorker({
    ...address, name, credentials, slots: 1, scratch: path.join(home, 'scratch'), capabilities: { ffmpeg: 'none', encoders: [], jail: 'none' },
    run: () => Promise.reject(new Error('not asked for')), onEvent: (line) => { said.push(line); },
  }, { drain: new AbortController().signal, stop: stop.signal });
  await expect.poll(() => said.join('\n'), { timeout: 20_000 }).toContain('Connected');
  await expectStop(weir);
  await expect.poll(() => said.join('\n')).toContain('Disconnected from the server.');
  stop.abort();
  await running;
});
