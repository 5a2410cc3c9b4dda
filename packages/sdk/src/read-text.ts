/** Reads a response as text, no further than a limit. */
import { WeirError } from '@weir/contracts/errors';

/** `limit` in bytes; a longer body is cancelled and thrown as `request.too_large`. */
export async function readText(response: Response, limit: number): Promise<string> {
  if (response.body === null) return '';
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let received = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    received += value.byteLength;
    if (received > limit) {
      await reader.cancel();
      throw new WeirError('request.too_large', `The server sent more than ${limit} bytes; ask for a smaller page.`);
    }
    text += decoder.decode(value, { stream: true });
  }
}
