/** A real server for tests: its own process, data directory, keys and port, without root's rights; and clients that speak to it by HTTP alone. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { digestOfBody, dffmpegHeaders, parseDffmpegKey, signDffmpeg } from '../../packages/security/src/request-signing/dffmpeg.ts';

const entry = fileURLToPath(new URL('server-process.ts', import.meta.url));
/** The user that servers of tests run as when the tests run as root. */
export const testUser = 64_500;
const manyRequests = '{ limit = 1000000, period = 60 }';

export type WeirOptions = Readonly<{
  /** Run the built-in worker, so that jobs are done. */
  worker?: boolean;
  /** Settings, as in the environment (`WEIR_SERVER__TLS`). */
  environment?: Readonly<Record<string, string>>;
  /** What runs the server in place of an unprivileged user: a command that gets the server's own after it. For root only. */
  wrap?: (weir: TestWeir) => readonly string[];
  /** Leave the rate limits as they are by default. */
  limits?: 'default' | 'off';
}>;

type Ready = Readonly<{ url: string; signInLink?: string; instance: string; fingerprint: string | null }>;

export class TestWeir implements AsyncDisposable {
  readonly home: string;
  readonly #options: WeirOptions;
  #child: ChildProcess | undefined;
  #ready: Ready | undefined;
  #log = '';
  #admin: Client | undefined;

  constructor(home: string, options: WeirOptions) {
    this.home = home;
    this.#options = options;
  }

