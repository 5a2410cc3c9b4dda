/** The bytes of an upload as they arrive, held to their limits and ended by a signal even when the sender is silent. */
import { WeirError } from '@weir/contracts/errors';

export interface IntakeLimits {
  readonly maxBytes: number;
  readonly expectedSize?: number;
  readonly signal?: AbortSignal;
}

/**
 * Passes the pieces of `source` on. Throws `request.too_large` past `maxBytes`, `request.invalid` past the announced size,
 * `content.incomplete` when the source fails or ends before it, and the reason of `signal` when that aborts.
 */
export async function* intake(source: AsyncIterable<Uint8Array>, limits: IntakeLimits): AsyncGenerator<Uint8Array> {
  const { maxBytes, expectedSize, signal } = limits;
  if (expectedSize !== undefined && expectedSize > maxBytes) throw tooLarge(maxBytes);
  const pieces = source[Symbol.asyncIterator]();
  let size = 0;
  try {
    for (;;) {
      const next = await nextPiece(pieces, signal);
      if (next.done === true) break;
      size += next.value.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      if (expectedSize !== undefined && size > expectedSize) throw new WeirError('request.invalid', 'More bytes arrived than were announced. Send Content-Length as the body has it.');
      yield next.value;
    }
    if (expectedSize !== undefined && size < expectedSize) throw new WeirError('content.incomplete');
  } finally {
    // A source that hangs can't be waited for after an abort; being told is all that it gets.
    const told = Promise.allSettled([pieces.return?.()]);
    if (signal?.aborted !== true) await told;
  }
}

async function nextPiece(pieces: AsyncIterator<Uint8Array>, signal: AbortSignal | undefined): Promise<IteratorResult<Uint8Array>> {
  signal?.throwIfAborted();
  try {
    return await (signal === undefined ? pieces.next() : untilAborted(pieces.next(), signal));
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof WeirError) throw error;
    throw new WeirError('content.incomplete', undefined, { cause: error });
  }
}

/** A listener per wait, removed after it: a race against one promise of the whole upload would gather a reaction for each piece. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

const tooLarge = (maxBytes: number): WeirError => new WeirError('request.too_large', `The content is larger than the ${maxBytes} bytes that this server accepts at once.`, { facts: { max_bytes: maxBytes } });
