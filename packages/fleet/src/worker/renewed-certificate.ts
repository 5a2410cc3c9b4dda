/**
 * Finds out whether a certificate that a worker has not pinned is the server's renewed one. The connection over which it asks is not trusted:
 * only the word of a key that was pinned counts, for the certificate that was met and the number that was sent. Who sits between, with a
 * certificate of his own, can fetch a word for the server's, but none for his.
 */
import { randomBytes } from 'node:crypto';
import https from 'node:https';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import { CertificateWords, certificatePath } from '@weir/contracts/instance';
import { vouchesFor, type AssignmentKey } from '../assignment.ts';
import { fingerprintOf } from './server-link.ts';

const askTimeoutMs = 15_000;
const maxReplyBytes = 32_768;

/** The fingerprint of the certificate that `origin` shows, if `key` vouches for it; undefined if not, or if nothing that can be read answers. */
export async function renewedCertificate(origin: URL, key: AssignmentKey, instance: string): Promise<string | undefined> {
  const nonce = randomBytes(16).toString('base64url');
  try {
    const { fingerprint, text } = await ask(new URL(`${certificatePath}?nonce=${nonce}`, origin));
    const { words } = CertificateWords.parse(JSON.parse(text));
    return words.some((word) => vouchesFor(key, word, { instance, fingerprint, nonce })) ? fingerprint : undefined;
  } catch {
    return undefined; // who asked says what was wrong: the certificate
  }
}

function ask(url: URL): Promise<{ fingerprint: string; text: string }> {
  return new Promise((resolve, reject) => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const request = https.get(url, { agent: false, rejectUnauthorized: false, servername: isIP(host) === 0 ? host : '', signal: AbortSignal.timeout(askTimeoutMs) }, (response) => {
      const { socket } = response;
      const fingerprint = socket instanceof TLSSocket ? fingerprintOf(socket) : '';
      const pieces: Buffer[] = [];
      let size = 0;
      response.on('data', (piece: Buffer) => {
        size += piece.length;
        pieces.push(piece);
        if (size > maxReplyBytes) request.destroy(new Error('too long'));
      });
      response.once('end', () => resolve({ fingerprint, text: Buffer.concat(pieces).toString('utf8') }));
      response.once('error', reject);
    });
    request.once('error', reject);
  });
}
