/** A body for `fetch` from any source of bytes, counted as it is read. */

export type ByteSource = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

type Watch = Readonly<{ signal?: AbortSignal | undefined; onProgress?: (sentBytes: number) => void }>;

/** Pulls one piece at a time, so the source is never read ahead of the network. */
export function countedStream(source: ByteSource, { signal, onProgress }: Watch): ReadableStream<Uint8Array> {
  const pieces: AsyncIterator<Uint8Array, unknown> = source instanceof ReadableStream ? piecesOf(source) : source[Symbol.asyncIterator]();
  let sent = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      // Node's fetch goes on pulling from a source that is always ready after its signal has aborted.
      if (signal?.aborted === true) {
        await pieces.return?.();
        return controller.error(signal.reason);
      }
      const piece = await pieces.next();
      if (piece.done === true) return controller.close();
      sent += piece.value.byteLength;
      controller.enqueue(piece.value);
      onProgress?.(sent);
    },
    async cancel() {
      await pieces.return?.();
    },
  }, { highWaterMark: 0 });
}

async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
