/** Debian's nginx in front of a test server, as it comes: buffering is left at its default. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { privateFolder, testUser } from './weir.ts';

const program = '/usr/sbin/nginx';
const startWithinMs = 10_000;

export type Nginx = AsyncDisposable & Readonly<{ url: string }>;

/** Listens on `port` of loopback and passes everything to `upstreamPort`, as an ordinary user. */
export async function startNginx(port: number, upstreamPort: number): Promise<Nginx> {
  const prefix = await privateFolder('weir-nginx-');
  const asRoot = process.getuid?.() === 0;
  const folders = ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => path.join(prefix, name));
  for (const folder of folders) {
    await mkdir(folder, { mode: 0o700 });
    if (asRoot) await chown(folder, testUser, testUser);
  }
  const config = path.join(prefix, 'nginx.conf');
  await writeFile(config, configuration(prefix, port, upstreamPort), { mode: 0o644 });
  const child = spawn(program, ['-p', prefix, '-c', config, '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'], ...(asRoot ? { uid: testUser, gid: testUser } : {}) });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(-10_000); });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    }
    await rm(prefix, { recursive: true, force: true });
  };
  const deadline = Date.now() + startWithinMs;
  while (!await answers(port)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`nginx did not start:\n${said}`);
    }
    await wait(25);
  }
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: stop };
}

const configuration = (prefix: string, port: number, upstreamPort: number): string => `
daemon off;
worker_processes 1;
pid ${prefix}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${prefix}/body; proxy_temp_path ${prefix}/proxy; fastcgi_temp_path ${prefix}/fastcgi; uwsgi_temp_path ${prefix}/uwsgi; scgi_temp_path ${prefix}/scgi;
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location / {
      proxy_pass http://127.0.0.1:${upstreamPort};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`;

async function answers(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not listening yet
  } finally {
    socket.destroy();
  }
}
