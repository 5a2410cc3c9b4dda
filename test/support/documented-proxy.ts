/** Debian's nginx and Caddy with the configuration that stands in the documentation; only names, ports and certificates of the test are put in. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { root } from './markdown.ts';
import { privateFolder, testUser } from './weir.ts';

export type ProxyName = 'nginx' | 'caddy';
/** The name that the documentation uses for the server. */
export const documentedHost = 'media.example.org';
/** `certificate`: its own, in PEM; for `documentedHost` and `localhost`. */
export type DocumentedProxy = AsyncDisposable & Readonly<{ url: string; certificate: string }>;

const startWithinMs = 15_000;
const asRoot = process.getuid?.() === 0;
const asTestUser = asRoot ? { uid: testUser, gid: testUser } : {};

/** The fenced block of that language on the page that comes first after `heading`. */
export async function documentedBlock(page: string, language: string, heading: string): Promise<string> {
  const text = await readFile(path.join(root, page), 'utf8');
  const block = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'm').exec(text.slice(text.indexOf(`\n## ${heading}\n`)));
  if (block?.[1] === undefined) throw new Error(`${page} has no block of ${language} under ${heading}`);
  return block[1];
}

/** Listens with TLS on `port` of loopback and passes on to `upstreamPort`. `files` are those that the block names, by their name there, with their text. */
export async function startDocumentedProxy(name: ProxyName, { port, upstreamPort, page = `docs/how-to/deploy-behind-${name}.md`, files = {} }: Readonly<{ port: number; upstreamPort: number; page?: string; files?: Readonly<Record<string, string>> }>): Promise<DocumentedProxy> {
  const folder = await privateFolder(`weir-${name}-`);
  const certificate = { cert: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem') };
  const made = await generate([{ name: 'commonName', value: documentedHost }], {
    keyType: 'ec', curve: 'P-256', algorithm: 'sha256', extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: documentedHost }, { type: 2, value: 'localhost' }] }],
  });
  await writeFile(certificate.key, made.private, { mode: 0o600 });
  await writeFile(certificate.cert, made.cert);
  const file = path.join(folder, name === 'nginx' ? 'nginx.conf' : 'Caddyfile');
  const block = await documentedBlock(page, name === 'nginx' ? 'nginx' : 'caddyfile', name === 'nginx' ? 'nginx' : 'Caddyfile');
  let passed = block.replaceAll('127.0.0.1:4545', `127.0.0.1:${upstreamPort}`);
  for (const [place, text] of Object.entries(files)) {
    const mine = path.join(folder, path.basename(place));
    await writeFile(mine, text);
    if (asRoot) await chown(mine, testUser, testUser);
    passed = replaced(passed, [[new RegExp(`${place}(?=;)`), mine]]);
  }
  await writeFile(file, name === 'nginx' ? nginxFile(passed, folder, port, certificate) : caddyFile(passed, port, certificate));
  for (const needed of ['body', 'proxy']) await mkdir(path.join(folder, needed));
  if (asRoot) for (const needed of [file, certificate.cert, certificate.key, path.join(folder, 'body'), path.join(folder, 'proxy')]) await chown(needed, testUser, testUser);
  const [program, args] = name === 'nginx' ? ['/usr/sbin/nginx', ['-p', folder, '-c', file, '-e', 'stderr']] : ['/usr/bin/caddy', ['run', '--config', file, '--adapter', 'caddyfile']];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...asTestUser, env: { PATH: process.env['PATH'], HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(-20_000); });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill(name === 'nginx' ? 'SIGTERM' : 'SIGKILL');
      await gone;
    }
    await rm(folder, { recursive: true, force: true });
  };
  const deadline = Date.now() + startWithinMs;
  while (!await answers(port)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`${name} did not start:\n${said}`);
    }
    await wait(25);
  }
  return { url: `https://127.0.0.1:${port}`, certificate: made.cert, [Symbol.asyncDispose]: stop };
}

type Certificate = Readonly<{ cert: string; key: string }>;

function nginxFile(block: string, folder: string, port: number, { cert, key }: Certificate): string {
  const server = replaced(block, [
    [/listen 443 ssl;/, `listen 127.0.0.1:${port} ssl;`], [/ssl_certificate +\S+;/, `ssl_certificate ${cert};`], [/ssl_certificate_key +\S+;/, `ssl_certificate_key ${key};`],
  ]);
  return `daemon off;\nworker_processes 1;\npid ${folder}/nginx.pid;\nevents { worker_connections 256; }\nhttp {\naccess_log off;\nclient_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; `
    + `fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;\n${server}\n}\n`;
}

function caddyFile(block: string, port: number, { cert, key }: Certificate): string {
  const site = replaced(block, [[/^media\.example\.org \{\n/, `https://${documentedHost}:${port}, https://localhost:${port} {\n\ttls ${cert} ${key}\n`]]);
  return `{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n\tdefault_bind 127.0.0.1\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n${site}`;
}

/** Each pattern has to be there: a page that changed is not run half. */
function replaced(text: string, changes: readonly (readonly [RegExp, string])[]): string {
  return changes.reduce((so, [pattern, by]) => {
    if (!pattern.test(so)) throw new Error(`the documented configuration has no ${pattern}`);
    return so.replace(pattern, by);
  }, text);
}

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
