/** What a worker proves itself with, and the assignments that it accepts in return. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { InstanceKey } from '@weir/contracts/workers';
import { digestOfBody, dffmpegHeaders, signDffmpeg } from '@weir/security/request-signing/dffmpeg';
import { newNonce, signRequest } from '@weir/security/request-signing/http-message';
import type { Secret } from '@weir/security/secret';
import { assignmentKeyOfHmac, assignmentKeyOfInstance, type AssignmentKey } from '../assignment.ts';

/** `hmac`: a `dffmpeg` key of 32 bytes. `ed25519`: the worker's own key, and the instance that it joined. */
export type WorkerCredentials =
  | Readonly<{ kind: 'hmac'; key: Secret }>
  | Readonly<{ kind: 'ed25519'; privateKey: KeyObject; publicKey: KeyObject; instance: string; instanceKey: InstanceKey }>;

/** Headers that sign a request without a body, for `name`. `target` is the raw path. */
export function signedHeaders(credentials: WorkerCredentials, name: string, method: string, target: string, nowMs: number): Record<string, string> {
  const seconds = Math.floor(nowMs / 1_000);
  if (credentials.kind === 'ed25519') {
    const key = { id: name, algorithm: 'ed25519', public: credentials.publicKey, private: credentials.privateKey } as const;
    return { ...signRequest({ method, target, headers: {} }, key, { instance: credentials.instance, createdSeconds: seconds, nonce: newNonce() }) };
  }
  const request = { method, path: target, timestamp: String(seconds), bodyDigest: digestOfBody(new Uint8Array(0)) };
  return {
    [dffmpegHeaders.clientId]: name, [dffmpegHeaders.timestamp]: request.timestamp,
    [dffmpegHeaders.signature]: signDffmpeg(createSecretKey(credentials.key.reveal()), request),
  };
}

/** The key under which this worker's assignments must be signed. */
export function assignmentKeyOf(credentials: WorkerCredentials): AssignmentKey {
  return credentials.kind === 'hmac' ? assignmentKeyOfHmac(credentials.key.reveal()) : assignmentKeyOfInstance(credentials.instanceKey);
}
