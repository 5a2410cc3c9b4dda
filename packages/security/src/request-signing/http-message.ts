/**
 * Request and response signing, profile `http-message`: a closed subset of RFC 9421 with Ed25519 or HMAC-SHA256.
 * A request covers method, raw path, query and every header that changes its meaning; a response covers its status, its
 * body and the signature of the request that it answers. The authority is left out: proxies change it, and the instance id
 * in the tag stands for it.
 */
import { createHmac, createSecretKey, generateKeyPairSync, randomBytes, sign, timingSafeEqual, verify, type KeyObject } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { withoutBlanks } from '../header-fields.ts';
import { parseContentDigest } from './content-digest.ts';
import { parseSignature, parseSignatureInput, printSignature, printSignatureParams, signatureBase, signatureLabel, type SignatureInput } from './signature-fields.ts';

/** Names in lower case, as Node gives them. */
export type MessageHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;
/** `target` is the raw request target, `/path?query`. */
export type RequestMessage = Readonly<{ method: string; target: string; headers: MessageHeaders }>;
export type ResponseMessage = Readonly<{ status: number; headers: MessageHeaders }>;

/** `id` is the `keyid`, `[A-Za-z0-9._:-]{1,128}`. */
export type MessageKey =
  | Readonly<{ id: string; algorithm: 'ed25519'; public: KeyObject; private?: KeyObject }>
  | Readonly<{ id: string; algorithm: 'hmac-sha256'; secret: KeyObject }>;

/** The two headers that a signature adds. */
export type SignatureHeaders = Readonly<{ 'signature-input': string; signature: string }>;

/** A signature as it was read, not verified: whose key to look up. `contentDigest` is what the body must hash to, if there is one. */
export type ReadSignature = Readonly<{
  keyId: string; createdSeconds: number; nonce: string; signature: Buffer; contentDigest: Buffer | undefined; base: string;
}>;

/** `instance` is the id of the server that is addressed or answers, `[A-Za-z0-9._-]{1,64}`. */
export type Stamp = Readonly<{ instance: string; createdSeconds: number; nonce: string }>;

const maxTargetLength = 8_192;
const maxHeaderLength = 4_096;
const alwaysCovered = ['"@method"', '"@path"', '"@query"'];
/** Covered where the message has them; in the order in which we sign them. */
const headersOfRequests = ['content-digest', 'content-type', 'range', 'idempotency-key'];
const headersOfResponses = ['content-digest', 'content-type'];
const requestSignature = '"signature";req';
const instancePattern = /^[A-Za-z0-9._-]{1,64}$/;
const keyIdPattern = /^[A-Za-z0-9._:-]{1,128}$/;
const noncePattern = /^[A-Za-z0-9_-]{16,64}$/;

/** A fresh nonce: 16 random bytes in base64url. */
export const newNonce = (): string => randomBytes(16).toString('base64url');

/** Signature headers for a request. Its headers must hold a Content-Digest if it has a body; without, or if unsignable, `internal`. */
export function signRequest(request: RequestMessage, key: MessageKey, stamp: Stamp): SignatureHeaders {
  return signMessage(requestParts(request), key, 'weir-req', stamp);
}

/** Signature headers for the response to a request that was signed. Its headers must hold a Content-Digest if it has a body. */
export function signResponse(response: ResponseMessage, request: SignatureHeaders, key: MessageKey, stamp: Stamp): SignatureHeaders {
  return signMessage(responseParts(response, request.signature), key, 'weir-res', stamp);
}

/**
 * The signature of a request to `instance`, or undefined unless it is of exactly this profile: the label `weir` alone, all
 * that must be covered and nothing that is not there, the four parameters and the tag of this instance.
 */
export function readRequestSignature(request: RequestMessage, instance: string): ReadSignature | undefined {
  return readSignature(requestParts(request), request.headers, `weir-req:${instance}`);
}

/** The same for the response of `instance` to the request that carried these headers. */
export function readResponseSignature(response: ResponseMessage, request: SignatureHeaders, instance: string): ReadSignature | undefined {
  return readSignature(responseParts(response, request.signature), response.headers, `weir-res:${instance}`);
}

/**
 * Whether `key` made the signature within `maxSkewSeconds` before or after `nowSeconds`. Without a key (unknown identity,
 * refused network) it does the same work against a dummy and refuses. Replay is asked elsewhere, by `signature`.
 * Whoever verifies a message with a body still has to hash that and compare it with `contentDigest`.
 */
export function verifySignature(read: ReadSignature, key: MessageKey | undefined, nowSeconds: number, maxSkewSeconds = 30): boolean {
  const isEqual = isSignedBy(key ?? dummyKeys[read.signature.length === 32 ? 'mac' : 'ed25519'], read);
  const isTimely = Math.abs(nowSeconds - read.createdSeconds) <= Math.min(maxSkewSeconds, 300);
  return isEqual && isTimely && key?.id === read.keyId;
}

/** What a message must cover, and the value of each component. `undefined` for a message that no signature can cover. */
type Parts = Readonly<{ required: readonly string[]; valueOf(component: string): string | undefined }> | undefined;

