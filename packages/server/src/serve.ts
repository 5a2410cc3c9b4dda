/** Starts a server from its configuration, and stops it: the one place where everything is put together. */
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { openBlobStore } from '@weir/content/blob-store';
import { ContentStore, type ContentEncryption } from '@weir/content/store';
import { systemClock, type Clock } from '@weir/contracts/clock';
import { WeirError } from '@weir/contracts/errors';
import { openDataDirectory } from '@weir/data/data-directory';
import { cutAudit } from '@weir/data/audit-retention';
import { epochsSince } from '@weir/data/epochs';
import type { Data } from '@weir/data/data';
import { forgetExpired } from '@weir/data/security-stores/expired';
import { rotateOldKeys } from '@weir/data/security-stores/key-rotation';
import { openSharedLimits, sweepRateLimits } from '@weir/data/security-stores/shared-limits';
import { openSharedReplay, sweepReplayKeys } from '@weir/data/security-stores/shared-replay';
import { Viewers } from '@weir/delivery/viewers';
import { Epochs } from '@weir/security/epochs';
import type { ExternalIssuers } from '@weir/security/external-issuers';
import { Gatekeeper } from '@weir/security/gatekeeper';
import { compileHosts } from '@weir/security/hosts';
import { Identities } from '@weir/security/identity';
import { compileNetworks } from '@weir/security/networks';
import { compileOrigins, type OriginRules } from '@weir/security/origins';
import { defaultRateLimits, RateLimits, type RateLimit, type RateLimitName } from '@weir/security/rate-limits';
import { Redactor } from '@weir/security/redaction';
import { withKey } from '@weir/security/shared-secret';
import { sharedSecretKey, type TokenKey } from '@weir/security/token-keys';
import type { Logger } from 'pino';
import type { App, Warning } from './app.ts';
import { AuditTrail, startEntry } from './audit-trail.ts';
import { openWebhooks } from './audit-webhooks.ts';
import { checkBind } from './bind-gate.ts';
import { startBuiltInWorker } from './built-in-worker.ts';
import type { Config } from './config/schema.ts';
import { openFleet } from './fleet.ts';
import { prepareFirstStart, prepareProxyPrincipals } from './first-start.ts';
import { sweepGarbage } from './garbage.ts';
import { allRoutes, buildHttpServer } from './http-server.ts';
import { identitiesOf, openInstance, type Instance } from './instance.ts';
import { openIssuers } from './issuers.ts';
import { followKeyChanges } from './key-changes.ts';
import { openLog } from './log.ts';
import { objectStore, type StoredHolding } from './object-store.ts';
import { dataDirectory, keyDirectory } from './places.ts';
import { proxyHeaders, trustedProxies } from './proxy-claim.ts';
import { OpenConnections } from './open-connections.ts';
import { offeredMethods } from './offered-methods.ts';
import { openReplayMemory } from './replay-memory.ts';
import { openOidcProviders } from './sign-in/oidc-provider.ts';
import { SessionUse } from './session-use.ts';
import { openSteadyClock } from './steady-clock.ts';
import { openTls, type ServerTls } from './tls.ts';
import { followCertificate } from './tls-reload.ts';
import { listenOnUnixSocket } from './unix-socket.ts';
import { version } from './version.ts';
import { openWebPage } from './web-page.ts';
import { acceptSockets } from './worker-socket.ts';

export type ServeOptions = Readonly<{
  /** As `loadConfig` gives it, with what it warns of. */
  config: Config; configWarnings?: readonly Warning[]; dataFlag?: string | undefined; environment: Readonly<Record<string, string | undefined>>; builtInWorker: boolean;
  /** A program calls it by itself, so that it may go without a port. */
  embedded?: boolean;
}>;

export type RunningServer = AsyncDisposable & Readonly<{
  app: App;
  url: string;
  instanceId: string;
  dataPath: string;
  /** One-time, ten minutes; made at each start for the first admin. */
  signInLink: string | undefined;
  warnings: readonly Warning[];
  fleetProblem: string | undefined;
  /** SHA-256 of the certificate, in hex; undefined without TLS. */
  fingerprint: string | undefined;
  /** Ingest and transcode of the bundled clip of a new instance; settled when that has been tried. */
  firstClip: Promise<void>;
}>;

const webFolder = fileURLToPath(new URL('../../web/dist', import.meta.url));
const garbageEveryMs = 600_000;
/** What the last word to sockets has to arrive. */
const lastWordMs = 200;
const sharedSweepEveryMs = 60_000;
const dayMs = 86_400_000;

