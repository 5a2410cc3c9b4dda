/** A worker that takes one job and holds it: what the access table needs of a lease. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Assignment, CoordinatorMessage } from '../../packages/contracts/src/workers.ts';

const aliveMs = 2_000;

export class HeldJob implements Disposable {
  readonly assignment: Assignment;
  readonly #socket: WebSocket;
  readonly #renewal: NodeJS.Timeout;

  private constructor(socket: WebSocket, assignment: Assignment) {
    this.#socket = socket;
    this.assignment = assignment;
    const { job_id, fence } = assignment;
    this.#renewal = setInterval(() => socket.send(JSON.stringify({ type: 'renew', attempts: [{ job_id, fence }] })), aliveMs);
  }

  /** Connects with this evidence and waits for the first assignment, which it begins. */
  static async take(url: string, headers: Record<string, string>): Promise<HeldJob> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/api/v1/workers/connect`, { headers });
    const assigned = new Promise<Assignment>((resolve, reject) => {
      socket.on('message', (data: Buffer) => {
        const message = CoordinatorMessage.parse(JSON.parse(data.toString('utf8')));
        if (message.type === 'assign') resolve(Assignment.parse(JSON.parse(Buffer.from(message.assignment.split('.')[1] ?? '', 'base64url').toString('utf8'))));
      });
      socket.once('error', reject);
    });
    await once(socket, 'open');
    socket.send(JSON.stringify({
      type: 'hello', protocol: 1, version: 'test', capabilities: { ffmpeg: 'none', encoders: [], jail: 'none' }, slots: 1, classes: ['cpu', 'io'], labels: {}, active: [],
    }));
    const held = new HeldJob(socket, await assigned);
    const { job_id, fence } = held.assignment;
    socket.send(JSON.stringify({ type: 'started', job_id, fence }));
    return held;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#renewal);
    this.#socket.terminate();
  }
}

/** Status of a request to upgrade: 101, or what the server refused it with. */
export async function upgradeStatus(url: string, target: string, headers: Record<string, string>): Promise<number> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${target}`, { headers });
  return await new Promise<number>((resolve, reject) => {
    socket.once('open', () => { socket.terminate(); resolve(101); });
    socket.once('unexpected-response', (request, response) => { request.destroy(); resolve(response.statusCode ?? 0); });
    socket.once('error', reject);
  });
}
