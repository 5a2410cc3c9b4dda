/** The web page: files of the built application, held in memory, under a policy that lets nothing foreign run. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { WeirError } from '@weir/contracts/errors';
import type { App } from './app.ts';
import type { OfferedMethods } from './offered-methods.ts';
import type { Reply } from './reply.ts';
import { arrive } from './serve-route.ts';

const contentSecurityPolicy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "media-src 'self' blob:", "connect-src 'self'", "font-src 'self'",
  "manifest-src 'self'", "worker-src 'self' blob:", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
  "require-trusted-types-for 'script'", "trusted-types 'none'",
].join('; ');

const pageHeaders = Object.entries({
  'content-security-policy': contentSecurityPolicy, 'cross-origin-opener-policy': 'same-origin', 'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()', 'x-frame-options': 'DENY',
});

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.json': 'application/json',
  '.webmanifest': 'application/manifest+json', '.png': 'image/png', '.ico': 'image/x-icon', '.woff2': 'font/woff2',
};
const notBuilt = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Weir</title><h1>Weir is running</h1><p>The web page is not built. Run <code>npm run build -w @weir/web</code> and restart; the API works meanwhile.</p></html>';

type Page = Readonly<{ bytes: Buffer; zipped: Buffer; type: string; etag: string; cacheControl: string }>;

/** Answers whatever is no route. */
export type WebPage = (incoming: IncomingMessage, reply: Reply) => void;

/** The application's files, and its index for every address that a page of it has (`/library/…`). Nothing outside `folder` is reachable: paths are looked up, never opened. */
export async function openWebPage(app: App, folder: string, methodsOf: OfferedMethods): Promise<WebPage> {
  const files = await readPages(folder);
  const index = files.get('/index.html') ?? toPage('/index.html', Buffer.from(notBuilt));
  return (incoming, reply) => {
    arrive(app, incoming, { action: 'page.read', requestId: reply.requestId });
    const { method = 'GET', url = '/', headers } = incoming;
    const [target = '/'] = url.split('?');
    const isPage = (method === 'GET' || method === 'HEAD') && !/^\/(api|auth|ipfs|whip|whep|ws|\.well-known)(\/|$)/.test(target);
    const file = isPage ? (files.get(target) ?? (isAddressOfPage(target) ? index : undefined)) : undefined;
    if (file === undefined) throw absent(target, methodsOf(target), reply);
    for (const [name, value] of pageHeaders) reply.header(name, value);
    if (headers['if-none-match'] === file.etag) {
      reply.send(304);
      return;
    }
    const zip = /\bgzip\b/.test(headers['accept-encoding']?.toString() ?? '');
    if (zip) reply.header('content-encoding', 'gzip');
    reply.header('content-type', file.type).header('cache-control', file.cacheControl).header('etag', file.etag).header('vary', 'accept-encoding, origin').send(200, zip ? file.zipped : file.bytes);
  };
}

/** Files lie at the top or among the assets; below, a dot may be part of a name (`/access/principals/j.doe`). */
const isAddressOfPage = (target: string): boolean => path.posix.extname(target) === '' || (path.posix.dirname(target) !== '/' && !target.startsWith('/assets/'));

function absent(target: string, offered: readonly string[], reply: Reply): WeirError {
  if (offered.length === 0) return new WeirError('route.absent');
  reply.header('allow', offered.join(', '));
  return new WeirError('method.refused', `${target.slice(0, 200)} is offered with ${offered.join(', ')}.`);
}

async function readPages(folder: string): Promise<ReadonlyMap<string, Page>> {
  const pages = new Map<string, Page>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile() || entry.name.startsWith('.')) continue;
    const file = path.join(entry.parentPath, entry.name);
    const target = `/${path.relative(folder, file).split(path.sep).join('/')}`;
    pages.set(target, toPage(target, await readFile(file)));
  }
  return pages;
}

/** Assets carry a hash in their names, so they may be kept for ever; the index is asked for again each time. */
function toPage(target: string, bytes: Buffer): Page {
  return {
    bytes, zipped: gzipSync(bytes), type: types[path.posix.extname(target)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`,
    cacheControl: target.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
}