  get dataPath(): string { return path.join(this.home, 'data'); }
  get keysPath(): string { return path.join(this.home, 'keys'); }
  get url(): string { return this.ready.url; }
  get log(): string { return this.#log; }
  get pid(): number { return this.#child?.pid ?? 0; }
  get ready(): Ready {
    if (this.#ready === undefined) throw new Error('the server does not run');
    return this.#ready;
  }

  environment(): NodeJS.ProcessEnv {
    const limits = this.#options.limits === 'default' ? {} : Object.fromEntries(
      ['DEFAULT', 'STREAMING', 'SIGNALING', 'UPLOAD', 'JOBS', 'AUTH_FAILURES'].map((name) => [`WEIR_STREAMING_SECURITY__RATE_LIMITS__${name}`, manyRequests]));
    return {
      PATH: process.env['PATH'], HOME: this.home, WEIR_DATA: this.dataPath, WEIR_KEYS__DIRECTORY: this.keysPath, WEIR_SERVER__PORT: '0', WEIR_LOG__LEVEL: 'info',
      WEIR_CONFIG: '/dev/null', ...(this.#options.worker === true ? { TEST_BUILT_IN_WORKER: '1' } : {}), ...limits, ...this.#options.environment,
    };
  }

  async start(): Promise<void> {
    const [program, ...args] = [...this.#options.wrap?.(this) ?? [], process.execPath, entry];
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: this.environment(), ...(this.#options.wrap === undefined ? asTestUser() : {}) });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#log = (this.#log + text).slice(-200_000); });
    const exited = once(child, 'exit').then(([code]) => { throw new Error(`the server ended with ${String(code)}:\n${this.#log}`); });
    exited.catch(() => undefined);
    const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), exited]) as [string];
    this.#ready = JSON.parse(line) as Ready;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    this.#ready = undefined;
  }

  /** Signs in by the link of the start; the session outlives restarts. */
  async admin(): Promise<Client> {
    if (this.#admin !== undefined) return this.#admin;
    const secret = this.ready.signInLink?.split('#')[1] ?? '';
    const reply = await fetch(`${this.url}/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ secret }) });
    if (reply.status !== 200) throw new Error(`sign-in failed: ${await reply.text()}`);
    const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? '';
    this.#admin = new Client(this, 'admin', () => ({ cookie, origin: this.url }));
    return this.#admin;
  }

  get anonymous(): Client { return new Client(this, '', () => ({})); }

  /** A new principal with a bearer token of its own. */
  async principal(name: string, role: string, more: Readonly<Record<string, unknown>> = {}): Promise<Client & { key: string }> {
    const admin = await this.admin();
    const { key } = await admin.json<{ key: string }>('POST', '/api/v1/principals', { principal: name, role, ...more });
    const { token } = role === 'worker' ? { token: '' } : await admin.json<{ token: string }>('POST', '/api/v1/tokens', { principal: name, expires_in: 86_400 });
    const client = new Client(this, name, () => (token === '' ? {} : { authorization: `Bearer ${token}` }));
    return Object.assign(client, { key });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('SIGTERM');
    await rm(this.home, { recursive: true, force: true });
  }
}

/** A caller with one kind of evidence. */
export class Client {
  readonly weir: TestWeir;
  readonly name: string;
  readonly evidence: () => Record<string, string>;

  constructor(weir: TestWeir, name: string, evidence: () => Record<string, string>) {
    this.weir = weir;
    this.name = name;
    this.evidence = evidence;
  }

  fetch(target: string, init: RequestInit & { headers?: Record<string, string>; duplex?: 'half' } = {}): Promise<Response> {
    return fetch(new URL(target, this.weir.url), { ...init, headers: { ...this.evidence(), ...init.headers } });
  }

  send(method: string, target: string, body?: unknown): Promise<Response> {
    return this.fetch(target, { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) });
  }

  /** The body of a good reply; throws with the server's words otherwise. */
  async json<T>(method: string, target: string, body?: unknown): Promise<T> {
    const reply = await this.send(method, target, body);
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${target}: ${reply.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async upload(bytes: Uint8Array<ArrayBuffer>, filename = 'file.bin'): Promise<string> {
    const reply = await this.fetch(`/api/v1/content?filename=${encodeURIComponent(filename)}`, { method: 'POST', body: bytes, headers: { 'content-type': 'application/octet-stream' } });
    if (reply.status !== 201) throw new Error(`upload: ${reply.status} ${await reply.text()}`);
    return ((await reply.json()) as { cid: string }).cid;
  }

  async get(cid: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(`/api/v1/content/${cid}`, { headers });
  }
}

/** Headers of the `dffmpeg` profile for one request. */
export function dffmpegSigned(principal: string, key: string, method: string, pathname: string, body: string | Uint8Array = '', atSeconds = Math.floor(Date.now() / 1_000)): Record<string, string> {
  const timestamp = String(atSeconds);
  const bodyDigest = digestOfBody(typeof body === 'string' ? Buffer.from(body) : body);
  return {
    [dffmpegHeaders.clientId]: principal, [dffmpegHeaders.timestamp]: timestamp,
    [dffmpegHeaders.signature]: signDffmpeg(parseDffmpegKey(key), { method, path: pathname, timestamp, bodyDigest }),
  };
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Counts of long loops, scaled by WEIR_TEST_SCALE; at least `least`. */
export const scaled = (count: number, least = 1): number => Math.max(least, Math.round(count * Number(process.env['WEIR_TEST_SCALE'] ?? 1)));

const asTestUser = (): { uid?: number; gid?: number } => (process.getuid?.() === 0 ? { uid: testUser, gid: testUser } : {});

/** A private folder that the test user owns and can reach. */
export async function privateFolder(prefix: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), prefix));
  await chmod(folder, 0o700);
  if (process.getuid?.() === 0) await chown(folder, testUser, testUser);
  return folder;
}

export async function startWeir(options: WeirOptions = {}): Promise<TestWeir> {
  const weir = new TestWeir(await privateFolder('weir-test-'), options);
  for (const folder of [weir.dataPath, weir.keysPath]) {
    await mkdir(folder, { mode: 0o700 });
    if (process.getuid?.() === 0) await chown(folder, testUser, testUser);
  }
  try {
    await weir.start();
    return weir;
  } catch (error) {
    await weir[Symbol.asyncDispose]();
    throw error;
  }
}
