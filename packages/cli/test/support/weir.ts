/** Runs the real `weir` command on private folders, and a real server where a test needs one. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { closedFolder } from '@weir/server/private-mounts';

export const launcher = fileURLToPath(new URL('../../bin/weir.js', import.meta.url));
/** The host's own Node where it is another one than the one that runs the tests: the launcher must do with it too. */
export const hostNodes: readonly string[] = [process.execPath, ...['/usr/bin/node', '/usr/local/bin/node'].filter((file) => existsSync(file)).slice(0, 1)];

type Account = Readonly<{ uid?: number; gid?: number }>;
const nobody = { uid: 65_534, gid: 65_534 };
/** Root runs most tests as a user without rights, where that user can reach this checkout: what root's own start adds has a test of its own. */
const user: Account = process.getuid?.() === 0 && closedFolder(launcher, nobody) === undefined ? nobody : {};

export type Result = Readonly<{ code: number | null; stdout: string; stderr: string }>;

export class Sandbox implements AsyncDisposable {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly #account: Account;
  readonly #children = new Set<ChildProcess>();

  private constructor(folder: string, account: Account) {
    this.folder = folder;
    this.#account = account;
    // Root becomes a user that exists everywhere, so that a test makes none.
    this.environment = {
      PATH: process.env['PATH'], LANG: 'C.UTF-8', HOME: folder, WEIR_DATA: path.join(folder, 'data'), WEIR_KEYS__DIRECTORY: path.join(folder, 'keys'),
      WEIR_HOME: path.join(folder, 'home'), WEIR_NO_INSTALL: '1', WEIR_USER: 'nobody', WEIR_FLEET__BUILT_IN_WORKER: 'false', NO_COLOR: '1',
    };
  }

  /** With an account of its own choice (`{}` is this process's) or the usual one. */
  static async open(account: Account = user): Promise<Sandbox> {
    const folder = await mkdtemp(path.join(tmpdir(), 'weir-cli-'));
    if (account.uid !== undefined && account.gid !== undefined) await chown(folder, account.uid, account.gid);
    return new Sandbox(folder, account);
  }

  /** Runs a command to its end. */
  weir(args: readonly string[], { environment = {}, input = '' }: { environment?: NodeJS.ProcessEnv; input?: string | Buffer } = {}): Promise<Result> {
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [launcher, ...args], {
        cwd: this.folder, env: { ...this.environment, ...environment }, ...this.#account, encoding: 'utf8', timeout: 60_000, maxBuffer: 16 << 20,
      }, (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }));
      child.stdin?.end(input);
    });
  }

  /** Starts a command line that goes on; it is ended with the sandbox. */
  start(file: string, args: readonly string[]): ChildProcess {
    const child = spawn(file, args, { cwd: this.folder, env: this.environment, stdio: ['ignore', 'pipe', 'pipe'], ...this.#account });
    this.#children.add(child);
    child.stderr?.resume();
    return child;
  }

  /** `weir serve` on a free port; returns its address once it is ready. */
  async serve(...args: readonly string[]): Promise<{ child: ChildProcess; url: string }> {
    const child = this.start(process.execPath, [launcher, 'serve', '--port', '0', ...args]);
    return { child, url: await readyUrl(child) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The address of the line `ready URL`. */
export async function readyUrl(child: ChildProcess): Promise<string> {
  let said = '';
  const errors: string[] = [];
  child.stderr?.on('data', (data: Buffer) => errors.push(data.toString()));
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (data: Buffer) => {
      said += data.toString();
      const [, url] = /^ready (\S+)$/m.exec(said) ?? [];
      if (url !== undefined) resolve(url);
    });
    child.once('exit', (code) => reject(new Error(`It ended with ${code}: ${errors.join('')}`)));
  });
}
