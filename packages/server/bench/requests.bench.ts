/** Small requests through the whole server against the same answer from bare node:http with the same HMAC. */
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
const rounds = 5;
const order = { connections: 32, seconds: 2 };

export async function run(): Promise<Row[]> {
  const home = await mkdtemp(path.join(tmpdir(), 'weir-bench-'));
  const key = randomBytes(32).toString('base64');
  const environment = { ...process.env, BENCH_KEY: key, WEIR_DATA: path.join(home, 'data'), WEIR_KEYS__DIRECTORY: path.join(home, 'keys'), WEIR_CONFIG: '/dev/null' };
  const weir = start('weir-server.ts', environment);
  try {
    const { port, signers } = JSON.parse(await weir.line) as { port: number; signers: { name: string; token: string }[] };
    const headers = `GET ${target} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n`;
    const first = await fetch(`http://127.0.0.1:${port}${target}`, { headers: { authorization: `Bearer ${signers[0]?.token}` } });
    const bare = start('bare-server.ts', { ...environment, BENCH_ANSWER: await first.text() });
    try {
      const { port: barePort } = JSON.parse(await bare.line) as { port: number };
      const jwt = signers.map(({ token }) => `${headers}authorization: Bearer ${token}\r\n\r\n`);
      const rows = { signed: [] as number[], jwt: [] as number[] };
      const cpu = { bare: [] as number[], signed: [] as number[], jwt: [] as number[] };
      for (let round = 0; round < rounds; round += 1) {
        const timestamp = String(Math.floor(Date.now() / 1_000));
        const signature = signDffmpeg(parseDffmpegKey(key), { method: 'GET', path: target, timestamp, bodyDigest: digestOfBody(Buffer.alloc(0)) });
        const signed = signers.map(({ name }) => `${headers}x-dffmpeg-client-id: ${name}\r\nx-dffmpeg-timestamp: ${timestamp}\r\nx-dffmpeg-signature: ${signature}\r\n\r\n`);
        const baseline = await measured(barePort, signed, bare.child, cpu.bare);
        rows.signed.push(await measured(port, signed, weir.child, cpu.signed) / baseline);
        rows.jwt.push(await measured(port, jwt, weir.child, cpu.jwt) / baseline);
      }
      const detail = (mine: readonly number[]): string => `CPU per request ${median(mine).toFixed(0)} µs against ${median(cpu.bare).toFixed(0)} µs; 1 000 of 10 000 principals in turn`;
      return [
        row('signed request (dffmpeg)', 'bare node:http, same HMAC', rows.signed, detail(cpu.signed)),
        row('JWT request (verified-token cache)', 'bare node:http, same HMAC', rows.jwt, detail(cpu.jwt)),
      ];
    } finally {
      bare.child.kill();
    }
  } finally {
    weir.child.kill();
    await rm(home, { recursive: true, force: true });
  }
}

/** Requests per second; the CPU that the server took for each, in microseconds, is added to `cpu`. */
async function measured(port: number, requests: readonly string[], server: ChildProcess, cpu: number[]): Promise<number> {
  const before = cpuTicks(server);
  const { requestsPerSecond, failures } = await measureLoad({ port, requests, ...order });
  if (failures > 0) throw new Error(`${failures} requests failed`);
  cpu.push((cpuTicks(server) - before) * 10_000 / (requestsPerSecond * order.seconds));
  return requestsPerSecond;
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

function row(name: string, baseline: string, ratios: readonly number[], detail: string): Row {
  const sorted = ratios.toSorted((a, b) => a - b);
  return { name, baseline, ratio: median(ratios), spread: `${sorted[0]?.toFixed(2)}–${sorted.at(-1)?.toFixed(2)}`, detail };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
