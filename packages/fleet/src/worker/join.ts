/** Makes this machine a worker: uses an invitation up, with a key that is made here and stays here. */
import { generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WeirError } from '@weir/contracts/errors';
import { JoinReply, type JoinRequest } from '@weir/contracts/workers';
import { refusalOf, shortText } from './http-transfer.ts';
import { writeProfile } from './profile.ts';
import { openServerLink, type ServerLink } from './server-link.ts';

export const joinPath = '/api/v1/workers/join';

const timeoutMs = 30_000;
const maxReplyBytes = 16_384;

export type InviteLink = Readonly<{ server: URL; fingerprint: string | null; token: string }>;

/**
 * `https://host:port#FINGERPRINT:TOKEN`; `https://host#TOKEN` where a proxy ends TLS, whose certificate an authority has signed; `http://127.0.0.1:port#TOKEN`
 * on one machine. Errors: `invite.invalid`; the token is not repeated.
 */
export function parseInviteLink(text: string): InviteLink {
  const url = text.length <= 1_024 ? URL.parse(text) : null;
  const parts = url?.hash.slice(1).split(':') ?? [];
  const token = parts.at(-1) ?? '';
  const fingerprint = parts.length === 2 ? (parts[0] ?? '').toLowerCase() : null;
  const isWhole = url !== null && parts.length <= 2 && /^[A-Za-z0-9_-]{20,200}$/.test(token)
    && (url.protocol === 'https:' || (url.protocol === 'http:' && fingerprint === null)) && (fingerprint === null || /^[0-9a-f]{64}$/.test(fingerprint));
  if (!isWhole) throw new WeirError('invite.invalid', 'An invitation looks like https://host:port#FINGERPRINT:TOKEN or https://host#TOKEN; copy the whole line, in quotes.');
  return { server: new URL(url.origin), fingerprint, token };
}

/**
 * Joins as `name` and writes the profile `worker-<name>.json` (0600) into `home`; returns its path. `caPem` replaces the system's authorities where the
 * invitation names no certificate.
 * Errors: `invite.invalid`, `worker.name_taken`, `server.unreachable` (also when the certificate is another).
 */
export async function joinWorker(inviteLink: string, name: string, home: string, { caPem }: Readonly<{ caPem?: string }> = {}): Promise<string> {
  const { server, fingerprint, token } = parseInviteLink(inviteLink);
  using link = openServerLink({ server, ...(fingerprint !== null && { fingerprint }), ...(caPem !== undefined && { caPem }) });
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  const reply = await post(link, { token, name, public_key: x ?? '' });
  return await writeProfile(home, { name: reply.worker, server, fingerprint, privateKey, instance: reply.instance, instanceKey: reply.instance_key });
}

async function post(link: ServerLink, body: JoinRequest): Promise<JoinReply> {
  const text = Buffer.from(JSON.stringify(body));
  const request = link.request(new URL(joinPath, link.origin), {
    method: 'POST', agent: link.agent, signal: AbortSignal.timeout(timeoutMs),
    headers: { 'content-type': 'application/json', 'content-length': String(text.length) },
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', (cause) => reject(cause instanceof WeirError ? cause : new WeirError('server.unreachable', undefined, { cause })));
    request.end(text);
  });
  const answer = await shortText(response, maxReplyBytes);
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw refusalOf(answer, status);
  try {
    return JoinReply.parse(JSON.parse(answer ?? ''));
  } catch (cause) {
    throw new WeirError('server.unreachable', 'The answer is not that of a Weir server.', { cause });
  }
}
