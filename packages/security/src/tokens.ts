/**
 * JSON Web Tokens, strictly: compact JWS (RFC 7515, RFC 7519) under Ed25519 or HS256, one spelling per token.
 * Synchronous, for tokens that come with every segment and message.
 */
import { createHmac, sign, timingSafeEqual, verify } from 'node:crypto';
import { WeirError } from '@weir/contracts/errors';
import { decodeBase64Url } from './base64.ts';
import { asRecord, parseStrictJson } from './strict-json.ts';
import { parseClaims, type ClaimsOf, type TokenPurpose } from './token-claims.ts';
import type { TokenKey, TokenKeys } from './token-keys.ts';

/** What a verifier accepts: tokens of one purpose, from one issuer, for one audience, under these keys. */
export type TokenProfile<P extends TokenPurpose = TokenPurpose> = Readonly<{ purpose: P; issuer: string; audience: string; keys: TokenKeys }>;

/** Why a token was refused: for the audit and `weir explain`, never for the caller. */
export type TokenRefusal = 'malformed' | 'key' | 'signature' | 'claims' | 'issuer' | 'audience' | 'early' | 'expired';

export type TokenVerdict<P extends TokenPurpose> =
  | Readonly<{ valid: true; claims: ClaimsOf[P]; key: TokenKey }>
  | Readonly<{ valid: false; reason: TokenRefusal }>;

/** Longest token, in characters: it has to fit into a header. */
export const maxTokenLength = 8_192;
const maxHeaderLength = 512;
/** Clocks of issuer and verifier may differ by this much before a token counts as early. Nothing outlives its `exp`. */
const leewaySeconds = 5;
const keyIdPattern = /^[A-Za-z0-9._-]{1,64}$/;

/** A token of these claims. `internal` if the claims are not those of the purpose or the key can not sign. */
export function signToken<P extends TokenPurpose>(purpose: P, claims: ClaimsOf[P], key: TokenKey): string {
  if (!keyIdPattern.test(key.id)) throw new WeirError('internal', 'A token key has an id that no token can name.');
  if (parseClaims(purpose, claims) === undefined) throw new WeirError('internal', `These are not the claims of a token for ${purpose}.`);
  const header = JSON.stringify({ alg: key.algorithm, kid: key.id, typ: typeOf(purpose) });
  const signed = `${encode(header)}.${encode(JSON.stringify(claims))}`;
  const token = `${signed}.${signature(key, signed).toString('base64url')}`;
  if (token.length > maxTokenLength) throw new WeirError('request.too_large', 'The token would be longer than 8 KiB; list fewer permissions or contents.');
  return token;
}

/**
 * Whether `token` is valid at `nowSeconds`. Its header must be exactly `alg`, `kid`, `typ`; the key decides the algorithm;
 * each part has one spelling; no member comes twice. Never throws.
 */
export function verifyToken<P extends TokenPurpose>(token: string, profile: TokenProfile<P>, nowSeconds: number): TokenVerdict<P> {
  const parts = splitToken(token);
  const header = parts && readHeader(parts.header);
  if (parts === undefined || header?.typ !== typeOf(profile.purpose)) return refused('malformed');
  const key = profile.keys.get(header.kid);
  if (key === undefined || key.algorithm !== header.alg) return refused('key');
  if (!isSignedBy(key, parts.signed, parts.signature)) return refused('signature');
  const claims = parseClaims(profile.purpose, decodeJson(parts.payload));
  if (claims === undefined) return refused('claims');
  const reason = refusalOf(claims, profile, nowSeconds);
  return reason === undefined ? { valid: true, claims: frozen(claims), key } : refused(reason);
}

/** Key id that a token names, read without trusting it: which issuer's verifier to ask. Undefined if it names none. */
export function unverifiedKeyId(token: string): string | undefined {
  const parts = splitToken(token);
  return parts && readHeader(parts.header)?.kid;
}

function refusalOf(claims: ClaimsOf[TokenPurpose], profile: TokenProfile, nowSeconds: number): TokenRefusal | undefined {
  if (claims.iss !== profile.issuer) return 'issuer';
  if (claims.aud !== profile.audience) return 'audience';
  if (nowSeconds + leewaySeconds < claims.nbf) return 'early';
  if (nowSeconds >= claims.exp) return 'expired';
  return undefined;
}

/** Claims are shared between requests, so nobody may change them. */
function frozen<C extends object>(claims: C): C {
  for (const claim of Object.values(claims)) Object.freeze(claim);
  return Object.freeze(claims);
}

type Parts = Readonly<{ header: string; payload: string; signed: string; signature: Buffer }>;

function splitToken(token: string): Parts | undefined {
  if (token.length > maxTokenLength) return undefined;
  const headerEnd = token.indexOf('.');
  const signedEnd = token.indexOf('.', headerEnd + 1);
  if (headerEnd < 1 || headerEnd > maxHeaderLength || signedEnd < 0) return undefined;
  // A third dot is no base64url and fails here.
  const presented = decodeBase64Url(token.slice(signedEnd + 1));
  if (presented === undefined) return undefined;
  return { header: token.slice(0, headerEnd), payload: token.slice(headerEnd + 1, signedEnd), signed: token.slice(0, signedEnd), signature: presented };
}

function readHeader(encoded: string): Readonly<{ alg: string; kid: string; typ: string }> | undefined {
  const header = asRecord(decodeJson(encoded));
  if (header === undefined || Object.keys(header).length !== 3) return undefined;
  const { alg, kid, typ } = header;
  return typeof alg === 'string' && typeof kid === 'string' && typeof typ === 'string' ? { alg, kid, typ } : undefined;
}

function decodeJson(encoded: string): unknown {
  const bytes = decodeBase64Url(encoded);
  return bytes && parseStrictJson(bytes, 3);
}

function isSignedBy(key: TokenKey, signed: string, presented: Buffer): boolean {
  if (key.algorithm === 'EdDSA') return presented.length === 64 && verify(null, Buffer.from(signed, 'latin1'), key.public, presented);
  return presented.length === 32 && timingSafeEqual(presented, signature(key, signed));
}

function signature(key: TokenKey, signed: string): Buffer {
  if (key.algorithm === 'HS256') return createHmac('sha256', key.secret).update(signed, 'latin1').digest();
  if (key.private === undefined) throw new WeirError('internal', `The token key "${key.id}" only verifies; sign with another.`);
  return sign(null, Buffer.from(signed, 'latin1'), key.private);
}

const encode = (json: string): string => Buffer.from(json, 'utf8').toString('base64url');
const typeOf = (purpose: TokenPurpose): string => `weir-${purpose}+jwt`;
const refused = (reason: TokenRefusal): { valid: false; reason: TokenRefusal } => ({ valid: false, reason });
