/**
 * Signs answers to requests that were signed as `http-message`: tag `weir-res:<instance>`, bound to the request by `"signature";req`, under
 * the instance's own key. Answers that are streams (media, events, exports) are not: their length is not known before they are sent, and
 * content is checked by its id.
 */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WeirError } from '@weir/contracts/errors';
import { contentDigest } from '@weir/security/request-signing/content-digest';
import { newNonce, signResponse, type MessageKey } from '@weir/security/request-signing/http-message';
import type { App } from './app.ts';
import type { Reply } from './reply.ts';

/** From now on `reply` is signed when it is sent whole. Call it only once the signature of the request has verified. */
export function signAnswers(app: App, { headers }: IncomingMessage, reply: Reply): void {
  const { signature, 'signature-input': input } = headers;
  if (typeof signature !== 'string' || typeof input !== 'string') return;
  reply.signWith((status, type, body) => {
    const covered: Record<string, string> = {
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(body === undefined ? {} : { 'content-digest': contentDigest(hash('sha256', body, 'buffer')) }),
    };
    const stamp = { instance: app.instanceId, createdSeconds: Math.floor(app.clock() / 1_000), nonce: newNonce() };
    return { ...covered, ...signResponse({ status, headers: covered }, { signature, 'signature-input': input }, instanceKey(app), stamp) };
  });
}

function instanceKey({ signing }: App): MessageKey {
  const key = signing.instance.signing;
  if (key.algorithm !== 'EdDSA') throw new WeirError('internal', 'The instance key can not sign.');
  return { id: key.id, algorithm: 'ed25519', public: key.public, ...(key.private === undefined ? {} : { private: key.private }) };
}
