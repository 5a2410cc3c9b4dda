/** Reads a response, as text or bytes, no further than a limit. */
import { WeirError } from '@weir/contracts/errors';

/** `limit` in bytes; a longer body is cancelled and thrown as `request.too_large`. */
export async function readText(response: Response, limit: number): Promise<string> {
  return new TextDecoder().decode(await readBytes(response, limit));
}

/** The same as bytes. */
export async function readBytes(response: Response, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  if (response.body === null) return new Uint8Array();
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const pieces: Uint8Array[] = [];
  let received = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joined(pieces, received);
    received += value.byteLength;
    if (received > limit) {
      await reader.cancel();
      throw new WeirError('request.too_large', `The server sent more than ${limit} bytes; ask for a smaller page.`);
    }
    pieces.push(value);
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}
