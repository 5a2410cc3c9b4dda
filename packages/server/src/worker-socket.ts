/** The one socket so far: a worker's connection, admitted before the upgrade and ended when its right ends. */
import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { newUlid } from '@weir/contracts/clock';
import { errors, isErrorCode, WeirError, type ErrorCode } from '@weir/contracts/errors';
import { maxWorkerFrameBytes, type Assignment } from '@weir/contracts/workers';
import { assignmentKeyOfHmac, signAssignment, signSuccessor } from '@weir/fleet/assignment';
import type { AccessRequest } from '@weir/security/gatekeeper';
import type { PrincipalRecord } from '@weir/security/principals';
import { rateLimitHeaders } from '@weir/security/rate-limits';
import { publicJwk } from '@weir/security/token-keys';
import { WebSocketServer, type WebSocket } from 'ws';
import type { App } from './app.ts';
import { instanceSigner } from './instance-signer.ts';
import { lastingRight, type LastingRight } from './lasting-right.ts';
import { fleet } from './routes/jobs.ts';
import { arrive, countingRefusals, evidenceOf, identifyOrCount, RateExceeded } from './serve-route.ts';
import { redeem } from './tickets.ts';

const path = '/api/v1/workers/connect';
/** The word that a connection ends gets this long to arrive. */
const hearingMs = 200;

/** Takes every upgrade request of the server: the worker's is admitted or refused, any other is `route.absent`. The answer stops that, and says so to all that are open. */
export function acceptSockets(server: Server, app: App): () => void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxWorkerFrameBytes, perMessageDeflate: false, clientTracking: true });
  const onUpgrade = (incoming: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    const requestId = newUlid();
    admit(app, incoming, requestId).then(
      ({ worker, address, sign, successors, right }) => {
        // Whoever hung up meanwhile has no connection that could end.
        socket.once('close', () => right[Symbol.dispose]());
        if (socket.destroyed) return right[Symbol.dispose]();
        sockets.handleUpgrade(incoming, socket, head, (accepted) => {
          endWith(accepted, right.signal);
          noteConnection(app, accepted, worker, address);
          fleet(app).attach(accepted, { worker, address, signAssignment: sign, newKeys: successors });
        });
      },
      (error: unknown) => refuse(app, socket, error, requestId),
    );
  };
  server.on('upgrade', onUpgrade);
  return () => {
    server.off('upgrade', onUpgrade);
    sockets.close();
    for (const accepted of sockets.clients) accepted.close(1012, 'stopping');
  };
}

type Admitted = Readonly<{
  worker: string; address: string; sign: (assignment: Assignment) => string; successors: () => readonly string[]; right: LastingRight;
}>;

async function admit(app: App, incoming: IncomingMessage, requestId: string): Promise<Admitted> {
  const address = arrive(app, incoming, { action: 'worker.connect', requestId });
  const facts = { action: 'worker.connect', address, requestId } as const;
  const since = app.gatekeeper.epochs.sequence;
  const evidence = await evidenceOf(app, incoming, facts);
  const { identity } = await identifyOrCount(app, evidence, incoming, undefined, facts);
  if ((incoming.url ?? '').split('?')[0] !== path) throw new WeirError('route.absent');
  const access: AccessRequest = { ...facts, identity, resource: { kind: 'own' }, since };
  await countingRefusals(app, facts, () => redeem(app, identity, facts.action, access.resource));
  const admission = await app.gatekeeper.admit(access);
  const worker = identity.principal ?? '';
  const verdict = await app.limits.take('signaling', worker, performance.now());
  if (!verdict.allowed) throw new RateExceeded(verdict);
  fleet(app);
  const record = await app.gatekeeper.identities.principal(worker);
  if (record === undefined) throw new WeirError('identity.required');
  const byHmac = evidence.signature !== undefined;
  return { worker, address, sign: signerFor(app, record, byHmac), successors: byHmac ? () => [] : successorsFor(app), right: lastingRight(app, access, admission) };
}

/** A worker with an HMAC key checks assignments with a key derived from it; one that joined has pinned the instance's own key. */
function signerFor(app: App, record: PrincipalRecord, byHmac: boolean): (assignment: Assignment) => string {
  const hmac = record.keys.find((key) => key.algorithm === 'hmac-sha256');
  if (byHmac && hmac !== undefined) return (assignment) => signAssignment(assignmentKeyOfHmac(hmac.key), assignment);
  return (assignment) => signAssignment(instanceSigner(app.signing.instance.signing), assignment);
}

/** That a worker came, and that it left. */
function noteConnection(app: App, socket: WebSocket, worker: string, address: string): void {
  const entry = { class: 'B', principal: worker, address, object: `worker:${worker}`, decision: 'allowed', requestId: '' } as const;
  app.audit.later({ ...entry, action: 'worker.connect', reason: 'connected' });
  socket.once('close', (code) => app.audit.later({ ...entry, action: 'worker.leave', reason: `closed with ${code}` }));
}

/**
 * What tells a worker of the instance's new key: the old keys' word for it, each time that the key that signs is another one than this
 * connection was told. A void key speaks for nothing, so after that its workers join again.
 */
function successorsFor(app: App): () => readonly string[] {
  let told: string | undefined;
  return () => {
    const { signing, all } = app.signing.instance;
    if (signing.id === told) return [];
    told = signing.id;
    const jwk = publicJwk(signing);
    const next = { kty: 'OKP' as const, crv: 'Ed25519' as const, x: jwk?.['x'] ?? '', kid: signing.id };
    return [...all.values()].filter((key) => key.id !== signing.id)
      .map((key) => signSuccessor(instanceSigner(key), { instance: app.instanceId, key: next }));
  };
}

/** A worker whose right ended is told so, and cut off whether it heard it or not. */
function endWith(accepted: WebSocket, right: AbortSignal): void {
  const end = (): void => {
    accepted.close(4403, 'no longer admitted');
    setTimeout(() => accepted.terminate(), hearingMs).unref();
  };
  if (right.aborted) end();
  else right.addEventListener('abort', end, { once: true });
}

function refuse(app: App, socket: Duplex, error: unknown, requestId: string): void {
  if (!(error instanceof WeirError)) app.log.error({ err: error, requestId }, 'a socket was not admitted');
  const code: ErrorCode = error instanceof WeirError && isErrorCode(error.code) ? error.code : 'internal';
  const body = JSON.stringify({ error: { ...(error instanceof WeirError ? error.facts : {}), code, message: error instanceof WeirError ? error.message : errors.internal.text, request_id: requestId } });
  const limits = error instanceof RateExceeded ? Object.entries(rateLimitHeaders(error.verdict)).map(([name, value]) => `${name}: ${value}\r\n`).join('') : '';
  const { status } = errors[code];
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\n${limits}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}
