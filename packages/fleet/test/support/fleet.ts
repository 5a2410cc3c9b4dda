/** A coordinator behind a small HTTP server on loopback, with a real content store and database, for tests that talk to it as workers do. */
import { createPublicKey, createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { WeirError } from '@weir/contracts/errors';
import { JobRequest, type Job } from '@weir/contracts/jobs';
import { JoinRequest } from '@weir/contracts/workers';
import { openBlobStore } from '@weir/content/blob-store';
import { ContentStore, type HoldingRow } from '@weir/content/store';
import type { Data } from '@weir/data/data';
import { builtinRoles } from '@weir/security/roles';
import { KeyRing } from '@weir/security/key-ring';
import { newMasterKey, parseMasterKeys, printMasterKeys, type MasterKeys } from '@weir/security/master-keys';
import { readRequestSignature, verifySignature } from '@weir/security/request-signing/http-message';
import { digestOfBody, dffmpegHeaders, verifyDffmpeg } from '@weir/security/request-signing/dffmpeg';
import { Secret } from '@weir/security/secret';
import { newTokenKey, publicJwk, type TokenKey } from '@weir/security/token-keys';
import { verifyToken } from '@weir/security/tokens';
import { assignmentKeyOfHmac, signAssignment, type AssignmentKey } from '../../src/assignment.ts';
import { Coordinator, type CoordinatorOptions, type SubmitOptions } from '../../src/coordinator/coordinator.ts';
import { jobGrantSigner } from '../../src/coordinator/grants.ts';
import { acceptJoin } from '../../src/coordinator/invites.ts';
import type { Timings, VerifyOutputs } from '../../src/coordinator/context.ts';
import type { WorkerCredentials } from '../../src/worker/credentials.ts';
import { temporaryFolder, type TemporaryFolder } from '../../../data/test/support/temporary.ts';

const quick: Partial<Timings> = { lease: 1_500, tick: 100, stall: 20_000, cancel: 1_000, live: 3_000, grace: 300, hello: 2_000, poll: 100 };

/** Publishes what came, without looking at it: for tests of the way, not of media. */
const unexamined: VerifyOutputs = async ({ outputs }) => outputs.map(({ name, received }) => ({ name, received, contentType: 'application/octet-stream', probe: null }));

export type FleetOptions = Readonly<{ timings?: Partial<Timings>; verify?: (parts: { data: Data; content: ContentStore; scratch: string }) => VerifyOutputs; tls?: { key: string; cert: string }; authorize?: (owner: string, holding: string) => boolean;
  /** A folder that outlives the process, with its keys in it, instead of a temporary one. */
  directory?: string;
  /** Another node of the same installation: one database, one content store, the same keys. */
  peer?: Fleet }>;

export async function startFleet(data: Data, options: FleetOptions = {}): Promise<Fleet> {
  return await startNode(data, options);
}

type Shared = Readonly<{ folder: TemporaryFolder; scratch: string; content: ContentStore; instance: string; key: TokenKey; hmacKeys: Map<string, Secret> }>;

async function newInstallation(data: Data, cleanup: AsyncDisposableStack, directory: string | undefined): Promise<Shared> {
  const folder = directory === undefined ? cleanup.use(await temporaryFolder()) : lasting(directory);
  // As root, media programs run as nobody, who must reach the outputs below.
  await chmod(folder.path, 0o711);
  const scratch = folder.join('jobs');
  await mkdir(scratch, { mode: 0o700, recursive: true });
  const content = new ContentStore(await openBlobStore(folder.path), new KeyRing(await keysIn(folder.join('keys'))), data.read, { encrypt: true });
  return { folder, scratch, content, instance: `weir-${randomUUID()}`, key: newTokenKey('k1'), hmacKeys: new Map() };
}

async function startNode(data: Data, options: FleetOptions) {
  const cleanup = new AsyncDisposableStack();
  const shared: Shared = options.peer?.shared ?? await newInstallation(data, cleanup, options.directory);
  const { folder, scratch, content, instance, key, hmacKeys } = shared;
  if (key.algorithm !== 'EdDSA' || key.private === undefined) throw new Error('a signing key is needed');
  const instanceSigner: AssignmentKey = { algorithm: 'EdDSA', key: key.private };
  const errors: unknown[] = [];
  const coordinatorOptions: CoordinatorOptions = {
    data, content, directory: folder.path, instance, timings: { ...quick, ...options.timings },
    authorizeInput: async (owner, holding) => options.authorize?.(owner, holding) ?? true,
    signGrant: jobGrantSigner('weir', instance, () => key), onError: (error) => errors.push(error),
    verifyOutputs: options.verify?.({ data, content, scratch }) ?? unexamined,
  };
  const state = { coordinator: new Coordinator(coordinatorOptions), requests: 0, breakInputAfter: 0 };
  state.coordinator.start();

  const jobOf = (request: http.IncomingMessage) => {
    const verdict = verifyToken((request.headers.authorization ?? '').replace(/^Bearer /, ''), { purpose: 'job', issuer: 'weir', audience: instance, keys: new Map([[key.id, key]]) }, Date.now() / 1_000);
    if (!('claims' in verdict) || verdict.claims === undefined) throw new WeirError('identity.required');
    return verdict.claims;
  };

  async function serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const path = decodeURIComponent(request.url ?? '');
    if (path === '/api/v1/workers/join') return await accept(request, response);
    const [, id, kind, part] = /^\/api\/v1\/jobs\/([^/]+)\/(inputs|outputs)\/(.+)$/.exec(path) ?? [];
    if (id === undefined || part === undefined) throw new WeirError('route.absent');
    const claims = jobOf(request);
    if (claims.job !== id || claims.object !== `${kind === 'inputs' ? 'input' : 'output'}:${part}`) throw new WeirError('permission.refused');
    if (kind === 'inputs') return await input(claims, Number(part), request, response);
    await state.coordinator.receiveOutput({ job: id, fence: claims.fence, worker: claims.sub }, {
      name: part, size: Number(request.headers['content-length']), sha256: String(request.headers['x-weir-sha256']), bytes: request,
    });
    response.writeHead(204).end();
  }

  async function input(claims: { job: string; fence: number; sub: string }, index: number, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const opened = await state.coordinator.openInput(claims.job, claims.fence, claims.sub, index);
    const holding = await holdingById(opened.holding);
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start === 0 ? 200 : 206, { 'content-length': holding.size - start });
    let sent = 0;
    for await (const piece of content.read(holding, { start, end: holding.size })) {
      response.write(piece);
      sent += piece.length;
      if (state.breakInputAfter > 0 && sent >= state.breakInputAfter) {
        state.breakInputAfter = 0;
        await new Promise((resolve) => { setTimeout(resolve, 50); });
        request.socket.destroy();
        return;
      }
    }
    response.end();
  }

  async function accept(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JoinRequest.parse(JSON.parse(Buffer.concat(chunks).toString()));
    await acceptJoin(data, builtinRoles, body, Date.now());
    const jwk = publicJwk(key);
    response.writeHead(201).end(JSON.stringify({ worker: body.name, instance, instance_key: { kty: 'OKP', crv: 'Ed25519', x: jwk?.['x'], kid: key.id } }));
  }

  /** Who connects, and how its assignments are signed; undefined for nobody. */
  async function admit(request: http.IncomingMessage): Promise<{ worker: string; signer: AssignmentKey } | undefined> {
    const name = String(request.headers[dffmpegHeaders.clientId] ?? '');
    const secret = hmacKeys.get(name);
    const now = Date.now() / 1_000;
    if (secret !== undefined) {
      const signed = {
        method: 'GET', path: request.url ?? '', timestamp: String(request.headers[dffmpegHeaders.timestamp]), bodyDigest: digestOfBody(new Uint8Array(0)),
        signature: String(request.headers[dffmpegHeaders.signature]),
      };
      return verifyDffmpeg(createSecretKey(secret.reveal()), signed, now) === undefined ? undefined : { worker: name, signer: assignmentKeyOfHmac(secret.reveal()) };
    }
    const read = readRequestSignature({ method: 'GET', target: request.url ?? '', headers: request.headers }, instance);
    if (read === undefined) return undefined;
    const row = await data.read.selectFrom('principal_key').selectAll().where('principal', '=', read.keyId).executeTakeFirst();
    const known = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: row?.public_key ?? '' }, format: 'jwk' });
    return verifySignature(read, { id: read.keyId, algorithm: 'ed25519', public: known }, now) ? { worker: read.keyId, signer: instanceSigner } : undefined;
  }

  const sockets = new Set<Duplex>();
  const upgrades = new WebSocketServer({ noServer: true, maxPayload: 256 * 1024 });
  const handler = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    state.requests += 1;
    serve(request, response).catch((error: unknown) => {
      const known = error instanceof WeirError ? error : new WeirError('internal');
      if (known !== error) errors.push(error);
      if (!response.headersSent) response.writeHead(known.status, { connection: 'close' });
      response.end(JSON.stringify({ error: { code: known.code, message: known.message } }));
    });
  };
  const server = options.tls === undefined ? http.createServer(handler) : https.createServer(options.tls, handler);
  server.on('connection', (socket: Duplex) => { sockets.add(socket); socket.once('close', () => sockets.delete(socket)); });
  server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    admit(request).then((admitted) => {
      if (admitted === undefined) return void socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n');
      upgrades.handleUpgrade(request, socket, head, (ws) => state.coordinator.attach(ws, {
        worker: admitted.worker, address: '127.0.0.1', signAssignment: (assignment) => signAssignment(admitted.signer, assignment),
      }));
    }, (error: unknown) => errors.push(error));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address: AddressInfo = server.address() as AddressInfo;
  cleanup.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  cleanup.defer(() => state.coordinator[Symbol.asyncDispose]());

  async function holdingById(id: string): Promise<HoldingRow> {
    return await data.read.selectFrom('holding').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  }

  return {
    state, data, content, errors, folder, shared, url: new URL(`${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}`),
    /** An HMAC worker's credentials. */
    worker(name: string): Extract<WorkerCredentials, { kind: 'hmac' }> {
      const secret = hmacKeys.get(name) ?? new Secret(randomBytes(32));
      hmacKeys.set(name, secret);
      return { kind: 'hmac', key: secret };
    },
    async upload(owner: string, bytes: Uint8Array): Promise<HoldingRow> {
      const received = await content.receive((async function* () { yield bytes; })(), { maxBytes: 100_000_000 });
      return await data.write((tx) => content.publish(tx, owner, received, { title: 'input', contentType: 'video/mp4', policy: null, ceilings: '[]', origin: null, now: Date.now() }));
    },
    async submit(owner: string, request: unknown, extra: Omit<SubmitOptions, 'resolveInput'> = {}): Promise<Job> {
      return await state.coordinator.submit(owner, JobRequest.parse(request), {
        resolveInput: async (cid) => {
          const row = await data.read.selectFrom('holding').selectAll().where('cid', '=', cid).where('owner', '=', owner).executeTakeFirst();
          if (row === undefined) throw new WeirError('object.absent');
          return { holding: row.id, cid, size: row.size, contentType: row.content_type };
        }, ...extra,
      });
    },
    /** Ends the coordinator as a crash would look to workers, and begins a new one on the same data. */
    async restartCoordinator(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await state.coordinator[Symbol.asyncDispose]();
      state.coordinator = new Coordinator(coordinatorOptions);
      state.coordinator.start();
    },
    dropConnections(): void { for (const socket of sockets) socket.destroy(); },
    async ended(id: string, timeoutMs = 20_000): Promise<Job> {
      const signal = AbortSignal.timeout(timeoutMs);
      for await (const event of state.coordinator.events(id, signal)) {
        if (event.type === 'state' && ['completed', 'failed', 'canceled'].includes(event.job.state)) return event.job;
      }
      throw new Error(`the job is ${(await state.coordinator.get(id)).state}`);
    },
    async until(id: string, state_: string, timeoutMs = 10_000): Promise<Job> {
      for await (const event of state.coordinator.events(id, AbortSignal.timeout(timeoutMs))) {
        if (event.type === 'state' && event.job.state === state_) return event.job;
      }
      throw new Error(`the job never was ${state_}`);
    },
    async bytesOf(cid: string): Promise<Buffer> {
      const row = await data.read.selectFrom('holding').selectAll().where('cid', '=', cid).where('deleted_at', 'is', null).executeTakeFirstOrThrow();
      const pieces: Buffer[] = [];
      for await (const piece of content.read(row, { start: 0, end: row.size })) pieces.push(piece);
      return Buffer.concat(pieces);
    },
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}
export type Fleet = Awaited<ReturnType<typeof startNode>>;

const lasting = (path: string): TemporaryFolder => ({ path, join: (...names) => join(path, ...names), [Symbol.asyncDispose]: async () => undefined });

async function keysIn(path: string): Promise<MasterKeys> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text !== undefined) return parseMasterKeys(text);
  const master = newMasterKey('m1');
  await writeFile(path, printMasterKeys({ current: master.id, keys: [master] }));
  return { current: master.id, keys: [master] };
}
