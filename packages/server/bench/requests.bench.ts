/**
 * Small requests through the whole server against the same answer from bare node:http. Rounds in turn, each over keep-alive connections that
 * always have a request under way, from a generator that never sleeps. The ratio is that of the requests that one second of the server's CPU
 * serves: what a core to itself would show as requests per second, and what others on the machine disturb least.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { digestOfBody, parseDffmpegKey, signDffmpeg } from '@weir/security/request-signing/dffmpeg';
import { measureLoad } from './support/load.ts';

type Row = Readonly<{ name: string; baseline: string; ratio: number; spread: string; detail: string }>;

const target = '/api/v1/permissions';
const rounds = 7;
const order = { connections: 64, seconds: 2, neverSleeps: true };

export async function run(): Promise<Row[]> {
  const home = await mkdtemp(path.join(tmpdir(), 'weir-bench-'));
  const key = randomBytes(32).toString('base64');
  const environment = { ...process.env, BENCH_KEY: key, WEIR_DATA: path.join(home, 'data'), WEIR_KEYS__DIRECTORY: path.join(home, 'keys'), WEIR_CONFIG: '/dev/null' };
  const weir = start('weir-server.ts', environment);
  try {
    const { port, signers } = JSON.parse(await weir.line) as { port: number; signers: { name: string; token: string }[] };
    const bare = start('bare-server.ts', { ...environment, BENCH_ANSWER: await answerOf(port, signers[0]?.token ?? '') });
    try {
      const { port: barePort } = JSON.parse(await bare.line) as { port: number };
      const head = `GET ${target} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n`;
      const jwt = signers.map(({ token }) => `${head}authorization: Bearer ${token}\r\n\r\n`);
      const signedNow = (): string[] => {
        const timestamp = String(Math.floor(Date.now() / 1_000));
        const signature = signDffmpeg(parseDffmpegKey(key), { method: 'GET', path: target, timestamp, bodyDigest: digestOfBody(Buffer.alloc(0)) });
        return signers.map(({ name }) => `${head}x-dffmpeg-client-id: ${name}\r\nx-dffmpeg-timestamp: ${timestamp}\r\nx-dffmpeg-signature: ${signature}\r\n\r\n`);
      };
      const all = { bareSigned: new Measured(), bareOpen: new Measured(), signed: new Measured(), jwt: new Measured() };
      for (let round = 0; round <= rounds; round += 1) {
        await all.bareSigned.round(barePort, signedNow(), bare.child, round);
        await all.signed.round(port, signedNow(), weir.child, round);
        await all.bareOpen.round(barePort, jwt, bare.child, round);
        await all.jwt.round(port, jwt, weir.child, round);
      }
      return [
        row('signed request (dffmpeg)', 'bare node:http, same answer, same HMAC', all.signed, all.bareSigned),
        row('JWT request (verified-token cache)', 'bare node:http, same answer, same HMAC', all.jwt, all.bareSigned),
        row('JWT request (verified-token cache)', 'bare node:http, same answer, nothing checked', all.jwt, all.bareOpen),
      ];
    } finally {
      bare.child.kill();
    }
  } finally {
    weir.child.kill();
    await rm(home, { recursive: true, force: true });
  }
}

/** The answer that the baseline repeats: every header that Weir says itself, in its order, and the body. */
async function answerOf(port: number, token: string): Promise<string> {
  const reply = await fetch(`http://127.0.0.1:${port}${target}`, { headers: { authorization: `Bearer ${token}` } });
  const own = [...reply.headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name));
  return JSON.stringify({ headers: own.flat(), body: await reply.text() });
}

/** One kind of request, round by round; the first round warms up and does not count. */
class Measured {
  readonly perSecond: number[] = [];
  /** Microseconds that the server's process had for each request. */
  readonly cpu: number[] = [];
  /** Share of the time that the server's process ran: below one, something else held it up. */
  readonly busy: number[] = [];

  async round(port: number, requests: readonly string[], server: ChildProcess, round: number): Promise<void> {
    const before = cpuTicks(server);
    const { requestsPerSecond, failures } = await measureLoad({ port, requests, ...order });
    if (failures > 0) throw new Error(`${failures} requests failed`);
    if (round === 0) return;
    const seconds = (cpuTicks(server) - before) / 100;
    this.perSecond.push(requestsPerSecond);
    this.cpu.push(seconds * 1e6 / (requestsPerSecond * order.seconds));
    this.busy.push(seconds / order.seconds);
  }
}

/** User and system time of a process in ticks of 10 ms (proc(5), fields 14 and 15). */
function cpuTicks({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

function start(file: string, environment: NodeJS.ProcessEnv): { child: ChildProcess; line: Promise<string> } {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`support/${file}`, import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'], env: environment });
  return { child, line: once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line)) };
}

function row(name: string, baseline: string, mine: Measured, bare: Measured): Row {
  const ratios = mine.cpu.map((cost, round) => (bare.cpu[round] ?? Number.NaN) / cost).toSorted((a, b) => a - b);
  const detail = `CPU per request ${median(mine.cpu).toFixed(1)} µs against ${median(bare.cpu).toFixed(1)} µs; `
    + `${median(mine.perSecond).toFixed(0)}/s against ${median(bare.perSecond).toFixed(0)}/s, servers busy ${percent(mine.busy)} and ${percent(bare.busy)}; 1 000 of 10 000 principals in turn`;
  return { name, baseline, ratio: median(ratios), spread: `${ratios[0]?.toFixed(2)}–${ratios.at(-1)?.toFixed(2)}`, detail };
}

const percent = (shares: readonly number[]): string => `${(median(shares) * 100).toFixed(0)} %`;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