/** Errors: `config.invalid`, `data.locked`, `data.newer`, `keys.lost`, `keys.wrong`, `server.port_used`, `file.permissions`. */
export async function serve({ config, configWarnings = [], dataFlag, environment, builtInWorker, embedded = false }: ServeOptions): Promise<RunningServer> {
  if (!config.api.enabled && !embedded) throw new WeirError('config.invalid', '[api] enabled = false leaves nothing to start: remove it, or embed Weir in a program of your own (createWeir).');
  await using starting = new AsyncDisposableStack();
  const dataPath = dataDirectory(config, dataFlag, environment);
  await mkdir(dataPath, { recursive: true, mode: 0o700 });
  const directory = starting.use(await openDataDirectory(dataPath));
  const instance = starting.use(await openInstance({ config, dataFlag, environment, create: true }));
  const warnings = [...configWarnings, ...checkBind(config, instance.roles)];
  const redactor = new Redactor();
  if (config.streaming_security.secret_key !== undefined) redactor.register(config.streaming_security.secret_key);
  const log = openLog(config.log.level, redactor);
  const oidc = await openOidcProviders(config.identity.oidc, instance.roles, redactor);
  const clock = starting.use(await openSteadyClock(instance.data, systemClock, (error) => { log.error({ err: error }, 'the time could not be stored'); }));
  if (clock.behindMs > 0) warnings.push(clockWarning(clock.behindMs));
  const tls = await openTls(config, keyDirectory(config, environment), instance.id);

  const stopping = new AbortController();
  starting.defer(() => stopping.abort(new WeirError('server.stopping')));
  const epochs = new Epochs({ since: (sequence) => epochsSince(instance.data.watch, sequence) });
  starting.use(followKeyChanges(epochs, instance, log));
  const audit = starting.use(new AuditTrail({
    data: instance.data, signer: instance.auditSigner, clock: clock.now, log, checkpointSeconds: config.audit.checkpoint_seconds,
  }));
  const issuers = openIssuers(instance, { clock: clock.now, audit, epochs, log });
  const gatekeeper = gatekeeperOf(instance, clock.now, { epochs, audit, issuers }, () => viewers);
  const viewers: Viewers<StoredHolding> = new Viewers(gatekeeper);
  const content = new ContentStore(await openBlobStore(directory.path), instance.keyRing, instance.data.read, encryptionOf(config));
  const place = new ListeningPlace(config, instance.id, tls);

  const fleet = await openFleet({ instance, clock: clock.now, content, gatekeeper, audit, log, directory });
  const app: App = {
    version, config, clock: clock.now, log, data: instance.data, dataPath: directory.path, instanceId: instance.id, tokenAudience: instance.tokenAudience,
    keyRing: instance.keyRing, signing: instance.signing, roles: instance.roles, gatekeeper, viewers, content, coordinator: fleet.coordinator,
    fleetProblem: fleet.problem, audit, ...await sharedStateOf(config, instance.data, clock.now, log),
    hosts: compileHosts(place.hosts()), ownOrigins: place.origins, allowedOrigins: compileOrigins([...config.server.cors.allowed_origins, ...config.streaming_security.allowed_origins]),
    proxies: { proxies: compileNetworks(trustedProxies(config)), directUse: config.server.behind_proxy ? 'refused' : 'allowed' },
    socketProxies: { proxies: compileNetworks([...trustedProxies(config), '127.0.0.1']), directUse: 'refused' }, proxyHeaders: proxyHeaders(config),
    sessionUse: new SessionUse(instance.data, clock.now, log), oidc, secure: tls !== undefined || config.server.behind_proxy, publicUrl: () => place.url, certificateFingerprint: () => tls?.fingerprint ?? null,
    warnings: [...warnings, ...fleet.warnings], stopping: stopping.signal,
  };
  if (fleet.coordinator !== undefined) starting.use(fleet.coordinator);

  await epochs.start((error) => { log.warn({ err: error }, 'the store of rights could not be read'); });
  starting.defer(() => epochs.stop());
  epochs.onLost(() => {
    log.error('the store of rights could not be read for five seconds; every stream is ended');
    viewers.endAll('rights unreadable');
  });
  audit.start(gatekeeper.refusals);
  audit.later(startEntry(config));
  starting.use(await openWebhooks({
    data: instance.data, audit, clock: clock.now, log, instance: instance.id, signingKey: () => instance.signing.audit.signing,
    deadAfterDays: config.audit.webhook_dead_days, node: instance.auditSigner.writer,
  }, config.audit.webhooks));
  const server = buildHttpServer(app, tls, await openWebPage(app, webFolder, offeredMethods(allRoutes)));
  if (tls !== undefined) starting.use(followCertificate(tls, log));
  const stopSockets = acceptSockets(server, app);
  const connections = new OpenConnections();
  connections.follow(server);
  starting.defer(async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    await connections.end(0);
    await closed;
  });
  if (config.api.enabled) {
    place.bound(await listen(server, config));
    if (config.server.socket_path !== undefined) starting.use(await listenOnUnixSocket(server, config.server.socket_path, { maxConnections: config.server.max_connections, connections }));
    log.info(`Listening at ${place.url}`);
    await directory.announce(place.url);
  }
  starting.defer(async () => {
    // New requests are refused, running ones are cut: nothing waits for a slow reader.
    stopping.abort(new WeirError('server.stopping'));
    viewers.stop();
    stopSockets();
    server.closeAllConnections();
    await connections.end(lastWordMs);
  });
  fleet.coordinator?.start();
  const garbage = setInterval(() => { tidy(app).catch((error: unknown) => { log.error({ err: error }, 'what nobody needs was not removed'); }); }, garbageEveryMs);
  starting.defer(() => clearInterval(garbage));
  if (app.data.engine === 'postgres') {
    const sweeping = setInterval(() => { sweepShared(app).catch((error: unknown) => { log.error({ err: error }, 'old signatures and limits were not removed'); }); }, sharedSweepEveryMs);
    starting.defer(() => clearInterval(sweeping));
  }

  const signInLink = await prepareFirstStart(app);
  await prepareProxyPrincipals(app);
  if (builtInWorker && config.api.enabled && fleet.coordinator !== undefined) starting.use(await startBuiltInWorker(app, tls, directory.jobs));
  const firstClip = instance.isNew && !embedded ? (await import('./first-clip.ts')).addFirstClip(app) : Promise.resolve();
  const running = starting.move();
  return {
    app, url: place.url, instanceId: instance.id, dataPath: directory.path, signInLink, warnings: app.warnings, fleetProblem: fleet.problem,
    fingerprint: tls?.fingerprint, firstClip, [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Removes blobs that nothing names, evidence that ended long ago, and audit events that are older than they are kept; replaces old signing keys where that is wanted. */
async function tidy(app: App): Promise<void> {
  await sweepGarbage(app);
  const now = app.clock();
  const { rotation_days: days } = app.config.keys;
  const replaced = days === 0 ? [] : await app.data.write((tx) => rotateOldKeys(tx, app.keyRing, { now, maxAgeMs: days * dayMs }));
  if (replaced.length > 0) app.log.info({ purposes: replaced }, 'signing keys were replaced by age');
  await app.signing.reload(now);
  await app.data.write((tx) => forgetExpired(tx, now));
  const { retention_days: keptDays, require_export: requireExport } = app.config.audit;
  if (keptDays > 0) await cutAudit(app.data, app.audit.signer, { olderThanMs: now - keptDays * dayMs, requireExport }, now);
}

async function sweepShared({ data }: App): Promise<void> {
  await sweepReplayKeys(data);
  await sweepRateLimits(data);
}

type Deciding = Readonly<{ epochs: Epochs; audit: AuditTrail; issuers: ExternalIssuers | undefined }>;

function gatekeeperOf(instance: Instance, clock: Clock, { epochs, audit, issuers }: Deciding, viewers: () => Viewers<StoredHolding>): Gatekeeper<StoredHolding> {
  const { signing, tokenAudience, config, roles } = instance;
  const identities = new Identities({
    store: identitiesOf(instance), roles, defaultRole: config.permissions.default_role, epochs, clock, external: issuers,
    sessionIdleMs: config.streaming_security.session_idle_seconds * 1_000,
    tokens: { issuer: tokenAudience, audience: tokenAudience, keys: { access: withKey(signing.access.all, sharedKey(config)), grant: signing.grant.all, job: signing.job.all, ticket: signing.ticket.all, playlist: signing.playlist.all } },
  });
  return new Gatekeeper({
    identities, epochs, objects: objectStore(instance.data.read, clock), clock, auditWorks: () => audit.works,
    openings: (key, holding, client) => viewers().openings(key, holding, client),
  });
}

function encryptionOf({ streaming_security: { encryption } }: Config): ContentEncryption {
  return { encrypt: encryption.enabled, keyBits: encryption.default_key_bits, keyScope: encryption.key_scope };
}

/** The key of access tokens that other programs make for this server. */
const sharedKey = ({ streaming_security: { secret_key: secret } }: Config): TokenKey | undefined =>
  (secret === undefined ? undefined : sharedSecretKey('shared', secret, '[streaming_security] secret_key'));

const clockWarning = (behindMs: number): Warning => ({
  code: 'clock.behind', message: `The machine's clock is ${Math.round(behindMs / 1_000)} s behind what this instance has seen already; until it catches up the later time counts.`,
  next_step: 'Set the clock right (timedatectl), then start Weir again.',
});

/** What the nodes of a cluster count together, one node alone counts in its memory. */
async function sharedStateOf(config: Config, data: Data, clock: Clock, log: Logger): Promise<Pick<App, 'limits' | 'replay'>> {
  const limits = limitsOf(config);
  if (data.engine === 'sqlite') return { limits: new RateLimits(limits), replay: await openReplayMemory(data, clock, log) };
  return { limits: openSharedLimits(data, limits), replay: await openSharedReplay(data) };
}

function limitsOf(config: Config): Record<RateLimitName, RateLimit> {
  const chosen = Object.entries(config.streaming_security.rate_limits).map(([name, { limit, period }]) => [name, { limit, periodSeconds: period }] as const);
  return { ...defaultRateLimits, ...Object.fromEntries(chosen) };
}

async function listen(server: Server, config: Config): Promise<number> {
  const { address, port } = config.server;
  try {
    // Rejects with the error that comes in the place of the event.
    await once(server.listen({ host: address, port }), 'listening');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'EADDRINUSE') throw new WeirError('server.port_used', `Port ${port} on ${address} is in use. Choose another with --port, or stop what uses it.`, { cause });
    if (code === 'EADDRNOTAVAIL') throw new WeirError('config.invalid', `This machine has no address ${address}; see [server] address.`, { cause });
    if (code === 'EACCES') throw new WeirError('config.invalid', `Port ${port} needs privileges that Weir gives up; choose one above 1023.`, { cause });
    throw cause;
  }
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}

/** Where the server is reached: known in full only once it listens. */
class ListeningPlace {
  readonly #config: Config;
  readonly #instanceId: string;
  readonly #scheme: 'http' | 'https';
  #port: number;
  #origins: OriginRules = { allows: () => false };
  /** Origins of our own pages. */
  readonly origins: OriginRules = { allows: (origin) => this.#origins.allows(origin) };

  constructor(config: Config, instanceId: string, tls: ServerTls | undefined) {
    this.#config = config;
    this.#instanceId = instanceId;
    this.#scheme = tls === undefined ? 'http' : 'https';
    this.#port = config.server.port;
  }

  bound(port: number): void {
    this.#port = port;
    const { public_url: publicUrl, allowed_hosts: hosts } = this.#config.server;
    const local = this.#localNames().map((name) => `${this.#scheme}://${name}:${port}`);
    this.#origins = compileOrigins([
      ...local.map((origin) => new URL(origin).origin), ...(publicUrl === undefined ? [] : [new URL(publicUrl).origin]),
      ...hosts.flatMap((host) => [`https://${host}`, ...(this.#scheme === 'https' ? [`https://${host}:${port}`] : [])]),
    ]);
  }

  /** Names of this machine for itself, and the address that it listens on. */
  #localNames(): string[] {
    const { address } = this.#config.server;
    const literal = address.includes(':') ? `[${address}]` : address;
    const any = address === '0.0.0.0' || address === '::';
    return [...new Set(['127.0.0.1', '[::1]', 'localhost', `${this.#instanceId}.localhost`, ...(any ? [] : [literal])])];
  }

  hosts(): string[] {
    const { public_url: publicUrl, allowed_hosts: hosts } = this.#config.server;
    return [...this.#localNames(), ...hosts, ...(publicUrl === undefined ? [] : [new URL(publicUrl).hostname])];
  }

  get url(): string {
    const { public_url: publicUrl, address } = this.#config.server;
    if (publicUrl !== undefined) return new URL(publicUrl).origin;
    const any = address === '0.0.0.0' || address === '::';
    const host = any ? '127.0.0.1' : address.includes(':') ? `[${address}]` : address;
    return new URL(`${this.#scheme}://${host}:${this.#port}`).origin;
  }
}

