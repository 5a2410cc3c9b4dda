/**
 * Signs requests by the profile `http-message` (a closed subset of RFC 9421) with WebCrypto, and checks the server's signatures of its
 * answers: bound to the request by `"signature";req`, over status, content type and body. In browsers and Node.
 */
import { WeirError } from '@weir/contracts/errors';
import type { InstanceDocument } from '@weir/contracts/instance';
import type { Proof, ProvableRequest, ReceivedAnswer, ServerSource, Signer, SigningKey } from './signer.ts';

type ImportedKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const coveredHeaders = ['content-digest', 'content-type', 'range', 'idempotency-key'];
const answerPattern = /^weir=\(([^()]*)\)(;created=\d{1,15};nonce="[A-Za-z0-9_-]{16,64}";keyid="([A-Za-z0-9._:-]{1,128})";tag="([a-z-]+:[A-Za-z0-9._-]{1,64})")$/;
const signaturePattern = /^weir=:([A-Za-z0-9+/]{86}==):$/;

/** A signer for `principal`. `server` tells whom it speaks to: pinned, or asked of the server itself. */
export function messageSigner(principal: string, key: SigningKey, server: ServerSource): Signer {
  let imported: Promise<ImportedKey> | undefined;
  return {
    async prove(request, nowMs) {
      const { instance } = await server.known();
      imported ??= importKey(key);
      const headers = await withDigest(request);
      const lines = [['"@method"', request.method], ['"@path"', pathOf(request.target)], ['"@query"', queryOf(request.target)],
        ...coveredHeaders.flatMap((name) => (headers[name] === undefined ? [] : [[`"${name}"`, headers[name]] as const]))] as const;
      const parameters = `;created=${Math.floor(nowMs / 1_000)};nonce="${newNonce()}";keyid="${principal}";tag="weir-req:${instance}"`;
      const { base, input } = signatureBase(lines, parameters);
      const signature = `weir=:${toBase64(await crypto.subtle.sign(key.algorithm === 'ed25519' ? 'Ed25519' : 'HMAC', await imported, base))}:`;
      return {
        headers: { ...headers, 'signature-input': `weir=${input}`, signature },
        isAnswer: (answer) => isAnswerOf(answer, signature, server),
      } satisfies Proof;
    },
  };
}

async function isAnswerOf({ status, headers, body }: ReceivedAnswer, requestSignature: string, server: ServerSource): Promise<boolean> {
  const [, components, parameters = '', keyId = '', tag] = answerPattern.exec(headers.get('signature-input') ?? '') ?? [];
  const [, encoded] = signaturePattern.exec(headers.get('signature') ?? '') ?? [];
  const digest = headers.get('content-digest');
  if (encoded === undefined || digest !== (body.length === 0 && digest === null ? null : await digestOf(body))) return false;
  const type = headers.get('content-type');
  const { base, input } = signatureBase([
    ['"@status"', String(status)], ['"signature";req', requestSignature],
    ...(digest === null ? [] : [['"content-digest"', digest] as const]), ...(type === null ? [] : [['"content-type"', type] as const]),
  ], parameters);
  const { instance } = await server.known();
  const x = await publicKey(keyId, server);
  if (input !== `(${components})${parameters}` || tag !== `weir-res:${instance}` || x === undefined) return false;
  const key = await crypto.subtle.importKey('jwk', { kty: 'OKP', crv: 'Ed25519', x }, 'Ed25519', false, ['verify']);
  return crypto.subtle.verify('Ed25519', key, fromBase64(encoded), base);
}

async function publicKey(keyId: string, { known, again }: ServerSource): Promise<string | undefined> {
  const find = ({ keys }: InstanceDocument): string | undefined => keys.find(({ kid }) => kid === keyId)?.x;
  return find(await known()) ?? find(await again());
}

/** RFC 9421 §2.5. */
function signatureBase(lines: readonly (readonly [component: string, value: string])[], parameters: string): { base: Uint8Array<ArrayBuffer>; input: string } {
  const input = `(${lines.map(([component]) => component).join(' ')})${parameters}`;
  const text = [...lines, ['"@signature-params"', input] as const].map(([component, value]) => `${component}: ${value}`).join('\n');
  if (!/^[\x20-\x7e\n]*$/.test(text)) throw new WeirError('request.invalid', 'A signed request has headers of plain ASCII on one line.');
  return { base: new TextEncoder().encode(text), input };
}

async function withDigest({ headers, body }: ProvableRequest): Promise<Record<string, string>> {
  return { ...headers, ...(body === undefined ? {} : { 'content-digest': await digestOf(body) }) };
}

/** RFC 9530. */
const digestOf = async (body: Uint8Array<ArrayBuffer>): Promise<string> => `sha-256=:${toBase64(await crypto.subtle.digest('SHA-256', body))}:`;

async function importKey(key: SigningKey): Promise<ImportedKey> {
  try {
    return key.algorithm === 'ed25519'
      ? await crypto.subtle.importKey('pkcs8', key.pkcs8, 'Ed25519', false, ['sign'])
      : await crypto.subtle.importKey('raw', key.secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  } catch {
    // No cause: the text of an error about a key may show a piece of it.
    throw new WeirError('config.invalid', 'The signing key is not of its kind: 32 shared bytes, or an Ed25519 key in PKCS #8.');
  }
}

const pathOf = (target: string): string => target.split('?', 1)[0] ?? '';
const queryOf = (target: string): string => (target.includes('?') ? target.slice(target.indexOf('?')) : '?');
const newNonce = (): string => toBase64(crypto.getRandomValues(new Uint8Array(16))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const toBase64 = (bytes: ArrayBuffer | Uint8Array): string => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
