/** Signs requests as DFFmpeg clients do: HMAC-SHA256 over `METHOD|path|timestamp|hex(sha256(body))`. Neither the query nor any answer is signed. */
import { WeirError } from '@weir/contracts/errors';
import type { Signer } from './signer.ts';

/** Of so many changes the signatures are remembered, so that two that are alike are not taken for one that came twice. */
const rememberedChanges = 1_000;

/** A signer for `principal` with the 32 bytes that the server shares. */
export function dffmpegSigner(principal: string, secret: Uint8Array<ArrayBuffer>): Signer {
  if (secret.length !== 32) throw new WeirError('config.invalid', 'A request-signing key is 32 bytes in base64 (44 characters); copy it again as it was printed.');
  const key = crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const sent = new Set<string>();
  return {
    async prove({ method, target, headers, body = new Uint8Array() }, nowMs) {
      const digest = hex(await crypto.subtle.digest('SHA-256', body));
      for (let timestamp = Math.floor(nowMs / 1_000); ; timestamp += 1) {
        const text = new TextEncoder().encode(`${method}|${target.split('?', 1)[0] ?? ''}|${timestamp}|${digest}`);
        const signature = btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.sign('HMAC', await key, text))));
        // A change that is signed as an earlier one is refused as its repetition; a second later it is another.
        if (method !== 'GET' && method !== 'HEAD' && !isNew(sent, signature)) continue;
        return { headers: { ...headers, 'x-dffmpeg-client-id': principal, 'x-dffmpeg-timestamp': String(timestamp), 'x-dffmpeg-signature': signature } };
      }
    },
  };
}

function isNew(sent: Set<string>, signature: string): boolean {
  if (sent.has(signature)) return false;
  sent.add(signature);
  if (sent.size > rememberedChanges) sent.delete(sent.values().next().value ?? '');
  return true;
}

const hex = (bytes: ArrayBuffer): string => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
