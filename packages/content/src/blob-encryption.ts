/** How a blob is bound to its place: the context of its Cobblestone-256 message names the blob, so blobs can't be swapped. */
export const blobContext = (blob: string): Buffer => Buffer.from(`weir/blob/v1\0${blob}`, 'latin1');
