/** Ranges of a large file through the whole server, plain and encrypted at rest, against nginx with sendfile. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { measureLoad } from './support/load.ts';

type Row = Readonly<{ name: string; baseline: string; ratio: number; spread: string; detail: string }>;

const fileBytes = 256 << 20;
const rangeBytes = 4 << 20;
const rounds = 5;
const order = { connections: 4, seconds: 2, neverSleeps: false };

export async function run(): Promise<Row[]> {
  const home = await mkdtemp(path.join(tmpdir(), 'weir-bench-'));
  await chmod(home, 0o755);
  const file = path.join(home, 'file.bin');
  await writeFile(file, randomBytes(fileBytes));
  const children: ChildProcess[] = [];
  try {
    const nginxPort = await startNginx(home, children);
    const plain = await startWeir(home, 'plain', file, children);
    const encrypted = await startWeir(home, 'encrypted', file, children);
    const places = {
      nginx: requests(nginxPort, '/file.bin'), plain: requests(plain.port, plain.target, plain.token), encrypted: requests(encrypted.port, encrypted.target, encrypted.token),
    };
    const ratios = { plain: [] as number[], encrypted: [] as number[] };
    const speeds = { nginx: [] as number[], plain: [] as number[], encrypted: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      for (const name of ['nginx', 'plain', 'encrypted'] as const) {
        const { port, list } = places[name];
        const { megabytesPerSecond, failures } = await measureLoad({ port, requests: list, ...order });
        if (failures > 0) throw new Error(`${name}: ${failures} requests failed`);
        speeds[name].push(megabytesPerSecond);
      }
      for (const name of ['plain', 'encrypted'] as const) ratios[name].push((speeds[name].at(-1) ?? 0) / (speeds.nginx.at(-1) ?? 1));
    }
    const row = (name: 'plain' | 'encrypted', text: string): Row => ({
      name: text, baseline: 'nginx sendfile of the same file', ratio: median(ratios[name]), spread: `${Math.min(...ratios[name]).toFixed(2)}–${Math.max(...ratios[name]).toFixed(2)}`,
      detail: `${rangeBytes >> 20} MiB ranges; ${median(speeds[name]).toFixed(0)} MB/s against ${median(speeds.nginx).toFixed(0)} MB/s`,
    });
    return [row('plain', 'range read, plain, every leaf verified'), row('encrypted', 'range read, encrypted at rest')];
  } finally {
    // A polite end: nginx takes its worker process with it.
    await Promise.all(children.map((child) => { const gone = once(child, 'exit'); child.kill('SIGTERM'); return gone; }));
    await rm(home, { recursive: true, force: true });
  }
}

/** Ranges spread over the file, in a fixed order that is the same for every server. */
function requests(port: number, target: string, token?: string): { port: number; list: string[] } {
  const count = fileBytes / rangeBytes;
  const list = Array.from({ length: count }, (_, i) => {
    const start = ((i * 29) % count) * rangeBytes;
    return `GET ${target} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${token === undefined ? '' : `authorization: Bearer ${token}\r\n`}range: bytes=${start}-${start + rangeBytes - 1}\r\n\r\n`;
  });
  return { port, list };
}

async function startNginx(home: string, children: ChildProcess[]): Promise<number> {
  const port = await freePort();
  const config = path.join(home, 'nginx.conf');
  await writeFile(config, `daemon off; worker_processes 1; pid ${home}/nginx.pid; error_log stderr error; ${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 64; }
http { access_log off; sendfile on; keepalive_requests 1000000; client_body_temp_path ${home}/n1; proxy_temp_path ${home}/n2; fastcgi_temp_path ${home}/n3; uwsgi_temp_path ${home}/n4; scgi_temp_path ${home}/n5;
  server { listen 127.0.0.1:${port}; root ${home}; } }`);
  children.push(spawn('nginx', ['-c', config, '-p', home], { stdio: 'ignore' }));
  for (let tries = 0; tries < 100; tries += 1) {
    const answered = await fetch(`http://127.0.0.1:${port}/`).then(() => true, () => false);
    if (answered) return port;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error('nginx did not start');
}

async function startWeir(home: string, name: string, file: string, children: ChildProcess[]): Promise<{ port: number; target: string; token: string }> {
  const base = path.join(home, name);
  await mkdir(base);
  const child = spawn(process.execPath, [fileURLToPath(new URL('support/weir-server.ts', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env, WEIR_DATA: path.join(base, 'data'), WEIR_KEYS__DIRECTORY: path.join(base, 'keys'), WEIR_CONFIG: '/dev/null', BENCH_PRINCIPALS: '1',
      BENCH_KEY: randomBytes(32).toString('base64'), WEIR_STREAMING_SECURITY__ENCRYPTION__ENABLED: String(name === 'encrypted'),
    },
  });
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line') as [string];
  const { port, signers } = JSON.parse(line) as { port: number; signers: { token: string }[] };
  const token = signers[0]?.token ?? '';
  const reply = await fetch(`http://127.0.0.1:${port}/api/v1/content`, {
    method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-length': String(fileBytes) }, body: createReadStream(file) as unknown as ReadableStream, duplex: 'half',
  });
  const { cid } = await reply.json() as { cid: string };
  return { port, target: `/api/v1/content/${cid}`, token };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
