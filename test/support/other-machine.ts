/** Something like another machine: a network namespace that reaches this one over a pair of interfaces, and a user that is nobody here. For root. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const user = 64_501;

export class OtherMachine implements AsyncDisposable {
  /** This machine's address as the other one sees it. */
  readonly here: string;
  readonly home: string;
  readonly #namespace: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(namespace: string, here: string, home: string) {
    this.#namespace = namespace;
    this.here = here;
    this.home = home;
  }

  static async open(): Promise<OtherMachine> {
    const id = randomBytes(3).toString('hex');
    const [namespace, near, far] = [`weir-${id}`, `wn${id}`, `wf${id}`];
    const network = `10.77.${randomInt(256)}`;
    const home = await mkdtemp(path.join(tmpdir(), 'weir-other-'));
    await chmod(home, 0o700);
    await chown(home, user, user);
    await run('ip', ['netns', 'add', namespace]);
    const machine = new OtherMachine(namespace, `${network}.1`, home);
    try {
      await run('ip', ['link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', namespace]);
      await run('ip', ['address', 'add', `${network}.1/30`, 'dev', near]);
      await run('ip', ['link', 'set', near, 'up']);
      await run('ip', ['-n', namespace, 'address', 'add', `${network}.2/30`, 'dev', far]);
      await run('ip', ['-n', namespace, 'link', 'set', far, 'up']);
      await run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a command there as its user, in a process group of its own. */
  spawn(command: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.#namespace, 'setpriv', '--reuid', String(user), '--regid', String(user), '--clear-groups', '--', ...command], {
      detached: true, stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], HOME: this.home }, cwd: this.home,
    });
    this.#children.add(child);
    return child;
  }

  /** Exit code and what it printed. */
  async run(command: readonly string[]): Promise<{ code: number | null; said: string }> {
    const child = this.spawn(command);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => { said += text; });
    const [code] = await once(child, 'close') as [number | null];
    return { code, said };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await killGroup(child);
    await run('ip', ['netns', 'delete', this.#namespace]);
    await rm(this.home, { recursive: true, force: true });
  }
}

/** kill -9 of the child and all that is in its group. */
export async function killGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  process.kill(-child.pid, 'SIGKILL');
  await gone;
}
