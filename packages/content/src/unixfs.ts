/**
 * The root of a file's UnixFS graph by profile `unixfs-v1-2025` (IPIP-499): CIDv1, raw leaves of 1 MiB, a balanced tree of at most
 * 1024 links a node, a single leaf standing for itself. Any IPFS node that imports the bytes with that profile finds the same root.
 */
import { createHash } from 'node:crypto';
import { encode } from '@ipld/dag-pb';
import { contentId, dagPbCodec, rawCodec, sha256Code, type Codec, type ContentId } from '@weir/security/content-id';
import { varint } from 'multiformats';
import { CID } from 'multiformats/cid';
import { create as multihash } from 'multiformats/hashes/digest';

export const leafSize = 1_048_576;
export const leafDigestSize = 32;
const maxLinks = 1_024;

/** A block of the graph: the file bytes under it, and the bytes of all blocks from it down. */
interface Node { readonly codec: Codec; readonly digest: Uint8Array; readonly fileSize: number; readonly treeSize: number }

/** Leaves of a file of `size` bytes; an empty file has one empty leaf. */
export const leafCount = (size: number, leaf: number = leafSize): number => Math.max(1, Math.ceil(size / leaf));

/**
 * The root of a file of `size` bytes whose leaves have these SHA-256 digests, concatenated in order. `leaf` is the leaf size in bytes.
 * Throws `RangeError` when the number of digests is not that of the size.
 */
export function rootOf(leafDigests: Uint8Array, size: number, leaf: number = leafSize): ContentId {
  const leaves = leafCount(size, leaf);
  if (leafDigests.length !== leaves * leafDigestSize) throw new RangeError(`${size} bytes have ${leaves} leaves, not ${leafDigests.length / leafDigestSize}`);
  let level = Array.from({ length: leaves }, (_, i): Node => {
    const bytes = Math.min(leaf, size - i * leaf);
    return { codec: rawCodec, digest: leafDigests.subarray(i * leafDigestSize, (i + 1) * leafDigestSize), fileSize: bytes, treeSize: bytes };
  });
  while (level.length > 1) level = parents(level);
  const root = level[0];
  if (root === undefined) throw new RangeError('a file has at least one leaf');
  return contentId(root.codec, root.digest);
}

function parents(children: readonly Node[]): Node[] {
  const nodes: Node[] = [];
  for (let i = 0; i < children.length; i += maxLinks) nodes.push(parentOf(children.slice(i, i + maxLinks)));
  return nodes;
}

function parentOf(children: readonly Node[]): Node {
  const links = children.map((child) => ({ Name: '', Tsize: child.treeSize, Hash: CID.createV1(child.codec, multihash(sha256Code, child.digest)) }));
  const block = encode({ Data: fileData(children.map((child) => child.fileSize)), Links: links });
  return {
    codec: dagPbCodec,
    digest: createHash('sha256').update(block).digest(),
    fileSize: sum(children, (child) => child.fileSize),
    treeSize: block.length + sum(children, (child) => child.treeSize),
  };
}

/** The UnixFS protobuf of an inner node of a file: `Type = File (2)`, `filesize`, and one `blocksizes` for each link. */
function fileData(blockSizes: readonly number[]): Uint8Array {
  const fileSize = sum(blockSizes, (size) => size);
  const bytes = new Uint8Array(3 + varint.encodingLength(fileSize) + sum(blockSizes, (size) => 1 + varint.encodingLength(size)));
  let at = 0;
  const field = (tag: number, value: number): void => {
    bytes[at] = tag;
    varint.encodeTo(value, bytes, at + 1);
    at += 1 + varint.encodingLength(value);
  };
  field(0x08, 2);
  field(0x18, fileSize);
  for (const size of blockSizes) field(0x20, size);
  return bytes;
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number => items.reduce((total, item) => total + of(item), 0);
