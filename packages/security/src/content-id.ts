/** Content identifiers: every spelling of one content that a client may use, reduced to the digest that it names. */
import { base2 } from 'multiformats/bases/base2';
import { base8 } from 'multiformats/bases/base8';
import { base10 } from 'multiformats/bases/base10';
import * as base16s from 'multiformats/bases/base16';
import * as base32s from 'multiformats/bases/base32';
import * as base36s from 'multiformats/bases/base36';
import * as base58s from 'multiformats/bases/base58';
import * as base64s from 'multiformats/bases/base64';
import { base256emoji } from 'multiformats/bases/base256emoji';
import { WeirError } from '@weir/contracts/errors';

/** `digest`: the 32 bytes of the SHA-256 multihash in lower hex; `cid`: the same identifier as CIDv1 in base32. */
export interface ContentId { readonly digest: string; readonly cid: string }

export const rawCodec = 0x55;
export const dagPbCodec = 0x70;
/** What a root block is: file bytes themselves, or a node of a tree. */
export type Codec = typeof rawCodec | typeof dagPbCodec;
export const sha256Code = 0x12;
const digestSize = 32;
/** Of base2, the longest spelling, and a little more. */
const maxLength = 300;

// The identity base is left out: it writes raw bytes, which text can't carry.
const bases = [base2, base8, base10, ...Object.values(base16s), ...Object.values(base32s), ...Object.values(base36s), ...Object.values(base58s), ...Object.values(base64s), base256emoji];
const baseByPrefix = new Map(bases.map((base) => [base.prefix as string, base]));

/**
 * Reads a CID of version 0 or 1 in any multibase. Only complete SHA-256 multihashes of `raw` and `dag-pb` blocks name content here:
 * identity, truncated and other hashes, other codecs, non-minimal encodings and more than 300 characters are `content.id`.
 */
export function parseCid(text: string): ContentId {
  if (text.length > maxLength) throw notUsable();
  const bytes = isVersion0(text) ? versionZeroBytes(text) : decodeMultibase(text);
  const [version, codec, hashCode, length] = bytes;
  // Each field is one byte when encoded minimally, so the length alone refuses every padded varint and every other digest size.
  const known = bytes.length === 4 + digestSize && version === 1 && (codec === rawCodec || codec === dagPbCodec) && hashCode === sha256Code && length === digestSize;
  if (!known) throw notUsable();
  return { digest: Buffer.from(bytes.subarray(4)).toString('hex'), cid: base32s.base32.encode(bytes) };
}

/** The bytes of the CIDv1 of a block with this codec and SHA-256 digest. */
export function cidBytes(codec: Codec, digest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + digestSize);
  bytes.set([1, codec, sha256Code, digestSize]);
  bytes.set(digest, 4);
  return bytes;
}

/** Both names of the content whose root block has this codec and digest. */
export function contentId(codec: Codec, digest: Uint8Array): ContentId {
  return { digest: Buffer.from(digest).toString('hex'), cid: base32s.base32.encode(cidBytes(codec, digest)) };
}

/** CIDv0 is a bare base58btc multihash of a dag-pb block; it is never written with a multibase prefix. */
const isVersion0 = (text: string): boolean => text.startsWith('Qm');
const versionZeroBytes = (text: string): Uint8Array => Uint8Array.of(1, dagPbCodec, ...decodeMultibase(`z${text}`));

function decodeMultibase(text: string): Uint8Array {
  const prefix = String.fromCodePoint(text.codePointAt(0) ?? 0);
  const base = baseByPrefix.get(prefix);
  if (base === undefined) throw notUsable();
  let bytes: Uint8Array;
  try {
    bytes = base.decode(text);
  } catch (cause) {
    throw notUsable(cause);
  }
  // Decoders ignore surplus padding; one spelling per base keeps caches and logs free of aliases.
  if (base.encode(bytes) !== text) throw notUsable();
  return bytes;
}

const notUsable = (cause?: unknown): WeirError => new WeirError('content.id', undefined, { cause });
