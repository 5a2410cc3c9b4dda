/** Weir inside a program of your own: its streaming security, its media as verified bytes, and a place to put new ones. */
import { newUlid } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { parseCid } from '@weir/security/content-id';
import { StreamingSecurityManager } from '@weir/security/streaming-security-manager';
import type { App } from './app.ts';
import { loadConfig } from './config/load.ts';
import { embeddedAddress, embeddedStores } from './embedded-stores.ts';
import { firstAdmin } from './first-start.ts';
import { serve } from './serve.ts';
import { changeEntry } from './audit-trail.ts';
import { storeUpload } from './store-upload.ts';

export type WeirOptions = Readonly<{
  /** As `weir.toml` says it, in the same words: `{ streaming_security: { … }, api: { enabled: false } }`. Without a listed setting its default holds. */
  config?: Readonly<Record<string, unknown>>;
  /** `WEIR_…` settings win over `config`; the process's own by default. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Where everything is kept. */
  dataDirectory?: string;
}>;

/** Who reads or stores, and from where: the policies decide for this principal at this address. `admin` on this machine by default. */
type As = Readonly<{ principal?: string; address?: string; signal?: AbortSignal }>;
/** `startByte` and `endByte` are both included; an `endByte` beyond the end means the end. */
export type StreamMediaOptions = As & Readonly<{ startByte?: number; endByte?: number }>;
/** `onProgress` is told how many bytes have come so far. */
export type StreamToIpfsOptions = As & Readonly<{ filename?: string; maxBytes?: number; expectedSize?: number; onProgress?: (bytes: number) => void }>;

export type Weir = AsyncDisposable & Readonly<{
  /** Where it listens; undefined with `[api] enabled = false`. */
  url: string | undefined;
  /** One-time, ten minutes. */
  signInLink: string | undefined;
  /** Over the server's own principals, policies, grants and keys: its tokens open the server's doors, and the other way round. */
  streamingSecurity: StreamingSecurityManager;
  /**
   * The bytes of a content, in pieces of up to 1 MiB, each verified before it comes. `path`: a content id in any spelling, `/ipfs/ID` or `ipfs://ID`.
   * Ends with `policy.refused` when the right does. `object.absent`, `policy.refused`, `content.range`, `content.damaged`.
   */
  streamMedia(path: string, options?: StreamMediaOptions): AsyncIterable<Buffer>;
  /** Stores bytes and answers with their content id once they are durable. `request.too_large`, `content.incomplete`, `permission.refused`. */
  streamToIpfs(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options?: StreamToIpfsOptions): Promise<Readonly<{ cid: string; size: number; contentType: string }>>;
}>;

/** Starts Weir; `await using` stops it. Errors as those of a server's start. */
export async function createWeir({ config = {}, environment = process.env, dataDirectory }: WeirOptions = {}): Promise<Weir> {
  const loaded = loadConfig({ tree: { ...config }, environment });
  const { fleet, api } = loaded.config;
  await using starting = new AsyncDisposableStack();
  const server = starting.use(await serve({
    config: loaded.config, configWarnings: loaded.warnings, dataFlag: dataDirectory, environment, builtInWorker: fleet.enabled && fleet.built_in_worker, embedded: true,
  }));
  const { app } = server;
  const streamingSecurity = starting.use(securityOf(app));
  const running = starting.move();
  return {
    url: api.enabled ? server.url : undefined, signInLink: server.signInLink, streamingSecurity,
    streamMedia: (path, options = {}) => streamMedia(app, path, options),
    streamToIpfs: (content, options = {}) => streamToIpfs(app, content, options),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function securityOf(app: App): StreamingSecurityManager {
  const { streaming_security: settings, server } = app.config;
  const { access, grant } = app.signing;
  return new StreamingSecurityManager({
    enabled: settings.enabled, keyRing: app.keyRing, tokenKeys: { access: { signing: () => access.signing, all: access.all }, grant: { signing: () => grant.signing, all: grant.all } },
    issuer: app.tokenAudience, stores: embeddedStores(app), roles: app.roles, clock: app.clock, tokenExpirySeconds: settings.token_expiry_seconds, rateLimits: settings.rate_limits,
    ownOrigins: app.ownOrigins, allowedOrigins: [...server.cors.allowed_origins, ...settings.allowed_origins], trustedProxies: server.trusted_proxies,
    encryption: { enabled: settings.encryption.enabled, defaultKeyBits: settings.encryption.default_key_bits },
    onError: (error) => app.log.error({ err: error }, 'the audit trail of refusals was not written'),
  });
}

async function* streamMedia(app: App, path: string, { principal = firstAdmin, address = embeddedAddress, signal, startByte = 0, endByte }: StreamMediaOptions): AsyncGenerator<Buffer> {
  const { digest } = parseCid(path.replace(/^(?:ipfs:\/\/|\/ipfs\/)/, ''));
  const requestId = newUlid(app.clock());
  const identity = await app.gatekeeper.identities.ofPrincipal(principal, address);
  const admission = await app.gatekeeper.admit({ identity, action: 'content.read', resource: { kind: 'content', digest }, address, requestId, client: requestId });
  if (admission.holding === undefined) throw new WeirError('object.absent');
  const { row } = admission.holding;
  const ended = new AbortController();
  using _viewer = app.viewers.open(admission, (reason) => { ended.abort(new WeirError('policy.refused', `The right to read this ended (${reason}).`)); });
  app.audit.opened(admission, requestId, `holding:${row.id}`);
  const range = { start: startByte, end: Math.min((endByte ?? Infinity) + 1, row.size) };
  yield* app.content.read(row, range, AbortSignal.any([ended.signal, app.stopping, ...(signal === undefined ? [] : [signal])]));
}

async function streamToIpfs(
  app: App, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { principal = firstAdmin, address = embeddedAddress, signal, filename, expectedSize, maxBytes = app.config.content.max_upload_bytes, onProgress }: StreamToIpfsOptions,
): Promise<{ cid: string; size: number; contentType: string }> {
  const identity = await app.gatekeeper.identities.ofPrincipal(principal, address);
  const requestId = newUlid(app.clock());
  const admission = await app.gatekeeper.admit({ identity, action: 'content.write', resource: { kind: 'none' }, address, requestId });
  const row = await storeUpload(app, principal, counted(content, onProgress), {
    title: filename, maxBytes, expectedSize, signal: AbortSignal.any([app.stopping, ...(signal === undefined ? [] : [signal])]),
    entry: (stored) => changeEntry(admission, `holding:${stored.id}`, requestId, `${stored.size} bytes`),
  });
  return { cid: row.cid, size: row.size, contentType: row.content_type };
}

async function* counted(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, onProgress: ((bytes: number) => void) | undefined): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of content) {
    size += piece.length;
    yield piece;
    onProgress?.(size);
  }
}
