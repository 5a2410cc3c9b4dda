/** The body of a request: whether there is one, read within bounds, checked against its signed digest. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WeirError } from '@weir/contracts/errors';
import { EvidenceRefused } from '@weir/security/identity';
import type { ReadSignature } from '@weir/security/request-signing/http-message';
import { constantTimeEqual } from '@weir/security/secret';
import { parseStrictJson } from '@weir/security/strict-json';

/** Bodies that are parsed, or that a `dffmpeg` signature covers, in bytes. */
export const maxBodyBytes = 1 << 20;
/** Levels of a body that is parsed; recipes are the deepest. */
const deepestBody = 32;
/** A body that is held in memory arrives within this time. */
const bodyDeadlineMs = 30_000;

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

/** Passes a body on and fails at its end unless it is the one that was signed: nothing is done with a body before its end. */
export async function* digestChecked(body: AsyncIterable<Uint8Array>, { contentDigest: signed, keyId }: ReadSignature): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  for await (const piece of body) {
    digest.update(piece);
    yield piece;
  }
  if (signed !== undefined && !constantTimeEqual(digest.digest(), signed)) throw new EvidenceRefused('body is not the one that was signed', keyId);
}

/** The whole body, refused past `limit` before it is read where its length is announced. */
export async function readBody(incoming: IncomingMessage, limit: number, body: AsyncIterable<Uint8Array> = incoming): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > limit) throw new WeirError('request.too_large', `A body may have at most ${limit} bytes here.`);
  const deadline = setTimeout(() => incoming.destroy(new WeirError('request.timeout')), bodyDeadlineMs);
  using _deadline = { [Symbol.dispose]: () => clearTimeout(deadline) };
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limit) throw new WeirError('request.too_large', `A body may have at most ${limit} bytes here.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The one way to write it in JSON. PostgreSQL keeps no NUL in a text, so none gets as far on any database. */
const escapedNul = /(?<!\\)(?:\\\\)*\\u0000/;

/** The JSON of a body that says so in its type. `request.invalid` otherwise. */
export async function readJson(incoming: IncomingMessage, body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const type = incoming.headers['content-type'];
  if (type === undefined || !/^application\/json\s*(;|$)/i.test(type)) throw new WeirError('request.invalid', 'Send the body as application/json.');
  const bytes = await readBody(incoming, maxBodyBytes, body);
  if (escapedNul.test(bytes.toString('latin1'))) throw new WeirError('request.invalid', 'The body holds a NUL (\\u0000), which no text here may.');
  const value = parseStrictJson(bytes, deepestBody);
  if (value === undefined) throw new WeirError('request.invalid', 'The body is not JSON in UTF-8 in which no member comes twice.');
  return value;
}