function requestParts({ method, target, headers }: RequestMessage): Parts {
  if (!/^[A-Z]{1,16}$/.test(method) || !target.startsWith('/') || target.length > maxTargetLength) return undefined;
  const queryAt = target.indexOf('?');
  const derived = new Map([
    ['"@method"', method],
    ['"@path"', queryAt === -1 ? target : target.slice(0, queryAt)],
    ['"@query"', queryAt === -1 ? '?' : target.slice(queryAt)],
  ]);
  return parts(alwaysCovered, headersOfRequests, derived, headers);
}

function responseParts({ status, headers }: ResponseMessage, signatureOfRequest: string): Parts {
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  const derived = new Map([['"@status"', String(status)], [requestSignature, signatureOfRequest]]);
  return parts([...derived.keys()], headersOfResponses, derived, headers);
}

function parts(always: readonly string[], names: readonly string[], derived: ReadonlyMap<string, string>, headers: MessageHeaders): Parts {
  const values = new Map(derived);
  for (const name of names) {
    const value = headers[name];
    if (value === undefined) continue;
    // Several values of such a header are an ambiguity, not a message.
    if (typeof value !== 'string' || value.length > maxHeaderLength) return undefined;
    values.set(`"${name}"`, withoutBlanks(value));
  }
  if (hasBody(headers) && !values.has('"content-digest"')) return undefined;
  return { required: [...always, ...names.map((name) => `"${name}"`).filter((name) => values.has(name))], valueOf: (component) => values.get(component) };
}

const hasBody = (headers: MessageHeaders): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] !== undefined && headers['content-length'] !== '0');

function signMessage(message: Parts, key: MessageKey, tag: string, { instance, createdSeconds, nonce }: Stamp): SignatureHeaders {
  const isUsable = instancePattern.test(instance) && keyIdPattern.test(key.id) && noncePattern.test(nonce) && Number.isSafeInteger(createdSeconds);
  const input: SignatureInput = {
    components: message?.required ?? [],
    parameters: [['created', createdSeconds], ['nonce', nonce], ['keyid', key.id], ['tag', `${tag}:${instance}`]],
  };
  const base = message && signatureBase(input, message.valueOf);
  if (!isUsable || base === undefined) throw new WeirError('internal', 'This message can not be signed: a body needs a Content-Digest, headers one line of ASCII.');
  return {
    'signature-input': `${signatureLabel}=${printSignatureParams(input)}`,
    signature: printSignature(signatureOf(key, base), signatureLabel),
  };
}

function readSignature(message: Parts, headers: MessageHeaders, tag: string): ReadSignature | undefined {
  const inputField = headers['signature-input'];
  const signatureField = headers['signature'];
  if (message === undefined || typeof inputField !== 'string' || typeof signatureField !== 'string') return undefined;
  const input = parseSignatureInput(inputField, signatureLabel);
  const signature = parseSignature(signatureField, signatureLabel);
  if (input === undefined || signature === undefined || !coversExactly(input.components, message.required)) return undefined;
  const parameters = readParameters(input, tag);
  const base = signatureBase(input, message.valueOf);
  if (parameters === undefined || base === undefined) return undefined;
  const digest = message.valueOf('"content-digest"');
  const contentDigest = digest === undefined ? undefined : parseContentDigest(digest);
  return digest !== undefined && contentDigest === undefined ? undefined : { ...parameters, signature, contentDigest, base };
}

/** In any order. What is covered beyond the profile could only be read differently by someone else. */
function coversExactly(components: readonly string[], required: readonly string[]): boolean {
  return components.length === required.length && required.every((name) => components.includes(name));
}

function readParameters({ parameters }: SignatureInput, expectedTag: string): Pick<ReadSignature, 'keyId' | 'createdSeconds' | 'nonce'> | undefined {
  const { created, nonce, keyid, tag } = Object.fromEntries(parameters);
  if (parameters.length !== 4 || tag !== expectedTag || typeof created !== 'number') return undefined;
  if (typeof nonce !== 'string' || !noncePattern.test(nonce)) return undefined;
  if (typeof keyid !== 'string' || !keyIdPattern.test(keyid)) return undefined;
  return { keyId: keyid, createdSeconds: created, nonce };
}

function isSignedBy(key: MessageKey, { signature, base }: ReadSignature): boolean {
  if (key.algorithm === 'ed25519') return signature.length === 64 && verify(null, Buffer.from(base, 'latin1'), key.public, signature);
  return signature.length === 32 && timingSafeEqual(signature, signatureOf(key, base));
}

function signatureOf(key: MessageKey, base: string): Buffer {
  if (key.algorithm === 'hmac-sha256') return createHmac('sha256', key.secret).update(base, 'latin1').digest();
  if (key.private === undefined) throw new WeirError('internal', `The key "${key.id}" only verifies; sign with another.`);
  return sign(null, Buffer.from(base, 'latin1'), key.private);
}

/** Unknown identities are checked against these, so that they cost what known ones cost. */
const dummyKeys = {
  ed25519: { id: '', algorithm: 'ed25519', public: generateKeyPairSync('ed25519').publicKey },
  mac: { id: '', algorithm: 'hmac-sha256', secret: createSecretKey(randomBytes(32)) },
} as const satisfies Record<string, MessageKey>;
