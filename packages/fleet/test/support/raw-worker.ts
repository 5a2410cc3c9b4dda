/** A worker that says whatever a test wants: to show what the coordinator makes of lies. */
import { WebSocket } from 'ws';
import type { CoordinatorMessage } from '@weir/contracts/workers';
import { openAssignment } from '../../src/assignment.ts';
import { assignmentKeyOf, signedHeaders } from '../../src/worker/credentials.ts';
import { connectPath } from '../../src/worker/connection.ts';
import type { Fleet } from './fleet.ts';
import { hello } from './rows.ts';
import { eventually } from './workers.ts';

export async function rawWorker(fleet: Fleet, name: string) {
  const credentials = fleet.worker(name);
  const url = new URL(connectPath, fleet.url);
  url.protocol = 'ws:';
  const socket = new WebSocket(url, { headers: signedHeaders(credentials, name, 'GET', connectPath, Date.now()) });
  const heard: CoordinatorMessage[] = [];
  const closed = new Promise<number>((resolve) => { socket.once('close', (code) => resolve(code)); });
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer) => heard.push(JSON.parse(data.toString())));
  await new Promise((resolve) => { socket.once('open', resolve); });
  const say = (message: unknown): void => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  return {
    heard, closed, say, name, socket,
    greet: async (change: object = {}) => {
      say({ ...hello, slots: 4, ...change });
      await eventually(() => heard.some(({ type }) => type === 'welcome'));
    },
    /** The next assignment, opened; `skip` counts those seen before. */
    assignment: async (skip = 0) => {
      const assigned = () => heard.flatMap((message) => (message.type === 'assign' ? [message.assignment] : []));
      await eventually(() => assigned().length > skip);
      return openAssignment(assignmentKeyOf(credentials), assigned()[skip] ?? '', name, Date.now());
    },
    put: async (job: string, part: string, token: string, body: Uint8Array, headers: Record<string, string> = {}) => {
      const response = await fetch(new URL(`/api/v1/jobs/${job}/outputs/${part}`, fleet.url), { method: 'PUT', body: Buffer.from(body), headers: { authorization: `Bearer ${token}`, ...headers } });
      return { status: response.status, body: await response.text() };
    },
    [Symbol.asyncDispose]: async () => {
      socket.terminate();
      await closed;
    },
  };
}
