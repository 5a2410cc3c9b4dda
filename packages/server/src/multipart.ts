/** The one file of an upload: a raw body as it is, or the single file part of multipart/form-data. Anything beside it is refused. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy } from '@fastify/busboy';
import { WeirError } from '@weir/contracts/errors';

/** `size` in bytes where it is known beforehand; `name` as the sender's, unchecked. */
export type UploadedFile = Readonly<{ bytes: AsyncIterable<Uint8Array>; name: string | undefined; size: number | undefined }>;

/** Errors: `request.invalid` for a malformed form or more than one part, `content.incomplete` when it breaks off. */
export async function firstFile(incoming: IncomingMessage, body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<UploadedFile> {
  const type = incoming.headers['content-type'] ?? 'application/octet-stream';
  if (!/^multipart\/form-data\b/i.test(type)) {
    const length = incoming.headers['content-length'];
    return { bytes: body, name: undefined, size: length === undefined ? undefined : Number(length) };
  }
  const form = openForm(type, maxBytes);
  let extra = false;
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) form.once(limit, () => { extra = true; });
  const parsed: Promise<void> = pipeline(Readable.from(body), form);
  // Whoever reads the file hears of a failure through it; before there is one, through this promise.
  parsed.catch(() => undefined);
  const file = new Promise<UploadedFile>((resolve) => {
    form.once('file', (_field, stream, name) => {
      // A file that breaks off is told as a bare event, which may come before anybody reads; destroyed, it keeps the error for its reader.
      stream.on('error', (error: Error) => stream.destroy(error));
      resolve({ bytes: whole(stream, parsed, () => extra), name: name === '' ? undefined : name, size: undefined });
    });
  });
  const none = parsed.then(
    () => { throw new WeirError('request.invalid', 'The multipart body has no file.'); },
    (cause: unknown) => { throw new WeirError('request.invalid', 'The multipart body is malformed.', { cause }); },
  );
  return Promise.race([file, none]);
}

type Form = InstanceType<typeof Busboy>;

function openForm(type: string, maxBytes: number): Form {
  try {
    return new Busboy({ headers: { 'content-type': type }, limits: { files: 1, fields: 0, parts: 1, headerPairs: 20, fileSize: maxBytes + 1 } });
  } catch (cause) {
    throw new WeirError('request.invalid', 'The multipart body is malformed.', { cause });
  }
}

/** The file's bytes. Without its closing boundary, or with a second part, it does not count as complete. */
async function* whole(stream: AsyncIterable<Uint8Array>, parsed: Promise<void>, hasMore: () => boolean): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
    await parsed;
  } catch (cause) {
    throw new WeirError('content.incomplete', undefined, { cause });
  }
  if (hasMore()) throw new WeirError('request.invalid', 'Send one file, and nothing else, in the multipart body.');
}
